"""Immediate answers for exercises: a student's function is compared with the library case by case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Case:
    """One call of the student's function: its arguments, the right result, and what a wrong one usually means."""

    arguments: tuple
    expected: Any
    hint: str


def check(function: Callable, cases: Sequence[Case]) -> str:
    """Run `function` on every case and tell, in one paragraph, whether it is right or the first thing that is wrong.

    Never raises for a wrong answer: an unsolved exercise must not stop the notebook.
    """
    for case in cases:
        call = f"{function.__name__}({', '.join(_show(a) for a in case.arguments)})"
        try:
            got = function(*(a.clone() if isinstance(a, torch.Tensor) else a for a in case.arguments))
        except Exception as error:
            return f"Not yet: {call} raised {type(error).__name__}: {error}"
        if got is None or got is ...:
            return f"Not solved yet: {call} returned nothing. Replace the `...`."
        if not _equal(got, case.expected):
            return f"Not yet: {call} should be {_show(case.expected)}, got {_show(got)}. {case.hint}"
    return f"Right: {function.__name__} passes {len(cases)} cases."


def _equal(got: Any, expected: Any) -> bool:
    try:
        left, right = (torch.as_tensor(value, dtype=torch.float64) for value in (got, expected))
    except (TypeError, ValueError, RuntimeError):
        return bool(got == expected)
    return left.shape == right.shape and torch.allclose(left, right, rtol=1e-5, atol=1e-6)


def _show(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor({(value.double().round(decimals=4) if value.is_floating_point() else value).tolist()})"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
