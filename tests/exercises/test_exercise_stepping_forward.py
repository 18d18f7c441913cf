import math

import pytest
import torch
import torch.nn.functional as F

from lecture_lib.exercises.stepping_forward import _loss, check_between, check_level, check_mask_loss
from lecture_lib.masks import mask_loss

CHECKS = [check_between, check_level, check_mask_loss]


@pytest.mark.parametrize("judge", CHECKS)
@pytest.mark.parametrize("answer", [..., None])
def test_an_unsolved_stub_is_told_so(judge, answer):
    assert judge(lambda *arguments: answer).startswith("Not solved yet")


@pytest.mark.parametrize("judge", CHECKS)
def test_an_error_is_told(judge):
    def broken(*arguments):
        raise KeyError("oops")

    assert "raised KeyError" in judge(broken)


def between(values, x, y, swapped=False, far=False, rounded=False, greatest=False, only_x=False):
    """The bilinear value with one classic mistake at a time."""
    if swapped:
        x, y = y, x
    i, j = (round(x), round(y)) if rounded else (int(x), int(y))
    a, b = (0, 0) if rounded else (x - i, y - j)
    if far:
        a, b = 1 - a, 1 - b
    cells = values[j : j + 2, i : i + 2]
    if greatest:
        return cells.max()
    if only_x:
        b = 0
    weights = torch.tensor([[(1 - b) * (1 - a), (1 - b) * a], [b * (1 - a), b * a]])
    return (weights[: cells.shape[0], : cells.shape[1]] * cells).sum()


def test_right_values_between_cells_pass():
    assert check_between(between) == "Right: between passes 9 cases."
    assert check_between(lambda values, x, y: float(between(values, x, y))).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ("swapped", "values[row, column]"),
        ("far", "On a cell all of the weight is that cell's"),
        ("rounded", "Along x"),
        ("greatest", "On a cell"),
        ("only_x", "Along y"),
    ],
)
def test_wrong_values_between_cells_get_the_hint_that_helps(mistake, hint):
    verdict = check_between(lambda *a: between(*a, **{mistake: True}))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def level(width, height, side, levels, nearest=False, longer=False, unbounded=False, from_one=False, empty=True):
    """Equation 1 with one classic mistake at a time."""
    if empty and width * height == 0:
        return 0
    root = max(width, height) if longer else math.sqrt(width * height)
    k = (0 if from_one else 1) + math.log2(root / side)
    k = round(k) if nearest else math.floor(k)
    return k if unbounded else min(max(k, 0), levels - 1)


def test_right_levels_pass():
    assert check_level(level) == "Right: level passes 9 cases."


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"nearest": True}, "Round down"),
        ({"longer": True}, "square root of the area"),
        ({"unbounded": True}, "only levels 0 to levels - 1"),
        ({"from_one": True}, "side x side pixels is on level 1"),
        ({"empty": False}, "math domain error"),
    ],
)
def test_wrong_levels_get_the_hint_that_helps(mistake, hint):
    verdict = check_level(lambda *a: level(*a, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def loss(logits, labels, goals, column=1, softmax=False, every=False, total=False, mean=False, sure=False):
    """The mask loss with one classic mistake at a time."""
    sums = []
    for z, label, goal in zip(logits, labels.tolist(), goals, strict=True):
        if softmax:
            cost = F.binary_cross_entropy(z.softmax(0)[label - 1], goal, reduction="none")
        elif every:
            cost = F.binary_cross_entropy_with_logits(z, goal.expand_as(z), reduction="none")
        elif sure:
            cost = -torch.sigmoid(z[label - 1]).log()
        else:
            cost = F.binary_cross_entropy_with_logits(z[(label - column) % len(z)], goal, reduction="none")
        sums.append(cost.sum() if total else cost.mean())
    if not sums:
        return torch.zeros(())
    return torch.stack(sums).mean() if mean else torch.stack(sums).sum()


def test_right_mask_losses_pass():
    assert check_mask_loss(loss) == "Right: loss passes 8 cases."
    assert check_mask_loss(lambda *a: float(loss(*a))).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"sure": True}, "-log(1 - sigmoid(z))"),
        ({"softmax": True}, "-log(1 - sigmoid(z))"),
        ({"every": True}, "No softmax over the classes"),
        ({"column": 0}, "No softmax over the classes"),
        ({"total": True}, "Each pixel costs"),
        ({"mean": True}, "the sum over regions"),
    ],
)
def test_wrong_mask_losses_get_a_hint(mistake, hint):
    verdict = check_mask_loss(lambda *a: loss(*a, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_what_is_expected_is_the_librarys_loss():
    logits = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    labels, goals = torch.tensor([1, 3, 2, 2]), (logits[:, 0] > 0.3).float()
    torch.testing.assert_close(_loss(logits, labels, goals), mask_loss(logits, labels, goals))
