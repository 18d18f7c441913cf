"""Checks of the third notebook's exercises: IoU of two sets of boxes, the four deltas, non-maximum suppression."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder, iou, nms
from lecture_lib.exercises.check import Case, check_unspoilt


def check_iou(overlap: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Judge `overlap(a, b)`: the IoU of every box in a [A, 4] with every box in b [B, 4], as [A, B]."""
    union = "A box covers itself wholly. The union counts the shared part once: area a + area b - intersection."
    plus_one = "A box is (x1, y1, x2, y2) and half-open: its width is x2 - x1, without + 1."
    apart = "Boxes that do not touch share nothing. Two negative sides multiply to a positive area: clamp them at 0."
    every = "Every box of a meets every box of b: the result has a row for each a and a column for each b (a[:, None])."
    one = [[0.0, 0, 4, 4]]
    calls = (
        (one, one, union),
        ([[0.0, 0, 2, 2]], [[1.0, 1, 2, 2]], plus_one),
        (one, [[6.0, 7, 9, 9]], apart),
        (one, [[2.0, 0, 6, 4]], union),
        ([[0.0, 0, 8, 2], [1, 1, 3, 9]], [[0.0, 0, 4, 2], [2, 2, 4, 12], [0, 0, 1, 1]], every),
        ([], one, "No box gives a result of shape [0, B]; do not loop over what is not there, or start from zeros."),
    )
    return check_unspoilt(overlap, [Case(_boxes(a, b), iou(*_boxes(a, b)), hint) for a, b, hint in calls])


def check_deltas(encode: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Judge `encode(proposals, ground_truth)`: the deltas (t_x, t_y, t_w, t_h) of each row, as [R, 4]."""
    center = "Both boxes have one centre: t_x = t_y = 0 (compare centres, not corners), and twice the size is log 2."
    by_size = "Divide the way by the size of the proposal P, not of the ground truth G: only P is known at test time."
    own = "t_x is divided by the width and t_y by the height; do not swap x and y."
    row = "Row r of the result belongs to row r of both inputs."
    calls = (
        ([[10.0, 10, 30, 50]], [[10.0, 10, 30, 50]], "A proposal that fits needs no move: four zeros."),
        ([[0.0, 0, 10, 10]], [[5.0, 0, 15, 10]], "Moved to the right by half its width: t_x = 0.5, the others 0."),
        ([[0.0, 0, 10, 40]], [[5.0, 10, 15, 50]], own),
        ([[0.0, 0, 10, 10]], [[-5.0, -5, 15, 15]], center),
        ([[0.0, 0, 10, 10]], [[0.0, 0, 20, 10]], by_size),
        ([[0.0, 0, 20, 40]], [[10.0, 5, 15, 95]], by_size),
        ([[0.0, 0, 20, 40], [3, 4, 9, 16]], [[10.0, 5, 15, 95], [2, 6, 14, 12]], row),
        ([], [], "No box gives no delta: a tensor of shape [0, 4]."),
    )
    cases = [Case(_boxes(p, g), BoxCoder().encode(*_boxes(p, g)), hint) for p, g, hint in calls]
    return check_unspoilt(encode, cases)


def check_nms(keep: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Judge `keep(boxes, scores, threshold)`: the rows that greedy suppression keeps, best score first."""
    best = "The box with the best score comes first and is always kept: sort by score, do not go by row."
    rows = "Return rows of the original tensor, not places in the sorted one."
    chain = (
        "A box is rejected only by boxes that are kept. One that was rejected itself rejects nobody: "
        "of three in a row the last can stay."
    )
    above = "Reject where the IoU is above the threshold; equal to it stays."
    tie = "Of equal scores the first row wins: sort with stable=True."
    low = "A box far away from all others stays, however low its score."
    two = [[0.0, 0, 10, 10], [1, 0, 11, 10]]
    row = [[0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]]
    calls = (
        ([[0.0, 0, 10, 10]], [0.9], 0.5, "A single box is kept."),
        (two, [0.2, 0.9], 0.5, best),
        ([*two, [50, 50, 60, 60]], [0.5, 0.9, 0.1], 0.5, low),
        ([[50.0, 50, 60, 60], *two], [0.3, 0.2, 0.9], 0.5, rows),
        (row, [0.9, 0.8, 0.7], 0.3, chain),
        ([[0.0, 0, 10, 10], [0, 0, 10, 5]], [0.9, 0.8], 0.5, above),
        (two, [0.7, 0.7], 0.5, tie),
        ([], [], 0.5, "No box gives no row: an empty tensor of whole numbers."),
    )
    cases = []
    for boxes, scores, threshold, hint in calls:
        arguments = (_boxes(boxes)[0], torch.tensor(scores), threshold)
        cases.append(Case(arguments, nms(*arguments), hint))
    return check_unspoilt(keep, cases)


def _boxes(*sets: list[list]) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) for boxes in sets)
