"""What an exercise is: one record that the student's check and the instructor's grader both read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lecture_lib.exercises.differences import difference

Problem = Callable[[tuple, Any, Any], str | None]


def differs(arguments: tuple, got: Any, expected: Any) -> str | None:
    """What kind of difference there is between two results, None where they are equal within 1e-5."""
    return difference(got, expected)


def box_rows(*rows: list) -> Tensor:
    """Boxes, or their deltas, as calls write them: float [R, 4], of no row [0, 4]."""
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@dataclass(frozen=True)
class Exercise:
    """A function that students write, and how it is judged.

    calls: what students see checked, as pairs of arguments and the hint that a wrong result there deserves.
    expected: the right result of the arguments. problem: says from arguments, result and expected result what is
    wrong, without naming a number of the case; for answers that may differ from each other, such as random ones.
    forbidden: functions of PyTorch that would do the exercise in one call, dotted. needs: exercises whose functions
    the answer may call; the grader puts the right ones in their place.
    """

    name: str  # check.NAME
    notebook: str
    function: str  # the student's function is found by this name
    points: int
    calls: tuple[tuple[tuple, str], ...]
    expected: Callable[..., Any]
    problem: Problem = differs
    forbidden: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
