"""How a region proposal network learns: which anchors teach what, and its loss (Faster R-CNN, section 3.1.2, 3.1.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.matching import RPN, IoURule, Labels, SampleRule, label_proposals, sample
from lecture_lib.proposals import ScoredAnchors, inside
from lecture_lib.structures import Proposals, Target, concatenate
from lecture_lib.training.views import Views


@dataclass(frozen=True)
class RPNTraining:
    """How a region proposal network is trained; the paper's values where it gives any."""

    rule: IoURule = RPN  # object: IoU >= 0.7, or the best anchors of an object; background: below 0.3
    anchors: SampleRule = field(default_factory=lambda: SampleRule(size=256, foreground_fraction=0.5))  # of an image
    box_weight: float = 1.0  # lambda; 10 in the paper, whose N_reg is about 10 times its N_cls; here both are 256
    beta: float = 1 / 9  # where smooth L1 turns straight; the authors' release: their sigma is 3. Deltas are small
    ignore_crossing: bool = True  # anchors that cross the image's border teach nothing


def label_anchors(anchors: Proposals, target: Target, settings: RPNTraining) -> Labels:
    """Label the anchors of an image: 1 and above is an object, 0 background, -1 ignored (section 3.1.2).

    Those that cross the border are left out before the best anchor of each object is looked for.
    """
    if not settings.ignore_crossing:
        return label_proposals(anchors, target, settings.rule)
    rows = inside(anchors.boxes, anchors.image_size).nonzero().flatten()
    found = label_proposals(anchors[rows], target, settings.rule)
    labels, matched = (torch.full((len(anchors),), -1, device=rows.device) for _ in range(2))
    overlap = torch.zeros(len(anchors), device=rows.device)
    labels[rows], matched[rows], overlap[rows] = found.labels, found.matched, found.iou
    return Labels(labels, matched, overlap)


def rpn_loss(
    scored: Sequence[ScoredAnchors], target: Target, settings: RPNTraining, generator: torch.Generator
) -> dict[str, Tensor]:
    """Both terms of the loss of one image (Faster R-CNN, eq. 1), on anchors that are sampled up to one to one.

    L = 1/N_cls sum_i L_cls(p_i, p_i*) + lambda 1/N_reg sum_i p_i* L_reg(t_i, t_i*)

    N_cls and N_reg are both the size of the sample; the paper says that other normalisations do as well.
    """
    anchors = concatenate([level.anchors for level in scored])
    logits, deltas = (torch.cat([getattr(level, name) for level in scored]) for name in ("logits", "deltas"))
    labelled = label_anchors(anchors, target, settings)
    rows = sample(labelled.labels, settings.anchors, generator)
    objects = rows[labelled.labels[rows] > 0]
    goals = BoxCoder().encode(anchors.boxes[objects], target.boxes[labelled.matched[objects]])
    is_object = (labelled.labels[rows] > 0).float()
    moved = F.smooth_l1_loss(deltas[objects], goals, reduction="sum", beta=settings.beta)
    terms = {
        "objectness": F.binary_cross_entropy_with_logits(logits[rows], is_object, reduction="sum"),
        "anchor deltas": settings.box_weight * moved,
    }
    return {name: term / settings.anchors.size for name, term in terms.items()}


class RPNLoss:
    """The loss of a region proposal network alone, of (step, image), as the image's share of the mini-batch."""

    def __init__(self, detector: Detector, views: Views, settings: RPNTraining, images: int) -> None:
        self.detector, self.views, self.settings, self.images = detector, views, settings, images

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """Both terms."""
        view = self.views.see(*batch)
        losses = rpn_loss(
            self.detector.propose.score(self.views.maps(view)), view.target, self.settings, view.generator
        )
        return {name: loss / self.images for name, loss in losses.items()}
