"""Every exercise of the course by its name."""

from lecture_lib.exercises import rcnn, search, transfer

EXERCISES = {exercise.name: exercise for module in (transfer, search, rcnn) for exercise in module.EXERCISES}
