"""Which proposal is an example of what: labels by IoU with the ground truth, and mini-batches drawn from them.

The papers disagree about the thresholds, so each paper's choice is one visible `IoURule` value below.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.structures import Proposals, Target

IGNORED = -1
BACKGROUND = 0


@dataclass(frozen=True)
class IoURule:
    """When a proposal is foreground and when background; a proposal that is neither is ignored.

    Foreground: best IoU >= `foreground`. Background: `background[0]` <= best IoU < `background[1]`; None: never.
    Raises `ValueError` for thresholds outside 0..1 and for a background that reaches above `foreground`.
    """

    foreground: float
    background: tuple[float, float] | None
    best_is_foreground: bool = False  # the best proposals of every object too, however low their IoU (RPN)

    def __post_init__(self) -> None:
        if not 0 < self.foreground <= 1:
            raise ValueError(f"IoURule: foreground must lie in (0, 1], got {self.foreground}")
        if self.background is not None and not 0 <= self.background[0] <= self.background[1] <= self.foreground:
            raise ValueError(f"IoURule: background {self.background} must be an interval below {self.foreground}")


RCNN_FINE_TUNING = IoURule(foreground=0.5, background=(0.0, 0.5))  # R-CNN, section 2.3
RCNN_SVM = IoURule(foreground=1.0, background=(0.0, 0.3))  # R-CNN, section 2.3: ground-truth boxes only, grey zone
RCNN_BOX_REGRESSION = IoURule(foreground=0.6, background=None)  # R-CNN, appendix C
SPPNET_FINE_TUNING = IoURule(foreground=0.5, background=(0.1, 0.5))  # SPPnet, section 4.1
FAST_RCNN = IoURule(foreground=0.5, background=(0.1, 0.5))  # Fast R-CNN, section 2.3
RPN = IoURule(foreground=0.7, background=(0.0, 0.3), best_is_foreground=True)  # Faster R-CNN, section 3.1.2


@dataclass(frozen=True)
class Labels:
    """For each proposal: its class (0 background, -1 ignored), its best object's row (-1: none), and their IoU."""

    labels: Int[Tensor, " r"]
    matched: Int[Tensor, " r"]
    iou: Float[Tensor, " r"]


def label_proposals(proposals: Proposals, target: Target, rule: IoURule) -> Labels:
    """Give every proposal the class of the object that it overlaps best, as far as `rule` calls it foreground.

    Of objects with equal IoU the first one wins. Difficult objects are no examples: a proposal that would be
    background but is foreground for a difficult object is ignored (R-CNN, section 2.3; difficult: PASCAL VOC).
    """
    overlap = iou(proposals.boxes, target.boxes)  # [R, G]
    best, matched = _best_object(overlap.masked_fill(target.difficult, 0.0))
    foreground = best >= rule.foreground
    if rule.best_is_foreground:
        foreground |= _best_proposals(overlap.masked_fill(target.difficult, 0.0))

    labels = torch.full_like(matched, IGNORED)
    if rule.background is not None:
        low, high = rule.background
        near_difficult = ((overlap >= rule.foreground) & target.difficult).any(dim=1)
        labels.masked_fill_((best >= low) & (best < high) & ~near_difficult, BACKGROUND)
    if len(target):
        labels = torch.where(foreground, target.labels[matched], labels)  # matched is -1 for no foreground
    return Labels(labels, matched, best)


def _best_object(overlap: Float[Tensor, "r g"]) -> tuple[Float[Tensor, " r"], Int[Tensor, " r"]]:
    """Best IoU of each proposal and the row of that object, -1 where it touches none."""
    if overlap.shape[1] == 0:
        return overlap.new_zeros(len(overlap)), overlap.new_full((len(overlap),), -1, dtype=torch.long)
    best = overlap.max(dim=1).values
    first = (overlap == best[:, None]).int().argmax(dim=1)  # the first of equals, on every device
    return best, first.where(best > 0, -1)


def _best_proposals(overlap: Float[Tensor, "r g"]) -> Bool[Tensor, " r"]:
    """The proposals that reach some object's highest IoU, ties included (Faster R-CNN, section 3.1.2, (i))."""
    if 0 in overlap.shape:
        return overlap.new_zeros(len(overlap), dtype=torch.bool)
    highest = overlap.max(dim=0).values  # [G]
    return ((overlap == highest) & (highest > 0)).any(dim=1)


@dataclass(frozen=True)
class SampleRule:
    """How a mini-batch is drawn from labelled proposals; the defaults are R-CNN's 32 objects + 96 background boxes.

    Raises `ValueError` for an empty mini-batch and for a fraction outside 0..1.
    """

    size: int = 128  # R-CNN, section 2.3
    foreground_fraction: float = 0.25  # R-CNN, section 2.3: "biased, because positives are extremely rare"

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.foreground_fraction <= 1:
            raise ValueError(f"SampleRule: size must be at least 1 and the fraction in 0..1, got {self}")


def sample(labels: Int[Tensor, " r"], rule: SampleRule, generator: torch.Generator) -> Int[Tensor, " b"]:
    """Rows of a random mini-batch: foreground first, then background, without repetition, never an ignored row.

    Missing foreground is made up by background (Faster R-CNN, section 3.1.3); missing background is not made up, so
    fewer than `rule.size` rows may come back. `generator` lives on the CPU; the result lies on the labels' device.
    """
    foreground = (labels > BACKGROUND).nonzero().flatten()
    background = (labels == BACKGROUND).nonzero().flatten()
    n_foreground = min(len(foreground), round(rule.size * rule.foreground_fraction))
    n_background = min(len(background), rule.size - n_foreground)
    return torch.cat([_draw(foreground, n_foreground, generator), _draw(background, n_background, generator)])


def _draw(rows: Int[Tensor, " n"], count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    order = torch.randperm(len(rows), generator=generator)[:count]
    return rows[order.to(rows.device)]
