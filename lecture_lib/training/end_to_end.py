"""Faster R-CNN trained in one go, "approximate joint training": one map serves the RPN's loss and the detector's.

Mask R-CNN is trained in the same way, with one term more.

Approximate, since the proposals' coordinates, which depend on the weights too, are taken as given: no gradient flows
through them (Faster R-CNN, section 3.2, scheme ii).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.masks import crop_masks, mask_loss
from lecture_lib.proposals import ProposalRule, choose_proposals
from lecture_lib.structures import Maps, Target
from lecture_lib.training.joint import JointTraining, Sampled, descend, region_loss, sample_regions
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import Pixels, with_ground_truth
from lecture_lib.training.rpn import RPNTraining, rpn_loss
from lecture_lib.training.views import View, Views

NORMALISED = BoxCoder(std=(0.1, 0.1, 0.2, 0.2))  # the authors' release: proposals change, so nothing can be measured


@dataclass(frozen=True)
class EndToEnd:
    """How a Faster R-CNN is trained: its second stage as Fast R-CNN, its RPN, and the proposals between them."""

    regions: JointTraining = field(default_factory=JointTraining)
    anchors: RPNTraining = field(default_factory=RPNTraining)
    proposals: ProposalRule = field(default_factory=lambda: ProposalRule(count=500))  # the paper: 2,000
    mixed_precision: bool = False  # bfloat16 in the convolutions and linear layers; half the memory on a GPU


class EndToEndLoss:
    """All four terms of the loss of (step, image), five with masks, as the image's share of the whole mini-batch."""

    def __init__(self, detector: Detector, views: Views, settings: EndToEnd) -> None:
        self.detector, self.views, self.training = detector, views, settings
        self.settings = (settings, detector.propose.anchors)  # an interrupted training goes on with the same

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """One forward pass of the trunk for both stages."""
        with torch.autocast(self.views.device.type, torch.bfloat16, enabled=self.training.mixed_precision):
            return self._losses(self.views.see(*batch))

    def _losses(self, view: View) -> dict[str, Tensor]:
        settings = self.training
        maps = self.views.maps(view)
        scored = self.detector.propose.score(maps)
        first = rpn_loss(scored, view.target, settings.anchors, view.generator)
        regions = with_ground_truth(choose_proposals(scored, settings.proposals), view.target)
        sampled = sample_regions(regions, view.target, NORMALISED, settings.regions, view.generator)
        second = region_loss(self.detector, maps, sampled, settings.regions, view.generator)
        if self.detector.mask is not None:
            first |= region_mask_loss(self.detector, maps, sampled, view.target)
        return {name: loss / settings.regions.images for name, loss in first.items()} | second


def region_mask_loss(detector: Detector, maps: Maps, sampled: Sampled, target: Target) -> dict[str, Tensor]:
    """The loss of the shapes of an image's foreground regions, their mean (Mask R-CNN, section 3).

    Raises `ValueError` where the training set has no masks.
    """
    if target.masks is None:
        raise ValueError("a mask head learns from instance masks, which this set has not; take one with masks (stamps)")
    own = sampled.labels > 0
    goals = crop_masks(target.masks, sampled.matched[own], sampled.regions.boxes[own])
    logits = detector.mask.logits(maps, sampled.regions[own]).float()
    return {"masks": mask_loss(logits, sampled.labels[own], goals) / max(1, int(own.sum()))}


def train_end_to_end(
    detector: Detector,
    pixels: Pixels | Sequence[Tensor],
    targets: Sequence[Target],
    settings: EndToEnd,
    state: Path | None = None,
) -> Iterator[Step]:
    """Train all slots that have weights at once; a record a step, with all terms of the loss.

    When it ends, `finished(detector, NORMALISED)` makes a detector of it. state: as in `train_jointly`.
    """
    loss = EndToEndLoss(detector, Views(detector, pixels, targets, settings.regions), settings)
    return descend(loss, tuple(detector.modules()), settings.regions, state)
