"""Training images as gradient descent sees them: mirrored or not, each time at another scale, with their objects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from lecture_lib.detectors import Detector
from lecture_lib.structures import Maps, Proposals, Target
from lecture_lib.training.regions import EncodedImages, Pixels, mirror, picture


@runtime_checkable
class ViewSettings(Protocol):
    """What of a training's settings decides how an image is seen."""

    first_trained: str | None
    flip: bool
    scales: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class View:
    """One use of image i. All that is random in it comes from its generator, so that a training can go on."""

    i: int
    mirrored: bool
    target: Target
    generator: torch.Generator


class Views:
    """A training set, seen by the settings of a training. Where no stage of the trunk learns, its maps are kept."""

    def __init__(
        self, detector: Detector, pixels: Pixels | Sequence[Tensor], targets: Sequence[Target], settings: ViewSettings
    ) -> None:
        self.encode, self.pixels, self.targets, self.settings = detector.encode, pixels, targets, settings
        self.device = next(detector.encode.parameters()).device
        self._encoded = None  # a trunk that is trained makes new maps at every step
        if settings.first_trained is None and not self.encode.new_layers():
            self._encoded = EncodedImages(replace(detector, encode=self.encode.at_scales(settings.scales)), pixels)

    def see(self, step: int, i: int) -> View:
        """Image i in this step."""
        generator = torch.Generator().manual_seed(self.settings.seed + 1_000_003 * step + i)
        mirrored = self.settings.flip and bool(torch.rand(1, generator=generator) < 0.5)
        target = mirror_target(self.targets[i]) if mirrored else self.targets[i]
        return View(i, mirrored, target.to(self.device), generator)

    def regions(self, view: View, proposals: Proposals) -> Proposals:
        """Proposals of the image as it is on disk, where they lie in the view."""
        boxes = proposals.boxes.to(self.device)
        return replace(proposals, boxes=mirror(boxes, proposals.image_size[1]) if view.mirrored else boxes, scores=None)

    def maps(self, view: View) -> Maps:
        """What the trunk makes of the view, at a scale that is drawn from the view's generator."""
        number = int(torch.randint(len(self.settings.scales), (), generator=view.generator))
        if self._encoded is not None:
            return (self._encoded(view.i, self.device, view.mirrored)[number],)
        image = picture(self.pixels, view.i, self.device, view.mirrored)
        return self.encode.at_scales((self.settings.scales[number],))(image)


def mirror_target(target: Target) -> Target:
    """The objects of the mirrored image."""
    masks = None if target.masks is None else target.masks.flip(-1)
    return replace(target, boxes=mirror(target.boxes, target.image_size[1]), masks=masks)
