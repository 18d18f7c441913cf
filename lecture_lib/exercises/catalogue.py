"""Every exercise of the course by its name."""

from lecture_lib.exercises import faster_rcnn, rcnn

EXERCISES = {exercise.name: exercise for module in (rcnn, faster_rcnn) for exercise in module.EXERCISES}
