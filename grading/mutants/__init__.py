"""Right and wrong answers as students write them: `right_...` and `wrong_...` functions, a file for each exercise.

They are read as text and judged in the sandbox like a submission: hidden cases that let a wrong one pass are too weak.
"""

import ast
import json
import time
from pathlib import Path

from grading.judge import define, failures, hidden_cases
from grading.notebook import read
from grading.sandbox import Sandbox
from lecture_lib.exercises.record import Exercise

HERE = Path(__file__).parent


def names(exercise: str) -> list[str]:
    """The answers to an exercise, by name; none where there is no file."""
    path = HERE / f"{exercise}.py"
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in defined if name.startswith(("right_", "wrong_"))]


def passes(exercise: Exercise, name: str, sandbox: Sandbox, seeds: range) -> list[bool]:
    """For each seed whether the answer passes all hidden cases; one child for all of them, 60 seconds."""
    source = (HERE / f"{exercise.name}.py").read_text() + f"\n\n{exercise.function} = {name}\n"
    answers = read(json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode())
    deadline = time.monotonic() + 60
    with sandbox.child() as child:
        problem = define(child, answers, exercise, deadline)
        if problem:
            raise ValueError(f"{name} cannot be defined: {problem}")
        return [not any(failures(child, answers, exercise, hidden_cases(exercise, [seed]), deadline)) for seed in seeds]
