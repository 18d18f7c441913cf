"""Every exercise of the course by its name."""

from lecture_lib.exercises import rcnn, transfer

EXERCISES = {exercise.name: exercise for module in (transfer, rcnn) for exercise in module.EXERCISES}
