"""Checks of the sixth notebook's exercises: counting anchors, making them, labelling them, moving one."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.exercises.cases import Case, check
from lecture_lib.matching import RPN
from lecture_lib.proposals import Anchors


def check_counted(function: Callable[[int, int, int, int, int, int], tuple[int, int]]) -> str:
    """Judge `function(rows, columns, k, x, y, a)`: how many anchors a map has, and the row of anchor a of cell (x, y).

    The cells go row by row, and the k anchors of a cell lie together.
    """
    total = "Every cell has k anchors: rows × columns × k of them."
    along = "One cell to the right is k anchors further on."
    down = "One cell down is a whole row of cells further on: columns × k anchors, not rows × k."
    calls = (
        (1, 1, 9, 0, 0, 0, total),
        (3, 4, 9, 0, 0, 0, total),
        (3, 4, 9, 0, 0, 5, "The k anchors of a cell lie together: anchor a is a rows after anchor 0."),
        (3, 4, 9, 2, 0, 0, along),
        (3, 4, 9, 0, 1, 0, down),
        (3, 4, 6, 3, 2, 5, "The last anchor of all has row total - 1."),
        (38, 60, 9, 59, 0, 8, along),
    )
    cases = []
    for rows, columns, k, x, y, a, hint in calls:
        cases.append(Case((rows, columns, k, x, y, a), (rows * columns * k, (y * columns + x) * k + a), hint))
    return check(function, cases)


def check_anchors(function: Callable[[float, float, list, list], Tensor]) -> str:
    """Judge `function(x, y, sides, ratios)`: the anchors about a point, [k, 4], for each ratio all sides."""
    square = "With ratio 1 an anchor is a square of that side, and (x, y) is its centre: half of it lies on each side."
    area = "The area stays side²: height = side × √ratio, width = side / √ratio."
    ratio = "The ratio is height / width: with ratio 2 the box is tall, with 0.5 it is wide."
    order = "For each ratio come all sides: (ratio 1, side 1), (ratio 1, side 2), ..., then the second ratio."
    calls = (
        (0.0, 0.0, [16], [1.0], square),
        (100.0, 60.0, [32], [1.0], square),
        (50.0, 50.0, [10, 20], [1.0], order),
        (0.0, 0.0, [10], [4.0], f"{ratio} {area}"),
        (0.0, 0.0, [10], [0.25], f"{ratio} {area}"),
        (80.0, 40.0, [64, 96, 144], [0.5, 1.0, 2.0], order),
    )
    cases = []
    for x, y, sides, ratios, hint in calls:
        boxes = Anchors(tuple(sides), tuple(ratios)).about_origin() + torch.tensor([x, y, x, y])
        cases.append(Case((x, y, sides, ratios), boxes, hint))
    return check(function, cases)


def check_labels(function: Callable[[Tensor], Tensor]) -> str:
    """Judge `function(overlap)`: from the IoU [n, G] of n anchors with G objects 1, 0 or -1 for each anchor."""
    high = "An IoU of at least 0.7 with some object is positive (1)."
    low = "Below 0.3 with every object is negative (0): look at the largest IoU of the anchor, not at each."
    between = "Between 0.3 and 0.7 an anchor is ignored (-1), unless it is some object's best."
    best = "Each object's best anchor is positive however low its IoU is: even below 0.3."
    ties = "Anchors that tie for an object's best are all positive: compare with the maximum, argmax finds only one."
    zero = "An object that no anchor touches has no best anchor: an IoU of 0 makes nothing positive."
    none = "Without objects everything is negative; a maximum over no columns does not exist."
    calls = (
        ([[0.8], [0.1]], high),
        ([[0.7], [0.9], [0.0]], high),
        ([[0.8, 0.1], [0.1, 0.75], [0.2, 0.2]], low),
        ([[0.9], [0.5], [0.3], [0.2]], between),
        ([[0.5], [0.4], [0.1]], best),
        ([[0.9, 0.0], [0.0, 0.2], [0.1, 0.1]], best),
        ([[0.6], [0.6], [0.2]], ties),
        ([[0.8, 0.0], [0.1, 0.0]], zero),
    )
    given = [(torch.tensor(overlap, dtype=torch.double), hint) for overlap, hint in calls]
    cases = [Case((overlap,), _labels(overlap), hint) for overlap, hint in given]
    return check(function, [*cases, Case((torch.zeros(3, 0),), torch.zeros(3).long(), none)])


def _labels(overlap: Tensor) -> Tensor:
    """The library's labels of anchors that have these IoUs: 1 is its only class."""
    positive, negative = overlap >= RPN.foreground, overlap.amax(1) < RPN.background[1]
    best = (overlap == overlap.amax(0)) & (overlap > 0)
    labels = torch.full((len(overlap),), -1)
    labels[negative] = 0
    labels[(positive | best).any(1)] = 1
    return labels


def check_moved(function: Callable[[Any, Any], Any]) -> str:
    """Judge `function(anchor, deltas)`: the corners of an anchor (x1, y1, x2, y2) moved by (tx, ty, tw, th)."""
    still = "Deltas of 0 leave the anchor as it is: exp(0) = 1."
    shift = "tx is a share of the anchor's width, ty of its height: the centre moves by tx × width and ty × height."
    scale = "The new width is width × exp(tw), the new height is height × exp(th); the centre stays."
    corners = "Turn the new centre and size back into corners: half of the size to each side."
    calls = (
        ([0.0, 0.0, 10.0, 20.0], [0.0, 0.0, 0.0, 0.0], still),
        ([10.0, 20.0, 50.0, 60.0], [0.5, 0.0, 0.0, 0.0], shift),
        ([10.0, 20.0, 50.0, 100.0], [0.0, -0.25, 0.0, 0.0], shift),
        ([0.0, 0.0, 40.0, 20.0], [0.0, 0.0, math.log(2.0), 0.0], scale),
        ([0.0, 0.0, 40.0, 20.0], [0.0, 0.0, 0.0, -0.5], scale),
        ([-30.0, 10.0, 60.0, 55.0], [0.1, 0.2, -0.3, 0.4], corners),
    )
    cases = []
    for anchor, deltas, hint in calls:
        moved = BoxCoder().decode(torch.tensor([anchor]), torch.tensor([deltas]))[0]
        cases.append(Case((torch.tensor(anchor), torch.tensor(deltas)), moved, hint))
    return check(function, cases)
