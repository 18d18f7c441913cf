import pytest
import torch

from lecture_lib.boxes import iou
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.matching import RPN, label_proposals
from lecture_lib.proposals.rpn import ProposalRule, ScoredAnchors, choose_proposals
from lecture_lib.structures import Proposals, Target
from tests.exercises.verdicts import rejected


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
    assert rejected(check.anchor_count(wrong), hint)


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
    assert check.anchors(anchors) == "Right: make_anchors passes 8 cases."
    assert rejected(check.anchors(lambda *a: anchors(*a, **mistake)), hint)


def labels(overlap, best=True, ties=True, zero=True, every=False, ignored=-1):
    """Objectness labels with one classic mistake at a time."""
    if 0 in overlap.shape:
        return torch.zeros(len(overlap)).long()
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


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"best": False}, "Each object's best anchor is positive"),
        ({"ties": False}, "argmax finds only one"),
        ({"zero": False}, "an IoU of 0 makes nothing positive"),
        ({"ignored": 1}, "an anchor is ignored (-1)"),
        ({"every": True}, "not at each"),
    ],
)
def test_wrong_labels_get_the_hint_that_helps(mistake, hint):
    assert check.objectness(labels) == "Right: labels_of passes 11 cases."
    assert rejected(check.objectness(lambda overlap: labels(overlap, **mistake)), hint)


def test_the_expected_labels_are_the_librarys(generator):
    corners = 30 * torch.rand(400, 2, generator=generator)
    boxes = torch.cat([corners, corners + 4 + 16 * torch.rand(400, 2, generator=generator)], 1)
    for objects in (boxes[:1], boxes[:5] + 1.5, torch.tensor([[500.0, 500, 510, 510]])):
        size = len(objects)
        target = Target(objects, torch.ones(size).long(), torch.zeros(size).bool(), None, (600, 600))
        expected = label_proposals(Proposals(boxes, None, (600, 600)), target, RPN).labels
        assert torch.equal(EXERCISES["objectness"].expected(iou(boxes, objects)), expected)


def move(anchors, deltas, image_size, pixels=False, exp=True, corner=False, swapped=False, turned=False):
    """Moved anchors with one classic mistake at a time."""
    size = anchors[:, 2:] - anchors[:, :2]
    step = deltas[:, :2] * (1 if pixels else size.flip(1) if swapped else size)
    sides = size * (deltas[:, 2:].exp() if exp else 1 + deltas[:, 2:])
    low = anchors[:, :2] + step + (0 if corner else (size - sides) / 2)
    height, width = image_size[::-1] if turned else image_size
    boxes = torch.cat([low, low + sides], dim=1)
    return torch.stack([boxes[:, i].clamp(0, (width, height)[i % 2]) for i in range(4)], dim=1)


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"pixels": True}, "a share of the anchor's width"),
        ({"swapped": True}, "ty × height"),
        ({"exp": False}, "width × exp(tw)"),
        ({"corner": True}, "the centre stays"),
        ({"turned": True}, "size is (height, width)"),
    ],
)
def test_wrong_moves_get_the_hint_that_helps(mistake, hint):
    assert check.move(move) == "Right: move_anchors passes 11 cases."
    assert rejected(check.move(lambda *a: move(*a, **mistake)), hint)


def proposed(anchors, deltas, scores, image_size, smallest, count, first=False, threshold=0.7, late=False, clip=True):
    """Proposals with one classic mistake at a time."""
    boxes = move(anchors, deltas, image_size if clip else (10_000, 10_000))
    order = scores.sort(descending=True, stable=True).indices[: count if first else len(scores)]
    large = ((boxes[:, 2:] - boxes[:, :2]) >= smallest).all(1)
    kept = []
    for row in order[large[order] | late].tolist():
        if not (iou(boxes[row : row + 1], boxes[kept]) > threshold).any():
            kept.append(row)
    return boxes[[row for row in kept if large[row]][:count]]


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"first": True}, "`count` is the last step"),
        ({"threshold": 0.5}, "is above 0.7, and only there"),
        ({"late": True}, "it must not reject others"),
        ({"clip": False}, "Clip to the image"),
    ],
)
def test_wrong_proposals_get_the_hint_that_helps(mistake, hint):
    assert check.proposals(proposed) == "Right: best_proposals passes 13 cases."
    assert rejected(check.proposals(lambda *a: proposed(*a, **mistake)), hint)


def test_the_expected_proposals_are_the_librarys(generator):
    corners, size = 200 * torch.rand(300, 2, generator=generator), (180, 220)
    boxes = torch.cat([corners, corners + 10 + 40 * torch.rand(300, 2, generator=generator)], 1)
    deltas, logits = (torch.randn(300, n, generator=generator) / 4 for n in (4, 1))
    scored = ScoredAnchors(Proposals(boxes, None, size), logits[:, 0], deltas)
    expected = choose_proposals([scored], ProposalRule(count=40)).boxes
    found = EXERCISES["proposals"].expected(boxes, deltas, logits[:, 0], size, 1e-3, 40)
    torch.testing.assert_close(found, expected)
