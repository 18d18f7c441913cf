"""Every exercise of the course by its name."""

from lecture_lib.exercises import fast_rcnn, faster_rcnn, rcnn, search, sppnet, stepping_forward, summary, transfer

NOTEBOOKS = (transfer, search, rcnn, sppnet, fast_rcnn, faster_rcnn, summary, stepping_forward)
EXERCISES = {exercise.name: exercise for module in NOTEBOOKS for exercise in module.EXERCISES}
