"""Hidden cases tell right answers from wrong ones, of the kinds that students write, whatever the seed."""

import importlib

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import mutants
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES

SEEDS = range(20)
CASES = [(exercise, name) for exercise in EXERCISES.values() for name in mutants.names(exercise.name)]


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda exercise: exercise.name)
def test_every_exercise_has_enough_of_both(exercise):
    found = mutants.names(exercise.name)
    assert sum(name.startswith("right_") for name in found) >= 3
    assert sum(name.startswith("wrong_") for name in found) >= 5


@pytest.mark.parametrize(("exercise", "name"), CASES, ids=[f"{exercise.name}-{name}" for exercise, name in CASES])
def test_is_judged_rightly_with_every_seed(exercise, name, sandbox):
    assert mutants.passes(exercise, name, sandbox, SEEDS) == [name.startswith("right_")] * len(SEEDS)


@pytest.mark.parametrize(("exercise", "name"), CASES, ids=[f"{exercise.name}-{name}" for exercise, name in CASES])
def test_the_visible_check_says_so_too(exercise, name):
    """No student who reads "Right" is to lose the points for one of the known mistakes."""
    function = getattr(importlib.import_module(f"grading.mutants.{exercise.name}"), name)
    verdict = getattr(check, exercise.name)(function)
    assert verdict.startswith("Right" if name.startswith("right_") else "Not yet"), verdict
