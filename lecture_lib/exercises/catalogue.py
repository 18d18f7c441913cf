"""Every exercise of the course by its name."""

from lecture_lib.exercises import faster_rcnn, rcnn, stepping_forward, summary

EXERCISES = {
    exercise.name: exercise
    for module in (rcnn, faster_rcnn, summary, stepping_forward)
    for exercise in module.EXERCISES
}
