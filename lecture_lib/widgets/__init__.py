"""Interactive figures for the notebooks: real data in, sliders and a picture that follows them out."""

from lecture_lib.widgets.frame import BrowserWidget, presenter
from lecture_lib.widgets.predict import Predict

__all__ = ["BrowserWidget", "Predict", "presenter"]
