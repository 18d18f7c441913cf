"""Every exercise of the course by its name."""

from lecture_lib.exercises import faster_rcnn, rcnn, summary

EXERCISES = {exercise.name: exercise for module in (rcnn, faster_rcnn, summary) for exercise in module.EXERCISES}
