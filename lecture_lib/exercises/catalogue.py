"""Every exercise of the course by its name."""

from lecture_lib.exercises import fast_rcnn, rcnn, sppnet

EXERCISES = {exercise.name: exercise for module in (rcnn, sppnet, fast_rcnn) for exercise in module.EXERCISES}
