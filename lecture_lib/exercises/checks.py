"""`check.NAME(function)`: the visible cases of an exercise, run in the student's own kernel. It is never a grade."""

import difflib
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.differences import VALUES
from lecture_lib.exercises.record import Exercise, differs

NOTHING = "Not solved yet: CALL returned nothing. Replace the `...`."
LONG = 40  # a vector of more numbers is cut short where it is shown
CHANGED = (
    "changes its input. Whoever called it still needs it: work on a copy (x.clone(), of a dictionary dict(x)), "
    "or write x = x - 1, not x -= 1."
)


class Verdict(str):
    """A sentence that a notebook shows as text."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return str(self)


class Checks:
    """Every exercise of the course by its name: `check.iou(my_iou)`."""

    def __getattr__(self, name: str) -> Callable[[Callable], Verdict]:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in EXERCISES:
            near = difflib.get_close_matches(name, EXERCISES, n=1)
            meant = f"; did you mean check.{near[0]}?" if near else ""
            raise AttributeError(f"there is no exercise {name!r}{meant} There are: {', '.join(sorted(EXERCISES))}")
        return partial(verdict, EXERCISES[name])

    def __dir__(self) -> list[str]:
        return sorted(EXERCISES)


check = Checks()


def verdict(exercise: Exercise, function: Any) -> Verdict:
    """Say that the function is right, or the first visible case that it gets wrong, and why that usually happens.

    Never raises for a wrong answer: an unsolved exercise must not stop the notebook.
    """
    if not callable(function):
        return Verdict(
            f"Not yet: give the function itself, not its result: check.{exercise.name}({exercise.function})."
        )
    shortcut = _shortcut(exercise, function)
    if shortcut:
        return Verdict(f"Not yet: {exercise.function} uses {shortcut}, which does the exercise in one call.")
    for number, (arguments, hint) in enumerate(exercise.calls):
        call = f"{getattr(function, '__name__', exercise.function)}({', '.join(shown(a) for a in arguments)})"
        problem = _first_problem(exercise, function, arguments)
        if number and problem == NOTHING:  # no stub comes as far as this
            problem = "Not yet: CALL returned nothing, None. HINT"
        if problem:
            return Verdict(problem.replace("CALL", call).replace("HINT", hint))
    return Verdict(f"Right: {exercise.function} passes {len(exercise.calls)} cases.")


def _shortcut(exercise: Exercise, function: Callable) -> str | None:
    """Which forbidden function an answer names; not one of that name that students wrote themselves."""
    names = set(_named(getattr(function, "__code__", None)))
    for path in exercise.forbidden:
        name = path.rsplit(".", 1)[1]
        meant = getattr(function, "__globals__", {}).get(name)
        if name in names and (getattr(meant, "__module__", None) or "torch").startswith("torch"):
            return path
    return None


def _named(code: Any) -> Iterator[str]:
    """Global names and attributes in a function's code, and in what is defined inside of it."""
    if isinstance(code, CodeType):
        yield from code.co_names
        for constant in code.co_consts:
            yield from _named(constant)


def _first_problem(exercise: Exercise, function: Callable, arguments: tuple) -> str | None:
    given = fresh(arguments)
    try:
        got = function(*given)
    except NotImplementedError:
        return "Not solved yet: replace the line that raises NotImplementedError."
    except Exception as error:
        return f"Not yet: CALL raised {type(error).__name__}: {str(error).rstrip('.')}. HINT"
    expected = exercise.expected(*fresh(arguments))
    if got is ... or (got is None and expected is not None):
        return NOTHING
    found = exercise.problem(fresh(arguments), got, expected)
    if found:
        if exercise.problem is not differs:
            return f"Not yet: CALL gave {shown(got)}: {found}. HINT"
        cause = "" if found == VALUES else f" That is: {found}."
        return f"Not yet: CALL should be {shown(expected)}, got {shown(got)}.{cause} HINT"
    if changed(arguments, given):
        return f"Not yet: {exercise.function} {CHANGED}"
    return None


def fresh(arguments: tuple) -> tuple:
    """A copy of arguments, so that no answer can spoil the next case; generators start again from their seed."""
    copies = []
    for value in arguments:
        if isinstance(value, torch.Generator):
            value = torch.Generator().manual_seed(value.initial_seed())
        value = deepcopy(value) if isinstance(value, list | dict) else value
        copies.append(value.clone() if isinstance(value, Tensor) else value)
    return tuple(copies)


def changed(arguments: tuple, given: tuple) -> bool:
    """Whether a call left any tensor, list or dictionary of its arguments other than it was."""
    return not all(map(_same, arguments, given))


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, Tensor):
        return isinstance(now, Tensor) and was.shape == now.shape and torch.equal(was, now)
    if type(was) is not type(now):
        return False
    if isinstance(was, dict):
        return list(was) == list(now) and all(map(_same, was.values(), now.values()))
    if isinstance(was, list | tuple):
        return len(was) == len(now) and all(map(_same, was, now))
    return was is now or was == now or isinstance(was, torch.Generator)


def shown(value: Any) -> str:
    """A value as a student would write it, rounded to four decimals."""
    if isinstance(value, Tensor):
        value = value.detach()
        if value.ndim == 1 and len(value) > LONG:
            return f"tensor([{', '.join(map(str, value[:8].tolist()))}, ...])"
        return f"tensor({(value.double().round(decimals=4) if value.is_floating_point() else value).tolist()})"
    if isinstance(value, torch.Generator):
        return "generator"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
