"""Every exercise of the course by its name, and by the notebook that it belongs to."""

from lecture_lib.exercises import fast_rcnn, faster_rcnn, rcnn, search, sppnet, stepping_forward, summary, transfer

MODULES = (transfer, search, rcnn, sppnet, fast_rcnn, faster_rcnn, summary, stepping_forward)
BY_NOTEBOOK = {module.NOTEBOOK: module.EXERCISES for module in MODULES}
EXERCISES = {exercise.name: exercise for exercises in BY_NOTEBOOK.values() for exercise in exercises}
