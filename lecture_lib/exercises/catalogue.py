"""Every exercise of the course by its name."""

from lecture_lib.exercises import rcnn, sppnet

EXERCISES = {exercise.name: exercise for module in (rcnn, sppnet) for exercise in module.EXERCISES}
