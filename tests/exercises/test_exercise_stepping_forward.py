import json

import pytest
import torch
import torch.nn.functional as F

from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.masks import mask_loss
from tests.exercises.verdicts import rejected


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
    assert check.bilinear(between) == "Right: between passes 13 cases."
    assert rejected(check.bilinear(lambda *a: between(*a, **{mistake: True})), hint)


def test_a_right_value_that_pytorch_computes_in_one_call_gives_no_points(sandbox):
    from grading.judge import grade_exercise
    from grading.notebook import read

    code = """import torch
def between(values, x, y):
    height, width = values.shape
    at = [2 * p / max(n - 1, 1) - 1 for p, n in ((x, width), (y, height))]
    point = torch.tensor(at, dtype=values.dtype)[None, None, None]
    return NAME(values[None, None], point, align_corners=True)[0, 0, 0, 0]"""
    for name in ("torch.nn.functional.grid_sample", "getattr(torch.nn.functional, 'grid_' + 'sample')"):
        raw = json.dumps({"cells": [{"cell_type": "code", "source": code.replace("NAME", name)}]}).encode()
        result = grade_exercise(read(raw), EXERCISES["bilinear"], sandbox, [1])
        assert result.earned == 0
        assert result.status == ("wrong" if "getattr" in name else "refused")


def level(boxes, side, levels, nearest=False, longer=False, last=None, above=1, empty=True):
    """Equation 1 with one classic mistake at a time."""
    size = boxes[:, 2:] - boxes[:, :2]
    root = size.amax(dim=1) if longer else size.prod(dim=1).sqrt()
    k = above + (root / side).log2()
    k = (k.round() if nearest else k.floor()).clamp(max=levels - 1 if last is None else last)
    return (k.clamp(min=0) if empty else k).long()


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"nearest": True}, "Round down"),
        ({"longer": True}, "square root of the area"),
        ({"last": 9}, "only levels 0 to levels - 1"),
        ({"above": 0}, "side x side pixels is on level 1"),
        ({"above": 2}, "side x side pixels is on level 1"),
        ({"empty": False}, "only levels 0 to levels - 1"),
    ],
)
def test_wrong_levels_get_the_hint_that_helps(mistake, hint):
    assert check.pyramid_level(level) == "Right: levels_of passes 9 cases."
    assert rejected(check.pyramid_level(lambda *a: level(*a, **mistake)), hint)


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
def test_wrong_mask_losses_get_the_hint_that_helps(mistake, hint):
    assert check.mask_loss(loss) == "Right: loss_of_masks passes 9 cases."
    assert rejected(check.mask_loss(lambda *a: loss(*a, **mistake)), hint)


def test_a_label_taken_for_an_index_is_explained():
    def unmoved(logits, labels, goals):
        own = logits[torch.arange(len(labels)), labels]
        return F.binary_cross_entropy_with_logits(own, goals)

    assert rejected(check.mask_loss(unmoved), "class 1 is the first")


def test_an_infinite_loss_is_explained():
    def naive(logits, labels, goals):
        p = logits[torch.arange(len(labels)), labels - 1].sigmoid()
        return -torch.where(goals > 0, p, 1 - p).log().mean(dim=(1, 2)).sum()

    assert rejected(check.mask_loss(naive), "logsigmoid(-200)")


def test_what_is_expected_is_the_librarys_loss():
    logits = torch.randn(4, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    labels, goals = torch.tensor([1, 3, 2, 2]), (logits[:, 0] > 0.3).float()
    expected = EXERCISES["mask_loss"].expected(logits, labels, goals)
    torch.testing.assert_close(expected, mask_loss(logits, labels, goals))
