"""Submissions with one answer exchanged, and what they earn."""

import json

from grading.judge import Grade, Result, grade, grade_exercise
from grading.notebook import read
from grading.sandbox import Sandbox
from grading.solved import solved
from lecture_lib.exercises.catalogue import BY_NOTEBOOK, EXERCISES

NOTEBOOK = "03_rcnn"
ALL = sum(exercise.points for exercise in BY_NOTEBOOK[NOTEBOOK])
IOU = EXERCISES["iou"].points  # what the attacked exercise is worth


def points(content: dict, sandbox: Sandbox) -> tuple[int, Grade]:
    """What a submission earns, and its grade."""
    graded = grade(json.dumps(content).encode(), sandbox, "secret")
    return sum(result.earned for result in graded.results), graded


def attacked(content: dict, sandbox: Sandbox) -> Result:
    """The result of the first exercise alone."""
    return grade_exercise(read(json.dumps(content).encode()), EXERCISES["iou"], sandbox, [1])


def iou(body: str, head: str = "") -> dict[str, str]:
    """Another answer to the first exercise, whose body is `body`."""
    lines = "\n    ".join(body.splitlines())
    return {"iou": f"{head}\n\n\ndef overlap_of(a, b):\n    {lines}\n"}


def spoilt(changes: dict[str, str], **added: str) -> dict:
    """The right answers, with another one to the first exercise wherever it stands."""
    content = solved(NOTEBOOK, **added)
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("def overlap_of("):
            cell["source"] = changes["iou"]
    return content
