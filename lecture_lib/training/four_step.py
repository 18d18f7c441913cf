"""Faster R-CNN trained by turns: four steps, after which both stages share one trunk (Faster R-CNN, section 3.2).

Two networks that are trained apart from each other, each from ImageNet, change their trunks in different ways. So the
second one's trunk is kept and fixed, and what is unique to each stage is trained once more on it.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lecture_lib.detectors import Detector
from lecture_lib.proposals import ProposalRule, choose_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.end_to_end import NORMALISED, EndToEnd
from lecture_lib.training.joint import JointLoss, descend
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import Pixels, picture, with_ground_truth
from lecture_lib.training.rpn import RPNLoss
from lecture_lib.training.views import Views


@dataclass(frozen=True)
class Turn:
    """One of the four steps: where its trunk comes from, and which slots learn; the other slots are fixed."""

    name: str
    trunk: str
    learns: tuple[str, ...]


TURNS = (
    Turn("RPN", "ImageNet", ("encode", "propose")),
    Turn("Fast R-CNN on its proposals", "ImageNet", ("encode", "embed", "predict")),
    Turn("RPN on the fixed trunk", "step 2", ("propose",)),
    Turn("Fast R-CNN on the fixed trunk", "step 2", ("embed", "predict")),
)


class TurnLoss:
    """The loss of a turn, which depends on the settings of the turns before it too: what they proposed, from where."""

    def __init__(self, loss: RPNLoss | JointLoss, settings: EndToEnd) -> None:
        self.loss, self.detector, self.views = loss, loss.detector, loss.views
        self.settings = (settings, loss.detector.propose.anchors)

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """Its terms."""
        return self.loss(batch)


class FourSteps:
    """The training of a detector in four steps, to be taken in their order; each is a generator of its records.

    folder: where the states are kept from which an interrupted step goes on; a step that is done is only loaded.
    When the last one ends, `finished(detector, NORMALISED)` makes a detector of it.
    """

    def __init__(
        self,
        detector: Detector,
        pixels: Pixels | Sequence[Tensor],
        targets: Sequence[Target],
        settings: EndToEnd,
        folder: Path | None = None,
    ) -> None:
        self.detector, self.pixels, self.targets = detector, pixels, targets
        self.settings, self.folder = settings, folder
        # Step 1 trains another trunk than step 2, from the same start.
        self.first = replace(detector, encode=deepcopy(detector.encode), propose=deepcopy(detector.propose))

    def take(self, number: int) -> Iterator[Step]:
        """Step 1, 2, 3 or 4. Raises `ValueError` for another number."""
        if not 1 <= number <= len(TURNS):
            raise ValueError(f"there are steps 1 to {len(TURNS)}, not {number}")
        turn, detector = TURNS[number - 1], self.first if number == 1 else self.detector
        settings = self.settings.regions
        if "encode" not in turn.learns:
            settings = replace(settings, first_trained=None)
        if number == 3:
            detector.propose.load_state_dict(self.first.propose.state_dict())
        views = Views(detector, self.pixels, self.targets, settings)
        if "propose" in turn.learns:
            loss = RPNLoss(detector, views, self.settings.anchors, settings.images)
        else:
            loss = JointLoss(detector, views, self.proposals(number), NORMALISED, settings)
        state = self.folder and self.folder / f"step-{number}.pt"
        return descend(TurnLoss(loss, self.settings), turn.learns, settings, state)

    def proposals(self, number: int) -> list[Proposals]:
        """What the RPN of the step before proposes for every image, and its objects' own boxes."""
        network = self.first if number == 2 else self.detector
        made = propose_all(network, self.pixels, len(self.targets), self.settings.proposals)
        return [with_ground_truth(regions, target) for regions, target in zip(made, self.targets, strict=True)]


@torch.no_grad()
def propose_all(
    detector: Detector, pixels: Pixels | Sequence[Tensor], images: int, rule: ProposalRule
) -> list[Proposals]:
    """What a detector's RPN proposes for the first images of a set."""
    device = next(detector.propose.parameters()).device
    maps = (detector.encode(picture(pixels, i, device)) for i in range(images))
    return [choose_proposals(detector.propose.score(each), rule).to("cpu") for each in maps]
