"""The notebooks as slides, with their kernel and their widgets: `python -m lecture_lib.slides 03_rcnn`."""
