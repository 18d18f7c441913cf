"""Interactive figures for the notebooks: real data in, sliders and a picture that follows them out."""
