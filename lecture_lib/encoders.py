"""The first slot: what a detector computes once, for the image as a whole."""

from copy import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.backbones import Backbone
from lecture_lib.structures import FeatureMap


@dataclass(frozen=True)
class WholeImage:
    """The `encode` of R-CNN: nothing is computed for the image as a whole; its map is the image, at stride 1."""

    def __call__(self, image: Float[Tensor, "3 h w"]) -> tuple[FeatureMap, ...]:
        """Wrap the image."""
        return (FeatureMap(image, (1.0, 1.0), (image.shape[1], image.shape[2])),)


class ConvTrunk(nn.Module):
    """The `encode` of SPPnet and of all that follow: the convolutions run over the whole image, once a scale.

    shorter_sides: the image is resized so that its shorter side is this many pixels; a map for each. Any image size
        goes in. SPPnet takes {480, 576, 688, 864, 1200}, Fast R-CNN 600.
    longest: bound of the other side, for panoramas (Fast R-CNN, section 4.1: 1000).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, shorter_sides: tuple[int, ...] = (320,), longest: int = 1000) -> None:
        super().__init__()
        if not shorter_sides or min(shorter_sides) < backbone.stride:
            raise ValueError(f"ConvTrunk: shorter_sides are pixels, each at least the stride, got {shorter_sides}")
        self.trunk, self.stride, self.first_cell = backbone.trunk, backbone.stride, backbone.first_cell
        self.shorter_sides, self.longest = tuple(shorter_sides), longest
        self.register_buffer("mean", backbone.mean, persistent=False)
        self.register_buffer("std", backbone.std, persistent=False)

    def forward(self, image: Float[Tensor, "3 h w"]) -> tuple[FeatureMap, ...]:
        """The maps of an image in 0..1, one a scale."""
        return tuple(self.at_scale(image, side) for side in self.shorter_sides)

    def extra_repr(self) -> str:
        """What the maps depend on beside the weights."""
        return f"shorter_sides={self.shorter_sides}, longest={self.longest}"

    def at_scales(self, shorter_sides: tuple[int, ...]) -> "ConvTrunk":
        """The same trunk, its weights shared, at other scales."""
        other = copy(self)
        other.shorter_sides = tuple(shorter_sides)
        return other

    def at_scale(self, image: Float[Tensor, "3 h w"], shorter_side: int) -> FeatureMap:
        """The map of an image in 0..1, resized so that its shorter side has this many pixels."""
        height, width = image.shape[1], image.shape[2]
        scale = min(shorter_side / min(height, width), self.longest / max(height, width))
        size = tuple(max(self.stride, round(side * scale)) for side in (height, width))
        resized = F.interpolate(image[None], size, mode="bilinear", antialias=scale < 1)
        features = self.trunk(self._pad((resized - self.mean) / self.std))
        stride = (self.stride * height / size[0], self.stride * width / size[1])
        return FeatureMap(features[0].contiguous(), stride, (height, width))

    def _pad(self, images: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 H W"]:
        """Put the mean colour around the image so that cell i of the map is centred on pixel i S, as the papers assume.

        Without it Lite0's cell i looks at pixel 16 i + 15.5: TensorFlow pads on the right and below only. The padded
        sides are whole multiples of the stride, or that centre would depend on the image's size. Half a pixel remains.
        """
        before = round(self.first_cell)
        after = [-(before + side) % self.stride for side in images.shape[2:]]
        padded = F.pad(images, (before, after[1], before, after[0]))
        return padded.contiguous(memory_format=torch.channels_last)
