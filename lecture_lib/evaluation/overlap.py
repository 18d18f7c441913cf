"""How well proposals cover the objects: recall and best overlap, against the number of boxes or the IoU asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.evaluation.checks import check_pairs
from lecture_lib.structures import Proposals, Target

COUNTS = (10, 30, 100, 300, 1000, 2000)


@dataclass(frozen=True)
class BestOverlap:
    """Mean best overlap at each of n numbers of boxes: per class (ABO), over the classes (MABO), over all objects.

    `mean_over_classes` is the papers' MABO; `mean_over_objects` weights each class by the number of its objects.
    """

    counts: tuple[int, ...]
    per_class: dict[int, Float[Tensor, " n"]]
    mean_over_classes: Float[Tensor, " n"]
    mean_over_objects: Float[Tensor, " n"]


def recall(
    proposals: Sequence[Proposals],
    targets: Sequence[Target],
    iou_threshold: float = 0.5,
    counts: Sequence[int] = COUNTS,
) -> Float[Tensor, " n"]:
    """Fraction of the objects that one of an image's first N proposals covers with at least this IoU, for each N.

    Proposals are taken in the order of their rows, best first; difficult objects are left out. Not a number (NaN)
    where there is no object. Raises `ValueError` for lists of different length or a number of boxes below 1.
    """
    best, _ = _best_overlaps(proposals, targets, counts)
    return (best >= iou_threshold).double().mean(dim=0)


def mean_best_overlap(
    proposals: Sequence[Proposals], targets: Sequence[Target], counts: Sequence[int] = COUNTS
) -> BestOverlap:
    """Mean IoU of the objects with the best of an image's first N proposals (Selective Search, eq. 7 and 8).

    ABO_c = 1/|G_c| sum over g in G_c of max over l in L of Overlap(g, l)     MABO = mean of ABO_c over the classes c

    Order, difficult objects and errors are those of `recall`.
    """
    best, labels = _best_overlaps(proposals, targets, counts)
    per_class = {label: best[labels == label].mean(dim=0) for label in labels.unique().tolist()}
    rows = torch.stack([*per_class.values()]) if per_class else best
    return BestOverlap(tuple(counts), per_class, rows.mean(dim=0), best.mean(dim=0))


def _best_overlaps(
    proposals: Sequence[Proposals], targets: Sequence[Target], counts: Sequence[int]
) -> tuple[Float[Tensor, "m n"], Int[Tensor, " m"]]:
    """For each of the M objects, not difficult: its best IoU with the first N proposals, for each N; its label."""
    check_pairs(proposals, targets)
    if not counts or min(counts) < 1:
        raise ValueError(f"counts is {tuple(counts)}: give numbers of boxes, each at least 1")
    wanted = [target[~target.difficult].to("cpu") for target in targets]
    rows = [_best_in_image(p.to("cpu"), t, counts) for p, t in zip(proposals, wanted, strict=True)]
    nothing = torch.zeros(0, len(counts), dtype=torch.double)
    labels = [torch.zeros(0, dtype=torch.long), *(target.labels for target in wanted)]
    return torch.cat([nothing, *rows]), torch.cat(labels)


def _best_in_image(proposals: Proposals, target: Target, counts: Sequence[int]) -> Float[Tensor, "g n"]:
    if not len(proposals) or not len(target):
        return torch.zeros(len(target), len(counts), dtype=torch.double)
    so_far = iou(target.boxes.double(), proposals.boxes.double()).cummax(dim=1).values  # [G, R]
    last = torch.tensor(counts).clamp(max=len(proposals)) - 1
    return so_far[:, last]
