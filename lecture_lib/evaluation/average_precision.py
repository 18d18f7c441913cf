"""Average precision as PASCAL VOC defines it (Everingham et al., IJCV 2010, section 4.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lecture_lib.boxes import paired_iou
from lecture_lib.evaluation.checks import check_detections
from lecture_lib.structures import Detections, Target

Method = Literal["all-point", "11-point"]


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class after each of its detections, best score first.

    Detections on difficult objects are left out. `objects` counts the ground truth, the difficult left out.
    """

    recall: Float[Tensor, " d"]
    precision: Float[Tensor, " d"]
    scores: Float[Tensor, " d"]
    objects: int


@dataclass(frozen=True)
class Evaluation:
    """Average precision `ap` and precision-recall curve `curves` for each label that has objects to find."""

    ap: dict[int, float]
    curves: dict[int, Curve]

    @property
    def map(self) -> float:
        """Mean of the classes' average precision; not a number (NaN) where there is no object to find."""
        return sum(self.ap.values()) / len(self.ap) if self.ap else math.nan


def evaluate(
    detections: Sequence[Detections],
    targets: Sequence[Target],
    iou_threshold: float = 0.5,
    method: Method = "all-point",
    num_classes: int | None = None,
) -> Evaluation:
    """Average precision of the detections of a whole set of images, one record an image.

    Within an image and a class, detections are taken in the order of their scores. Each goes with the object that it
    overlaps most: a true positive if their IoU is at least the threshold and the object is not taken yet, else a
    false positive; a second detection of an object is a false positive too. Difficult objects need not be found, and
    detections that go with one do not count. Of equal scores the earlier image, then the earlier row comes first.

    method: "all-point", the area under the curve (VOC 2010 and later), or "11-point" (VOC 2007, the papers' tables).
    num_classes: K, to have labels above it refused.

    The devkit adds 1 to widths and heights because its boxes name the last pixel inside; ours are half-open: the same
    pixels, the same IoU.

    Raises `ValueError` for lists of different length, sizes that differ, a label above K, a score that is not a number.
    """
    check_detections(detections, targets, num_classes)
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold is {iou_threshold}: give a number above 0, at most 1; VOC's is 0.5")
    if method not in ("all-point", "11-point"):
        raise ValueError(f"method is {method!r}: 'all-point' (VOC 2010 and later) or '11-point' (VOC 2007)")
    area = _area_under if method == "all-point" else _eleven_points
    curves = _curves(detections, targets, iou_threshold)
    return Evaluation({label: area(curve) for label, curve in curves.items()}, curves)


def _curves(detections: Sequence[Detections], targets: Sequence[Target], iou_threshold: float) -> dict[int, Curve]:
    if not detections:
        return {}
    found, truth = (
        _Table.of(detections, [d.scores for d in detections]),
        _Table.of(targets, [t.difficult for t in targets]),
    )
    labels, scores, correct = _judge(found, truth, iou_threshold)
    objects = truth.labels[truth.values == 0].unique(return_counts=True)
    by_label = zip(*(column.tolist() for column in objects), strict=True)
    return {label: _curve(scores[labels == label], correct[labels == label], n) for label, n in by_label}


@dataclass(frozen=True)
class _Table:
    """The rows of all images below each other: box, label, a value (score, or 1 if difficult), number of the image.

    In double, so that an IoU of exactly 0.5 is 0.5; on the CPU first, because Apple's GPU has no double.
    """

    boxes: Float[Tensor, "r 4"]
    labels: Int[Tensor, " r"]
    values: Float[Tensor, " r"]
    image: Int[Tensor, " r"]

    @classmethod
    def of(cls, records: Sequence[Detections] | Sequence[Target], values: Sequence[Tensor]) -> "_Table":
        image = torch.arange(len(records)).repeat_interleave(torch.tensor([len(record) for record in records]))
        boxes, labels = (torch.cat([getattr(r, name).cpu() for r in records]) for name in ("boxes", "labels"))
        return cls(boxes.double(), labels.long(), torch.cat([v.cpu() for v in values]).double(), image)


def _judge(
    found: _Table, truth: _Table, iou_threshold: float
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Labels, scores and correctness of the detections that count, best score first."""
    scores, order = found.values.sort(descending=True, stable=True)
    row, candidate = _pairs(found, truth)
    overlap = paired_iou(found.boxes[row], truth.boxes[candidate])
    best = torch.full_like(scores, -1).scatter_reduce(0, row, overlap, "amax")
    nearest = overlap == best[row]
    none = len(truth.labels)
    chosen = torch.full_like(order, none).scatter_reduce(0, row[nearest], candidate[nearest], "amin")
    # From here on best score first; of equal overlaps the first object was chosen.
    chosen = torch.where(best >= iou_threshold, chosen, none)[order]
    # The best-ranked detection of each object is the only one that is correct.
    rank = torch.arange(len(order))
    first = torch.full((none + 1,), len(order)).scatter_reduce(0, chosen, rank, "amin")
    correct = (chosen < none) & (first[chosen] == rank)
    counts = torch.cat([truth.values == 0, torch.ones(1, dtype=torch.bool)])[chosen]
    return found.labels[order][counts], scores[counts], correct[counts]


def _pairs(found: _Table, truth: _Table) -> tuple[Int[Tensor, " p"], Int[Tensor, " p"]]:
    """Every detection's row with the row of each object of its class in its image."""
    most = max(int(table.labels.max()) if len(table.labels) else 0 for table in (found, truth)) + 1
    wanted, order = (truth.image * most + truth.labels).sort(stable=True)
    key = found.image * most + found.labels
    start = torch.searchsorted(wanted, key)
    count = torch.searchsorted(wanted, key, right=True) - start
    row = torch.arange(len(key)).repeat_interleave(count)
    which = torch.arange(len(row)) - (count.cumsum(0) - count)[row]  # 0, 1, ... within a detection
    return row, order[start[row] + which]


def _curve(scores: Float[Tensor, " d"], correct: Bool[Tensor, " d"], objects: int) -> Curve:
    found = correct.double().cumsum(0)
    return Curve(found / objects, found / torch.arange(1, len(scores) + 1), scores, objects)


def _area_under(curve: Curve) -> float:
    """Area under the curve, each precision raised to the best at the same or a higher recall (devkit 2010)."""
    best = curve.precision.flip(0).cummax(0).values.flip(0)
    steps = curve.recall.diff(prepend=torch.zeros(1))
    return float((steps * best).sum())


def _eleven_points(curve: Curve) -> float:
    """Mean over the recalls 0, 0.1, ..., 1 of the best precision from that recall on (IJCV 2010, eq. 1 and 2)."""
    at_least = [curve.precision[curve.recall >= tenth / 10] for tenth in range(11)]
    return sum(float(precision.max()) if len(precision) else 0.0 for precision in at_least) / 11
