"""All labelled regions of a training set, and the pixels behind them: what mini-batches of regions are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from lecture_lib.detectors import Detector
from lecture_lib.matching import IoURule, label_proposals
from lecture_lib.structures import Maps, Proposals, Target
from lecture_lib.voc import VOCDataset


def with_ground_truth(proposals: Proposals, target: Target) -> Proposals:
    """The proposals of a training image, then its objects' own boxes, the difficult ones left out."""
    boxes = torch.cat([proposals.boxes, target.boxes[~target.difficult]])
    return Proposals(boxes, None, proposals.image_size)


@dataclass(frozen=True)
class LabelledRegions:
    """Every region of a whole training set with its class (0 background, -1 ignored) and its image's number."""

    boxes: Float[Tensor, "n 4"]
    labels: Int[Tensor, " n"]
    image: Int[Tensor, " n"]

    @classmethod
    def of(cls, regions: Sequence[Proposals], targets: Sequence[Target], rule: IoURule) -> "LabelledRegions":
        """Label the regions of every image by one rule. Raises `ValueError` if no region is foreground."""
        labels = [label_proposals(*pair, rule).labels for pair in zip(regions, targets, strict=True)]
        image = torch.repeat_interleave(torch.tensor([len(part) for part in regions], dtype=torch.long))
        every = torch.cat(labels) if labels else torch.zeros(0, dtype=torch.long)
        if not (every > 0).any():
            raise ValueError(
                f"No region is foreground by {rule}: there is nothing to learn. Check boxes and proposals."
            )
        return cls(torch.cat([part.boxes for part in regions]), every, image)


class Pixels:
    """The images of a set as bytes in memory, each read once: a mini-batch of R-CNN touches a hundred of them.

    limit: bytes to keep; beyond it images are read again from disk, which is slower and changes nothing else.
    """

    def __init__(self, dataset: VOCDataset, limit: int = 2 * 1024**3) -> None:
        self.dataset, self.limit = dataset, limit
        self._kept: dict[int, UInt8[Tensor, "3 h w"]] = {}
        self._bytes = 0

    def __getitem__(self, i: int) -> Float[Tensor, "3 h w"]:
        if i in self._kept:
            return self._kept[i].float() / 255
        image = self.dataset.image(i)
        if self._bytes + image.numel() <= self.limit:
            self._kept[i] = (image * 255).round().to(torch.uint8)
            self._bytes += image.numel()
        return image


class EncodedImages:
    """What a detector's `encode` makes of every image of a set, mirrored or not; made once where a network makes it.

    Its trunk must not change meanwhile. Maps are kept in half precision in memory: about 0.3 MB for an image of
    480 x 640 pixels and 112 channels.
    """

    def __init__(self, detector: Detector, pixels: Pixels | Sequence[Tensor]) -> None:
        self.encode, self.pixels = detector.encode, pixels
        self._kept: dict[tuple[int, bool], Maps] = {}

    def __call__(self, i: int, device: torch.device, mirrored: bool = False) -> Maps:
        """The maps of image i."""
        if not isinstance(self.encode, nn.Module):
            return self.encode(picture(self.pixels, i, device, mirrored))
        if (i, mirrored) not in self._kept:
            with torch.no_grad():
                maps = self.encode(picture(self.pixels, i, device, mirrored))
            self._kept[i, mirrored] = tuple(replace(m, tensor=m.tensor.half().cpu()) for m in maps)
        return tuple(replace(m, tensor=m.tensor.to(device).float()) for m in self._kept[i, mirrored])


def picture(
    pixels: Pixels | Sequence[Tensor], i: int, device: torch.device, mirrored: bool = False
) -> Float[Tensor, "3 h w"]:
    """Image i on a device, left and right exchanged if `mirrored`."""
    image = pixels[i].to(device)
    return image.flip(-1) if mirrored else image


def mirror(boxes: Float[Tensor, "r 4"], width: int) -> Float[Tensor, "r 4"]:
    """The boxes in the mirrored image of that width: x becomes width - x."""
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=1)
