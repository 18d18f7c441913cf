"""The third notebook's exercises: overlap, labels, deltas, ridge regression, suppression, mini-batches, precision."""

import math
from typing import Any

import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder, iou, nms
from lecture_lib.evaluation import evaluate
from lecture_lib.exercises.record import Exercise, box_rows
from lecture_lib.structures import Detections, Target

NOTEBOOK = "03_rcnn"


def _iou_calls() -> tuple:
    union = "A box covers itself wholly. The union counts the shared part once: area a + area b - intersection."
    plus_one = "A box is (x1, y1, x2, y2) and half-open: its width is x2 - x1, without + 1."
    apart = "Boxes that do not touch share nothing. Two negative sides multiply to a positive area: clamp them at 0."
    every = "Every box of a meets every box of b: the result has a row for each a and a column for each b (a[:, None])."
    none = "No box gives a result of shape [0, B]; do not loop over what is not there, or start from zeros."
    flat = "Two boxes without area have no union: their IoU is 0, not 0 / 0."
    one, two = box_rows([0.0, 0, 4, 4]), box_rows([0.0, 0, 8, 2], [1, 1, 3, 9])
    return (
        ((one, one), union),
        ((box_rows([0.0, 0, 2, 2]), box_rows([1.0, 1, 2, 2])), plus_one),
        ((one, box_rows([6.0, 7, 9, 9])), apart),
        ((one, box_rows([2.0, 0, 6, 4])), union),
        ((two, box_rows([0.0, 0, 4, 2], [2, 2, 4, 12], [0, 0, 1, 1])), every),
        ((box_rows(), one), none),
        ((box_rows([0.5, 0, 2, 1.5]), box_rows([0.0, 0.5, 1.5, 2])), "Coordinates may be fractions of a pixel."),
        ((box_rows([3.0, 3, 3, 5]), box_rows([3.0, 3, 3, 5])), flat),
    )


def _labels_calls() -> tuple:
    band = "Between the two thresholds a proposal is neither: -1."
    edge = "At the upper threshold exactly it is an object; at the lower one exactly it is ignored, not background."
    best = "Of several objects only the one with the largest IoU counts."
    own = "The label is the class of the best object, not its row."
    tie = "Of two objects with the same IoU the first one wins."
    none = "Without any object every proposal is background; a maximum over no columns does not exist."
    classes = torch.tensor([3, 5])
    return (
        ((torch.tensor([[0.9], [0.1]]), torch.tensor([2]), 0.5, 0.25), own),
        ((torch.tensor([[0.4], [0.6], [0.0]]), torch.tensor([1]), 0.5, 0.25), band),
        ((torch.tensor([[0.5], [0.25]]), torch.tensor([1]), 0.5, 0.25), edge),
        ((torch.tensor([[0.6, 0.8], [0.1, 0.4]]), classes, 0.5, 0.25), best),
        ((torch.tensor([[0.75, 0.75]]), classes, 0.5, 0.25), tie),
        ((torch.zeros(2, 0), torch.zeros(0, dtype=torch.long), 0.5, 0.25), none),
    )


def _labels(overlap: Tensor, classes: Tensor, foreground: float, background: float) -> Tensor:
    """Class, 0 or -1 for each row of overlap [R, G]: the definition, row by row."""
    labels = []
    for row in overlap.tolist():
        best = max(row, default=0.0)
        label = int(classes[row.index(best)]) if row and best >= foreground else 0 if best < background else -1
        labels.append(label)
    return torch.tensor(labels, dtype=torch.long)


def _encode_calls() -> tuple:
    center = "Both boxes have one centre: t_x = t_y = 0 (compare centres, not corners), and twice the size is log 2."
    by_size = "Divide the way by the size of the proposal P, not of the ground truth G: only P is known at test time."
    own = "t_x is divided by the width and t_y by the height; do not swap x and y."
    row, still = (
        "Row r of the result belongs to row r of both inputs.",
        "A proposal that fits needs no move: four zeros.",
    )
    half = "Moved to the right by half its width: t_x = 0.5, the others 0."
    square = box_rows([0.0, 0, 10, 10])
    pair = box_rows([0.0, 0, 20, 40], [3, 4, 9, 16]), box_rows([10.0, 5, 15, 95], [2, 6, 14, 12])
    return (
        ((box_rows([10.0, 10, 30, 50]), box_rows([10.0, 10, 30, 50])), still),
        ((square, box_rows([5.0, 0, 15, 10])), half),
        ((box_rows([0.0, 0, 10, 40]), box_rows([5.0, 10, 15, 50])), own),
        ((square, box_rows([-5.0, -5, 15, 15])), center),
        ((square, box_rows([0.0, 0, 20, 10])), by_size),
        ((pair[0][:1], pair[1][:1]), by_size),
        (pair, row),
        ((box_rows(), box_rows()), "No box gives no delta: a tensor of shape [0, 4]."),
    )


def _decode_calls() -> tuple:
    still = "Deltas of 0 leave the proposal as it is: exp(0) = 1."
    shift = "t_x is a share of the proposal's width, t_y of its height; the centre moves, and both corners with it."
    scale = "The new width is width × exp(t_w); the centre stays, so half of the growth goes to each side."
    old = "The centre moves by a share of the proposal's width and height, not of the new ones."
    corners = "Turn the new centre and size back into corners: centre - size / 2 and centre + size / 2."
    log2 = math.log(2.0)
    pair = box_rows([-30.0, 10, 60, 55], [4, 4, 9, 24])
    return (
        ((box_rows([0.0, 0, 10, 20]), box_rows([0.0, 0, 0, 0])), still),
        ((box_rows([10.0, 20, 50, 60]), box_rows([0.5, 0, 0, 0])), shift),
        ((box_rows([10.0, 20, 50, 100]), box_rows([0.0, -0.25, 0, 0])), shift),
        ((box_rows([0.0, 0, 40, 20]), box_rows([0.0, 0, log2, 0])), scale),
        ((box_rows([0.0, 0, 40, 20]), box_rows([0.0, 0, 0, -0.5])), scale),
        ((box_rows([0.0, 0, 40, 20]), box_rows([0.5, 0, log2, 0])), old),
        ((pair, box_rows([0.1, 0.2, -0.3, 0.4], [-1, 2, 0.5, -0.5])), corners),
        ((box_rows(), box_rows()), "No box gives no box: a tensor of shape [0, 4]."),
    )


def _ridge_calls() -> tuple:
    added = "λ is added to XᵀX before the inverse is taken: it makes weights smaller, and a singular matrix invertible."
    diagonal = "λ stands on the diagonal only: add ridge * torch.eye(P), not ridge."
    columns = "XᵀX is [P, P] and Xᵀt [P, T]: one column of weights for each target, all from one matrix."
    plain = "Nothing is centred or added here: a feature of ones is a feature like any other."
    few = "With fewer examples than features XᵀX alone has no inverse; with λ on its diagonal it has."
    none = "Without examples both sums are zero: all weights are 0."
    x = torch.tensor([[1.0, 2, 0], [0, 1, 1], [2, 0, 1], [1, 1, 1]])
    t = torch.tensor([[1.0, 0], [2, 1], [0, 4], [3, 1]])
    return (
        ((torch.tensor([[2.0], [-2.0]]), torch.tensor([[4.0], [-4.0]]), 8.0), added),
        ((torch.tensor([[1.0, 0], [-1, 0], [0, 2], [0, -2]]), torch.tensor([[4.0], [-4], [10], [-10]]), 2.0), diagonal),
        ((torch.ones(4, 1), torch.tensor([[1.0], [2], [3], [4]]), 1.0), plain),
        ((x, t, 2.0), columns),
        ((x[:, :2], t[:, [0, 1, 0]], 0.5), columns),
        ((x[:2].double(), t[:2].double(), 1.0), few),
        ((x[:0], t[:0], 1.0), none),
    )


def _ridge(features: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Weights [P, T] that minimise |features w - targets|^2 + ridge |w|^2 (R-CNN, equation 5)."""
    x, t = features.double(), targets.double()
    return torch.linalg.solve(x.T @ x + ridge * torch.eye(x.shape[1], dtype=x.dtype), x.T @ t)


def _nms_calls() -> tuple:
    best = "The box with the best score comes first and is always kept: sort by score, do not go by row."
    rows = "Return rows of the original tensor, not places in the sorted one."
    chain = (
        "A box is rejected only by boxes that are kept. One that was rejected itself rejects nobody: "
        "of three in a row the last can stay."
    )
    above = "Reject where the IoU is above the threshold; equal to it stays."
    tie = "Of equal scores the first row wins: sort with stable=True."
    low = "A box far away from all others stays, however low its score."
    two, far = ([0.0, 0, 10, 10], [1.0, 0, 11, 10]), [50.0, 50, 60, 60]
    row = box_rows([0.0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10])
    return (
        ((box_rows([0.0, 0, 10, 10]), torch.tensor([0.9]), 0.5), "A single box is kept."),
        ((box_rows(*two), torch.tensor([0.2, 0.9]), 0.5), best),
        ((box_rows(*two, far), torch.tensor([0.5, 0.9, 0.0]), 0.5), low),
        ((box_rows(far, *two), torch.tensor([0.3, 0.2, 0.9]), 0.5), rows),
        ((row, torch.tensor([0.9, 0.8, 0.7]), 0.3), chain),
        ((box_rows([0.0, 0, 10, 10], [0, 0, 10, 5]), torch.tensor([0.9, 0.8]), 0.5), above),
        ((box_rows(*two), torch.tensor([0.7, 0.7]), 0.5), tie),
        ((box_rows(), torch.zeros(0), 0.5), "No box gives no row: an empty tensor of whole numbers."),
    )


def _sample_calls() -> tuple:
    share = "At most `objects` rows are of a class, the others background (0): 32 and 96 in R-CNN."
    ignored = "Rows with the label -1 are never drawn."
    made_up = "Where there are fewer objects, background takes their places: the mini-batch stays full."
    few = "Missing background is not made up: fewer rows come back, none of them twice."
    labels = torch.tensor([0, 1, 0, 0, 2, 0, -1, 1, 0, 3, 0, -1, 0, 0, 0, 4])
    lists = (
        (labels, 8, 2, share),
        (labels, 8, 0, "No object is asked for: all rows are background."),
        (labels.where(labels < 1, -1), 8, 2, f"{ignored} {made_up}"),
        (torch.tensor([0, 0, 3, -1, 0, 0, 0, 0]), 6, 3, made_up),
        (torch.tensor([0, -1, 3, -1, 2]), 8, 2, f"{few} {ignored}"),
        (torch.zeros(0, dtype=torch.long), 8, 2, "No proposal gives an empty mini-batch."),
        (torch.arange(400) % 2, 32, 8, "Draw: torch.randperm(n, generator=generator) shuffles the candidates."),
    )
    return tuple(((*call, torch.Generator().manual_seed(n)), hint) for n, (*call, hint) in enumerate(lists))


def _counts(labels: Tensor, size: int, objects: int, generator: torch.Generator) -> tuple[int, int]:
    """How many objects and how many background rows a mini-batch has."""
    drawn = min(int((labels > 0).sum()), objects)
    return drawn, min(int((labels == 0).sum()), size - drawn)


def _sample_problem(arguments: tuple, got: Any, expected: tuple[int, int]) -> str | None:
    labels = arguments[0]
    try:
        rows = torch.as_tensor(got)
    except (TypeError, ValueError, RuntimeError):
        return "no list of rows"
    if rows.ndim != 1 or (rows.numel() and (rows.is_floating_point() or rows.dtype == torch.bool)):
        return "no list of rows: a tensor [n] of whole numbers is needed"
    rows = rows.long()
    if rows.numel() and not (rows.min() >= 0 and rows.max() < len(labels)):
        return "rows that do not exist"
    if len(rows.unique()) < len(rows):
        return "a row that is drawn twice"
    drawn = labels[rows]
    if (drawn < 0).any():
        return "an ignored row"
    if (int((drawn > 0).sum()), int((drawn == 0).sum())) != expected:
        return "another number of objects and background rows"
    return _not_random(labels, rows, drawn)


def _not_random(labels: Tensor, rows: Tensor, drawn: Tensor) -> str | None:
    """Whether the rows are the first or last of many: a random draw practically never is."""
    for candidates, chosen in (((labels > 0), rows[drawn > 0]), ((labels == 0), rows[drawn == 0])):
        among, n = candidates.nonzero().flatten(), len(chosen)
        if n > 0 and len(among) - n >= 20 and n >= 8:
            chosen = chosen.sort().values
            if torch.equal(chosen, among[:n]) or torch.equal(chosen, among[-n:]):
                return "no random draw, always the same rows"
    return None


def _precision_calls() -> tuple:
    order = "Best score first: sort the detections before counting."
    missed = "Recall divides by all objects, also by those that nobody found."
    raised = "Each precision is raised to the best at the same or a higher recall, before the area is taken."
    tie = "Of equal scores the earlier row comes first: sort with stable=True."
    calls = (
        ([0.9], [True], 1, "One object, found by the only detection: 1."),
        ([0.9], [True], 2, missed),
        ([0.2, 0.9], [False, True], 1, order),
        ([0.9, 0.8, 0.7], [False, True, True], 2, raised),
        ([0.9, 0.8, 0.7, 0.6], [True, False, False, True], 3, raised),
        ([0.5, 0.5], [True, False], 1, tie),
        ([], [], 3, "No detection finds nothing: 0."),
    )
    return tuple(((torch.tensor(s), torch.tensor(c, dtype=torch.bool), n), hint) for s, c, n, hint in calls)


def _average_precision(scores: Tensor, correct: Tensor, objects: int) -> float:
    """The library's, of one image where every correct detection lies on an object of its own."""
    places = 20.0 * torch.arange(objects + 1)
    squares = torch.stack([places, torch.zeros_like(places), places + 10, torch.full_like(places, 10.0)], dim=1)
    rows = torch.where(correct, correct.long().cumsum(0) - 1, objects)  # the last square is no object
    size, d = (10, 20 * objects + 20), len(scores)
    ones = torch.ones(max(d, objects), dtype=torch.long)
    found = Detections(squares[rows], ones[:d], scores, torch.arange(d), None, size)
    target = Target(squares[:objects], ones[:objects], torch.zeros(objects, dtype=torch.bool), None, size)
    return evaluate([found], [target]).ap[1]


EXERCISES = (
    Exercise("iou", NOTEBOOK, "overlap_of", 3, _iou_calls(), iou),
    Exercise("label", NOTEBOOK, "labels_of", 2, _labels_calls(), _labels),
    Exercise("encode", NOTEBOOK, "deltas_of", 2, _encode_calls(), BoxCoder().encode),
    Exercise("decode", NOTEBOOK, "boxes_of", 2, _decode_calls(), BoxCoder().decode),
    Exercise("ridge", NOTEBOOK, "ridge_weights", 2, _ridge_calls(), _ridge),
    Exercise("nms", NOTEBOOK, "rows_kept", 3, _nms_calls(), nms, needs=("iou",)),
    Exercise("sample", NOTEBOOK, "mini_batch", 2, _sample_calls(), _counts, _sample_problem),
    Exercise("average_precision", NOTEBOOK, "precision_of", 3, _precision_calls(), _average_precision),
)
