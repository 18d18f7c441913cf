"""Every exercise of the course by its name."""

from lecture_lib.exercises import rcnn

EXERCISES = {exercise.name: exercise for module in (rcnn,) for exercise in module.EXERCISES}
