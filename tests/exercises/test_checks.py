"""What students read: which case goes wrong first, and what that usually means."""

import time
from dataclasses import replace

import pytest
import torch

from lecture_lib import boxes
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.checks import shown, verdict
from lecture_lib.exercises.differences import (
    DEVICE,
    FLOATS,
    KIND,
    NAN,
    ORDER,
    ROUNDED,
    SHAPE,
    SWAPPED,
    TRANSPOSED,
    VALUES,
    difference,
)
from lecture_lib.exercises.record import Exercise
from lecture_lib.matching import IoURule, label_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.ridge import ridge_regression

NAMES = sorted(EXERCISES)
FOUR = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_told_so(name):
    def stub(*arguments):
        raise NotImplementedError

    for unsolved in (lambda *a: ..., lambda *a: None, stub):
        assert getattr(check, name)(unsolved).startswith("Not solved yet")


@pytest.mark.parametrize("name", NAMES)
def test_what_raises_or_is_no_function_is_told_and_not_raised(name):
    assert "raised ZeroDivisionError" in getattr(check, name)(lambda *a: 1 / 0)
    assert "raised TypeError" in getattr(check, name)(lambda: 1)
    assert "the function itself" in getattr(check, name)(3)


def test_an_unknown_name_is_a_clear_error():
    with pytest.raises(AttributeError, match=r"no exercise 'iuo'.*did you mean check.iou"):
        _ = check.iuo
    assert dir(check) == NAMES


def test_a_verdict_is_shown_as_text():
    assert check.iou(boxes.iou)._repr_markdown_() == "Right: overlap_of passes 8 cases."


def test_what_does_the_exercise_in_one_call_is_told_but_no_own_function_of_that_name(monkeypatch):
    def shortcut(a, b):
        return torch.cat([torch.cdist(row[None], b) for row in a])

    def own(a, b):
        return cdist(a, b)

    monkeypatch.setitem(EXERCISES, "iou", replace(EXERCISES["iou"], forbidden=("torch.cdist",)))
    assert check.iou(shortcut) == "Not yet: overlap_of uses torch.cdist, which does the exercise in one call."
    for meant in (torch.cdist, torch.relu):  # the second knows no module
        monkeypatch.setitem(own.__globals__, "cdist", meant)
        assert "in one call" in check.iou(own)
    monkeypatch.setitem(own.__globals__, "cdist", lambda a, b: boxes.iou(a, b))
    assert check.iou(own).startswith("Right")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((), "()"),
        ((3,), "(3,)"),
        ([(0, 4), (4, 7)], "[(0, 4), (4, 7)]"),
        ((torch.tensor([0.12345]), 2.0), "(tensor([0.1235]), 2)"),
        (torch.arange(99), "tensor([0, 1, 2, 3, 4, 5, 6, 7, ...])"),
    ],
)
def test_values_are_shown_as_they_are_written(value, text):
    assert shown(value) == text


def test_case_expected_got_hint_and_likely_cause_are_told():
    verdict = check.iou(lambda a, b: boxes.iou(b, a))
    assert "should be tensor([[0.5, 0.0, 0.0625]" in verdict
    assert "got tensor([[0.5, 0.0909]" in verdict
    assert TRANSPOSED in verdict
    assert "a row for each a" in verdict


def test_a_changed_list_or_dictionary_is_told_and_spoils_no_other_case():
    given = ({"pool": 1.0, "sides": [2.0, 3.0]}, [5.0])
    judged = Exercise("total", "00", "total", 1, ((given, ""), (given, "")), lambda slots, more: sum(slots["sides"]))

    def right(slots, more):
        return sum(slots["sides"])

    def nested(slots, more):
        return slots["sides"].pop() + slots["sides"][0]

    def listed(slots, more):
        more[0] = 6.0
        return 5.0

    assert verdict(judged, right) == "Right: total passes 2 cases."
    for wrong in (nested, listed):
        assert "changes its input" in verdict(judged, wrong)
    assert given == ({"pool": 1.0, "sides": [2.0, 3.0]}, [5.0])


def test_none_is_an_answer_where_it_is_the_right_one():
    calls = (((3,), "Odd."), ((4,), "Even."), ((5,), "Odd again."))
    judged = Exercise("half", "00", "half", 1, calls, lambda n: None if n == 4 else "odd")
    assert verdict(judged, lambda n: None if n == 4 else "odd").startswith("Right")
    assert verdict(judged, lambda n: None).startswith("Not solved yet")
    assert "should be None, got 'odd'" in verdict(judged, lambda n: "odd")
    assert verdict(judged, lambda n: None if n > 3 else "odd").endswith("returned nothing, None. Odd again.")


def test_every_check_takes_less_than_a_second():
    start = time.process_time()
    check.nms(boxes.nms)
    check.iou(boxes.iou)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("got", "expected", "found"),
    [
        (torch.zeros(0, 4), torch.zeros(0, 4), None),
        (FOUR.double(), FOUR, None),
        (FOUR.tolist(), FOUR, None),
        (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2]), None),
        ([], torch.zeros(0, dtype=torch.long), None),
        (1, 1.0, None),
        ((FOUR, [1, 2]), (FOUR, torch.tensor([1, 2])), None),
        (FOUR[:, [1, 0, 3, 2]], FOUR, SWAPPED),
        (FOUR.T, FOUR, TRANSPOSED),
        (FOUR[:1], FOUR, SHAPE),
        (FOUR * float("nan"), FOUR, NAN),
        (torch.tensor([0, 1]), torch.tensor([0.5, 1.0]), ROUNDED),
        (torch.tensor([1.0, 2.0]), torch.tensor([1, 2]), FLOATS),
        (torch.tensor([2, 1]), torch.tensor([1, 2]), ORDER),
        (FOUR + 1e-3, FOUR, VALUES),
        (torch.zeros(2, 4, device="meta"), FOUR, DEVICE),
        ("four", FOUR, KIND),
        (None, FOUR, KIND),
        (FOUR, (FOUR, FOUR, FOUR), KIND),
        ({"head"}, {"head"}, None),
        ({"trunk"}, {"head"}, VALUES),
        (("head", 1.0), ("tail", 1.0), VALUES),
        (None, None, None),
        ("head", None, KIND),
    ],
)
def test_differences_are_named(got, expected, found):
    assert difference(got, expected) == found


def test_labels_of_the_exercise_are_the_library_s(generator):
    corners = torch.rand(40, 2, generator=generator) * 20
    proposals = torch.cat([corners, corners + 5 + torch.rand(40, 2, generator=generator) * 10], dim=1)
    classes = torch.tensor([2, 7, 4])
    target = Target(proposals[:3] + 1, classes, torch.zeros(3, dtype=torch.bool), None, (60, 60))
    found = label_proposals(Proposals(proposals, None, (60, 60)), target, IoURule(0.5, (0.0, 0.3))).labels
    assert set(found.tolist()) > {-1, 0}
    expected = EXERCISES["label"].expected(boxes.iou(proposals, target.boxes), classes, 0.5, 0.3)
    assert torch.equal(found, expected)


def test_ridge_weights_of_the_exercise_are_the_library_s_on_centred_examples(generator):
    features, targets = (torch.rand(30, n, generator=generator, dtype=torch.double) for n in (5, 4))
    features, targets = features - features.mean(0), targets - targets.mean(0)
    weights, _ = ridge_regression(features, targets, 3.0)
    assert torch.allclose(EXERCISES["ridge"].expected(features, targets, 3.0), weights.T)
