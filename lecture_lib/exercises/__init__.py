"""The notebooks' exercises: `check.iou(my_iou)` tells a student at once what is wrong with an answer."""

from lecture_lib.exercises.checks import check

__all__ = ["check"]
