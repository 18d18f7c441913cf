"""The sixth notebook's exercises: anchors counted, made, labelled and moved, and the proposals that they become."""

import math

import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder, clip, nms
from lecture_lib.exercises.record import Exercise, box_rows
from lecture_lib.matching import RPN
from lecture_lib.proposals import Anchors, ProposalRule

NOTEBOOK = "06_faster_rcnn"


def _count_calls() -> tuple:
    total = "Every cell has k anchors: rows × columns × k of them."
    together = "The k anchors of a cell lie together: the row of anchor a is that of anchor 0, plus a."
    along = "One cell to the right is k anchors further on."
    down = "One cell down is a whole row of cells further on: columns × k anchors, not rows × k."
    return (
        ((1, 1, 9, 0, 0, 0), total),
        ((3, 4, 9, 0, 0, 0), total),
        ((3, 4, 9, 0, 0, 5), together),
        ((3, 4, 9, 2, 0, 0), along),
        ((3, 4, 9, 0, 1, 0), down),
        ((3, 4, 6, 3, 2, 5), "The last anchor of all has row total - 1."),
        ((38, 60, 9, 59, 0, 8), along),
    )


def _counted(rows: int, columns: int, k: int, x: int, y: int, a: int) -> tuple[int, int]:
    return rows * columns * k, (y * columns + x) * k + a


def _anchors_calls() -> tuple:
    square = "With ratio 1 an anchor is a square of that side, and (x, y) is its centre: half of it lies on each side."
    area = "The area stays side²: height = side × √ratio, width = side / √ratio."
    ratio = "The ratio is height / width: with ratio 2 the box is tall, with 0.5 it is wide."
    order = "For each ratio come all sides: (ratio 1, side 1), (ratio 1, side 2), ..., then the second ratio."
    given = "Sides and ratios keep the order in which they are given."
    return (
        ((0.0, 0.0, [16], [1.0]), square),
        ((100.0, 60.0, [32], [1.0]), square),
        ((50.0, 50.0, [10, 20], [1.0]), order),
        ((0.0, 0.0, [10], [4.0]), f"{ratio} {area}"),
        ((0.0, 0.0, [10], [0.25]), f"{ratio} {area}"),
        ((80.0, 40.0, [64, 96, 144], [0.5, 1.0, 2.0]), order),
        ((8.0, 24.0, [32, 16], [4.0, 1.0]), given),
        ((7.5, 3.25, [15], [2.0]), "Corners may be fractions of a pixel: do not round."),
    )


def _anchors(x: float, y: float, sides: list, ratios: list) -> Tensor:
    return Anchors(tuple(sides), tuple(ratios)).about_origin() + torch.tensor([x, y, x, y])


def _labels_calls() -> tuple:
    high = "An IoU of at least 0.7 with some object is positive (1)."
    low = "Below 0.3 with every object is negative (0): look at the largest IoU of the anchor, not at each."
    between = "Between 0.3 and 0.7 an anchor is ignored (-1), unless it is some object's best."
    best = "Each object's best anchor is positive however low its IoU is: even below 0.3."
    ties = "Anchors that tie for an object's best are all positive: compare with the maximum, argmax finds only one."
    zero = "An object that no anchor touches has no best anchor: an IoU of 0 makes nothing positive."
    none = "Without objects everything is negative; a maximum over no columns does not exist."
    lists = (
        ([[0.8], [0.1]], high),
        ([[0.7], [0.9], [0.0]], high),
        ([[0.8, 0.1], [0.1, 0.75], [0.2, 0.2]], low),
        ([[0.9], [0.5], [0.3], [0.2]], between),
        ([[0.9, 0.2], [0.5, 0.1]], low),
        ([[0.5], [0.4], [0.1]], best),
        ([[0.9, 0.0], [0.0, 0.2], [0.1, 0.1]], best),
        ([[0.6], [0.6], [0.2]], ties),
        ([[0.8, 0.0], [0.1, 0.0]], zero),
    )
    # In double, so that 0.7 is the 0.7 of Python, which students compare with.
    calls = tuple(((torch.tensor(overlap, dtype=torch.double),), hint) for overlap, hint in lists)
    last = ((torch.zeros(0, 2, dtype=torch.double),), "No anchor gives no label: an empty tensor of whole numbers.")
    return (*calls, ((torch.zeros(3, 0, dtype=torch.double),), none), last)


def _labels(overlap: Tensor) -> Tensor:
    """The library's labels of anchors that have these IoUs [n, G]: 1 is its only class."""
    if 0 in overlap.shape:
        return torch.zeros(len(overlap), dtype=torch.long)
    positive, negative = overlap >= RPN.foreground, overlap.amax(1) < RPN.background[1]
    best = (overlap == overlap.amax(0)) & (overlap > 0)
    labels = torch.full((len(overlap),), -1)
    labels[negative] = 0
    labels[(positive | best).any(1)] = 1
    return labels


def _moved_calls() -> tuple:
    still = "Deltas of 0 leave an anchor inside of the image as it is: exp(0) = 1."
    shift = "tx is a share of the anchor's width, ty of its height: the centre moves by tx × width and ty × height."
    scale = "The new width is width × exp(tw), the new height is height × exp(th); the centre stays."
    corners = "Turn the new centre and size back into corners: half of the size to each side."
    over = "What lies beyond the image is cut off: x to 0 ... width, y to 0 ... height."
    size = "The image's size is (height, width): x ends at the second, y at the first of the two."
    after = "First move, then clip: a part that was cut off before would be missing from the size."
    gone = "A box that lies outside altogether becomes one without area at the border: clip both x and both y alike."
    large, log2 = (200, 300), math.log(2.0)
    pair = box_rows([100.0, 10, 160, 55], [4, 4, 9, 24]), box_rows([0.1, 0.2, -0.3, 0.4], [0.5, 0.25, -0.5, 0.5])
    return (
        ((box_rows([0.0, 0, 10, 20]), box_rows([0.0, 0, 0, 0]), large), still),
        ((box_rows([10.0, 20, 50, 60]), box_rows([0.5, 0, 0, 0]), large), shift),
        ((box_rows([10.0, 20, 50, 100]), box_rows([0.0, 0.25, 0, 0]), large), shift),
        ((box_rows([60.0, 20, 100, 40]), box_rows([0.0, 0, log2, 0]), large), scale),
        ((box_rows([0.0, 20, 40, 40]), box_rows([0.0, 0, 0, -0.5]), large), scale),
        ((*pair, large), corners),
        ((box_rows([-20.0, -10, 30, 30]), box_rows([0.0, 0, 0, 0]), large), over),
        ((box_rows([180.0, 100, 340, 260]), box_rows([0.0, 0, 0, 0]), large), f"{over} {size}"),
        ((box_rows([-20.0, 10, 20, 50]), box_rows([0.5, 0, 0, 0]), large), after),
        ((box_rows([280.0, 50, 320, 90]), box_rows([1.0, 0, 0, 0]), large), gone),
        ((box_rows(), box_rows(), large), "No anchor gives no box: a tensor of shape [0, 4]."),
    )


def _moved(anchors: Tensor, deltas: Tensor, image_size: tuple[int, int]) -> Tensor:
    return clip(BoxCoder().decode(anchors, deltas), image_size)


def _proposals_calls() -> tuple:
    still = "An anchor with deltas of 0 inside of the image is a proposal as it is: a row of its four corners."
    moved = "First the deltas: suppression looks at the boxes that they mean, not at the anchors."
    clipped = (
        "Clip to the image, whose size is (height, width), before anything else: what lies outside counts for nothing."
    )
    small = "A clipped box with a side, either one, below `smallest` is out; exactly `smallest` stays."
    early = "What is too small is out before the suppression: it must not reject others."
    order = "The best score comes first. Scores are logits: they may be negative."
    kept = "Only a box that is kept itself rejects others: one that was rejected does not."
    limit = "Reject where the IoU with a better box that is kept is above 0.7, and only there."
    last = "`count` is the last step: so many of those that the suppression has left, not of those before it."
    tie = "Of equal scores the first row wins: sort with stable=True."
    none = "Where nothing remains the result has shape [0, 4]."
    size, one, far = (100, 120), [0.0, 0, 20, 20], [60.0, 60, 80, 80]
    lists = (
        ([[10.0, 10, 40, 30]], {}, [0.5], 8.0, 5, still),
        ([one, [40.0, 0, 60, 20]], {1: [-2.0, 0, 0, 0]}, [0.9, 0.8], 8.0, 5, moved),
        ([[100.0, 80, 140, 120]], {}, [0.5], 8.0, 5, clipped),
        ([[-40.0, 0, 20, 20], one], {}, [0.9, 0.8], 8.0, 5, clipped),
        ([[-30.0, 0, 4, 40], [50.0, 0, 58, 40], far], {}, [0.9, 0.8, 0.7], 8.0, 5, small),
        ([[0.0, 0, 40, 7.5], [0, 0, 40, 8]], {}, [0.9, 0.8], 8.0, 5, early),
        ([one, far, [0.0, 60, 20, 80]], {}, [-3.0, -1.0, 2.0], 8.0, 5, order),
        ([one, [0.0, 0, 20, 16], far, [60, 60, 80, 73]], {}, [0.9, 0.8, 0.7, 0.6], 8.0, 5, limit),
        ([one, [0.0, 2, 20, 22], [0, 4, 20, 24]], {}, [0.9, 0.8, 0.7], 8.0, 5, kept),
        ([one, [0.0, 0, 20, 18], far, [0, 60, 20, 80]], {}, [0.9, 0.8, 0.7, 0.6], 8.0, 2, last),
        ([far, one, [0.0, 60, 20, 80]], {}, [0.5, 0.5, 0.5], 8.0, 2, tie),
        ([[0.0, 0, 4, 4]], {}, [0.5], 8.0, 5, none),
        ([], {}, [], 8.0, 5, none),
    )
    calls = []
    for anchors, moves, scores, smallest, count, hint in lists:
        deltas = box_rows(*(moves.get(row, [0.0, 0, 0, 0]) for row in range(len(anchors))))
        calls.append(((box_rows(*anchors), deltas, torch.tensor(scores), size, smallest, count), hint))
    return tuple(calls)


def _proposals(
    anchors: Tensor, deltas: Tensor, scores: Tensor, image_size: tuple[int, int], smallest: float, count: int
) -> Tensor:
    boxes = _moved(anchors, deltas, image_size)
    large = (boxes[:, 2:] - boxes[:, :2] >= smallest).all(dim=1)
    boxes, scores = boxes[large], scores[large]
    return boxes[nms(boxes, scores, ProposalRule().nms_threshold)[:count]]


EXERCISES = (
    Exercise("anchor_count", NOTEBOOK, "count_anchors", 2, _count_calls(), _counted),
    Exercise("anchors", NOTEBOOK, "make_anchors", 2, _anchors_calls(), _anchors),
    Exercise("objectness", NOTEBOOK, "labels_of", 3, _labels_calls(), _labels),
    Exercise("move", NOTEBOOK, "move_anchors", 2, _moved_calls(), _moved),
    Exercise("proposals", NOTEBOOK, "best_proposals", 3, _proposals_calls(), _proposals, needs=("move", "iou", "nms")),
)
