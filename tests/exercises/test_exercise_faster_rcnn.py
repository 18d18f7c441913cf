import pytest
import torch

from lecture_lib.boxes import iou
from lecture_lib.exercises.faster_rcnn import _labels, check_anchors, check_counted, check_labels, check_moved
from lecture_lib.matching import RPN, label_proposals
from lecture_lib.structures import Proposals, Target

CHECKS = [check_counted, check_anchors, check_labels, check_moved]


def unsolved(*arguments):
    return ...


def nothing(*arguments):
    return None


@pytest.mark.parametrize("judge", CHECKS)
@pytest.mark.parametrize("stub", [unsolved, nothing])
def test_an_unsolved_stub_is_told_so(judge, stub):
    assert judge(stub).startswith("Not solved yet")


@pytest.mark.parametrize("judge", CHECKS)
def test_an_error_is_told(judge):
    def broken(*arguments):
        raise KeyError("oops")

    assert "raised KeyError" in judge(broken)


def rejected(verdict: str, hint: str) -> bool:
    return verdict.startswith("Not yet") and hint in verdict


def test_right_counts_pass():
    def count(rows, columns, k, x, y, a):
        return rows * columns * k, (y * columns + x) * k + a

    assert check_counted(count) == "Right: count passes 7 cases."
    assert check_counted(lambda *n: torch.tensor(count(*n))).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda r, c, k, x, y, a: (r * c, (y * c + x) * k + a), "rows × columns × k"),
        (lambda r, c, k, x, y, a: (r * c * k, (x * r + y) * k + a), "One cell to the right"),
        (lambda r, c, k, x, y, a: (r * c * k, (y * r + x) * k + a), "not rows × k"),
        (lambda r, c, k, x, y, a: (r * c * k, a * r * c + y * c + x), "lie together"),
        (lambda r, c, k, x, y, a: (r * c * k, (y * c + x) * k), "lie together"),
    ],
)
def test_wrong_counts_get_the_hint_that_helps(wrong, hint):
    assert rejected(check_counted(wrong), hint)


def anchors(x, y, sides, ratios, corner=False, turned=False, root=True, by_side=False):
    """Anchors about a point with one classic mistake at a time."""
    boxes = []
    for ratio, side in (
        ((r, s) for r in ratios for s in sides) if not by_side else ((r, s) for s in sides for r in ratios)
    ):
        factor = ratio**0.5 if root else ratio
        height, width = (side / factor, side * factor) if turned else (side * factor, side / factor)
        left, top = (x, y) if corner else (x - width / 2, y - height / 2)
        boxes.append([left, top, left + width, top + height])
    return torch.tensor(boxes)


def test_right_anchors_pass():
    assert check_anchors(anchors) == "Right: anchors passes 6 cases."
    assert check_anchors(lambda *a: anchors(*a).tolist()).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"corner": True}, "(x, y) is its centre"),
        ({"turned": True}, "The ratio is height / width"),
        ({"root": False}, "height = side × √ratio"),
        ({"by_side": True}, "For each ratio come all sides"),
    ],
)
def test_wrong_anchors_get_the_hint_that_helps(mistake, hint):
    assert rejected(check_anchors(lambda *a: anchors(*a, **mistake)), hint)


def labels(overlap, best=True, ties=True, zero=True, every=False, ignored=-1, empty=True):
    """Objectness labels with one classic mistake at a time."""
    if not overlap.shape[1] and empty:
        return torch.zeros(len(overlap))
    high = overlap.amax(1)
    found = torch.full((len(overlap),), ignored)
    found[(overlap < 0.3).any(1) if every else high < 0.3] = 0
    found[high >= 0.7] = 1
    if best:
        top = (overlap == overlap.amax(0)) & ((overlap > 0) | (not zero))
        if not ties:
            top = torch.zeros_like(top)
            for column in range(overlap.shape[1]):
                top[overlap[:, column].argmax(), column] = overlap[:, column].max() > 0
        found[top.any(1)] = 1
    return found


def test_right_labels_pass():
    assert check_labels(labels) == "Right: labels passes 9 cases."
    assert check_labels(lambda overlap: labels(overlap).float()).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"best": False}, "Each object's best anchor is positive"),
        ({"ties": False}, "argmax finds only one"),
        ({"zero": False}, "an IoU of 0 makes nothing positive"),
        ({"ignored": 0}, "an anchor is ignored (-1)"),
    ],
)
def test_wrong_labels_get_the_hint_that_helps(mistake, hint):
    assert rejected(check_labels(lambda overlap: labels(overlap, **mistake)), hint)


def test_negative_by_one_object_is_found():
    def any_low(overlap):
        if not overlap.shape[1]:
            return torch.zeros(len(overlap))
        found = torch.full((len(overlap),), -1)
        found[(overlap >= 0.7).any(1)] = 1
        found[(overlap < 0.3).any(1)] = 0
        return found

    assert rejected(check_labels(any_low), "not at each")


def test_no_object_must_not_crash():
    assert "raised" in check_labels(lambda overlap: labels(overlap, empty=False))


def test_the_expected_labels_are_the_librarys(generator):
    corners = 30 * torch.rand(400, 2, generator=generator)
    boxes = torch.cat([corners, corners + 4 + 16 * torch.rand(400, 2, generator=generator)], 1)
    for objects in (boxes[:1], boxes[:5] + 1.5, torch.tensor([[500.0, 500, 510, 510]])):
        size = len(objects)
        target = Target(objects, torch.ones(size).long(), torch.zeros(size).bool(), None, (600, 600))
        expected = label_proposals(Proposals(boxes, None, (600, 600)), target, RPN).labels
        assert torch.equal(_labels(iou(boxes, objects)), expected)


def move(anchor, deltas, pixels=False, exp=True, corner=False, swapped=False):
    """A moved anchor with one classic mistake at a time."""
    x1, y1, x2, y2 = (float(v) for v in anchor)
    tx, ty, tw, th = (float(v) for v in deltas)
    width, height = x2 - x1, y2 - y1
    step = (tx, ty) if pixels else (tx * height, ty * width) if swapped else (tx * width, ty * height)
    size = [side * (torch.tensor(t).exp().item() if exp else 1 + t) for side, t in ((width, tw), (height, th))]
    if corner:
        return [x1 + step[0], y1 + step[1], x1 + step[0] + size[0], y1 + step[1] + size[1]]
    center = [(x1 + x2) / 2 + step[0], (y1 + y2) / 2 + step[1]]
    low = [c - s / 2 for c, s in zip(center, size, strict=True)]
    return [*low, low[0] + size[0], low[1] + size[1]]


def test_right_moves_pass():
    assert check_moved(move) == "Right: move passes 6 cases."
    assert check_moved(lambda *a: torch.tensor(move(*a))).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"pixels": True}, "a share of the anchor's width"),
        ({"swapped": True}, "ty × height"),
        ({"exp": False}, "width × exp(tw)"),
        ({"corner": True}, "the centre stays"),
    ],
)
def test_wrong_moves_get_the_hint_that_helps(mistake, hint):
    assert rejected(check_moved(lambda *a: move(*a, **mistake)), hint)
