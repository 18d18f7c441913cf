"""Average precision as PASCAL VOC defines it (Everingham et al., IJCV 2010, section 4.2)."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lecture_lib.boxes import iou
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

    Raises ValueError for lists of different length, sizes that differ, a label above K, a score that is not a number.
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
    objects = _count_objects(targets)
    if not detections:
        return {}
    judged = [_judge(*pair, iou_threshold) for pair in zip(detections, targets, strict=True)]
    labels, scores, correct = (torch.cat(column) for column in zip(*judged, strict=True))
    order = scores.sort(descending=True, stable=True).indices
    labels, scores, correct = labels[order], scores[order], correct[order]
    return {label: _curve(scores[labels == label], correct[labels == label], n) for label, n in objects.items()}


def _count_objects(targets: Sequence[Target]) -> dict[int, int]:
    counts = defaultdict(int)
    for target in targets:
        for label in target.labels[~target.difficult].tolist():
            counts[label] += 1
    return dict(sorted(counts.items()))


def _judge(
    detections: Detections, target: Target, iou_threshold: float
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Labels, scores and correctness of the detections of one image that count, best score first."""
    scores, order = detections.scores.cpu().double().sort(descending=True, stable=True)
    labels, difficult = detections.labels.cpu()[order], target.difficult.cpu()
    if not len(target) or not len(labels):
        return labels, scores, torch.zeros(len(labels), dtype=torch.bool)
    # In double, so that an IoU of exactly 0.5 is 0.5; on the CPU first, because Apple's GPU has no double.
    overlap = iou(detections.boxes.cpu().double(), target.boxes.cpu().double())[order]  # [D, G]
    overlap[labels[:, None] != target.labels.cpu()] = -1  # an object of another class is no candidate
    chosen = overlap.argmax(dim=1)  # of equal overlaps the first object
    rank = torch.arange(len(labels))
    hit = overlap[rank, chosen] >= iou_threshold
    # The best-ranked detection of each object is the only one that is correct.
    first = torch.full((len(target),), len(labels)).scatter_reduce(0, chosen[hit], rank[hit], "amin")
    correct = hit & (first[chosen] == rank)
    counts = ~(hit & difficult[chosen])
    return labels[counts], scores[counts], correct[counts]


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
