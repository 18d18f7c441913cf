"""Faster R-CNN trained in one go, "approximate joint training": one map serves the RPN's loss and the detector's.

Approximate, since the proposals' coordinates, which depend on the weights too, are taken as given: no gradient flows
through them (Faster R-CNN, section 3.2, scheme ii).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.proposals import ProposalRule, choose_proposals
from lecture_lib.structures import Target
from lecture_lib.training.joint import JointTraining, descend, region_loss, sample_regions
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import Pixels, with_ground_truth
from lecture_lib.training.rpn import RPNTraining, rpn_loss
from lecture_lib.training.views import Views

NORMALISED = BoxCoder(std=(0.1, 0.1, 0.2, 0.2))  # the authors' release: proposals change, so nothing can be measured


@dataclass(frozen=True)
class EndToEnd:
    """How a Faster R-CNN is trained: its second stage as Fast R-CNN, its RPN, and the proposals between them."""

    regions: JointTraining = field(default_factory=JointTraining)
    anchors: RPNTraining = field(default_factory=RPNTraining)
    proposals: ProposalRule = field(default_factory=lambda: ProposalRule(count=500))  # the paper: 2,000


class EndToEndLoss:
    """All four terms of the loss of (step, image), as the image's share of the whole mini-batch."""

    def __init__(self, detector: Detector, views: Views, settings: EndToEnd) -> None:
        self.detector, self.views, self.settings = detector, views, settings

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """One forward pass of the trunk for both stages."""
        settings, view = self.settings, self.views.see(*batch)
        maps = self.views.maps(view)
        scored = self.detector.propose.score(maps)
        first = rpn_loss(scored, view.target, settings.anchors, view.generator)
        regions = with_ground_truth(choose_proposals(scored, settings.proposals), view.target)
        sampled = sample_regions(regions, view.target, NORMALISED, settings.regions, view.generator)
        second = region_loss(self.detector, maps, sampled, settings.regions, view.generator)
        return {name: loss / settings.regions.images for name, loss in first.items()} | second


def train_end_to_end(
    detector: Detector,
    pixels: Pixels | Sequence[Tensor],
    targets: Sequence[Target],
    settings: EndToEnd,
    state: Path | None = None,
) -> Iterator[Step]:
    """Train all slots that have weights at once; a record a step, with all four terms of the loss.

    When it ends, `finished(detector, NORMALISED)` makes a detector of it. state: as in `train_jointly`.
    """
    loss = EndToEndLoss(detector, Views(detector, pixels, targets, settings.regions), settings)
    return descend(loss, ("encode", "propose", "embed", "predict"), settings.regions, state)
