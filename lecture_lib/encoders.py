"""The first slot: what a detector computes once, for the image as a whole."""

from copy import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.backbones import Backbone
from lecture_lib.graphs import replay
from lecture_lib.structures import FeatureMap, Maps


@dataclass(frozen=True)
class WholeImage:
    """The `encode` of R-CNN: nothing is computed for the image as a whole; its map is the image, at stride 1."""

    def __call__(self, image: Float[Tensor, "3 h w"]) -> Maps:
        """Wrap the image."""
        return (FeatureMap(image, (1.0, 1.0), (image.shape[1], image.shape[2])),)


class ConvTrunk(nn.Module):
    """The `encode` of SPPnet and of all that follow: the convolutions run over the whole image, once a scale.

    shorter_sides: the image is resized so that its shorter side is this many pixels; a map for each. Any image size
        goes in. SPPnet takes {480, 576, 688, 864, 1200}, Fast R-CNN 600.
    longest: bound of the other side, for panoramas (Fast R-CNN, section 4.1: 1000).
    Raises `ValueError` for no scale, and for one below the stride.
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

    def forward(self, image: Float[Tensor, "3 h w"]) -> Maps:
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
        padded, stride = self.prepare(image, shorter_side)
        return FeatureMap(replay(self.trunk, padded)[0].float().contiguous(), stride, (image.shape[1], image.shape[2]))

    def prepare(
        self, image: Float[Tensor, "3 h w"], shorter_side: int
    ) -> tuple[Float[Tensor, "1 3 H W"], tuple[float, float]]:
        """The image as the trunk takes it, and the stride (y, x) of the trunk's map in pixels of the original."""
        height, width = image.shape[1], image.shape[2]
        scale = min(shorter_side / min(height, width), self.longest / max(height, width))
        size = tuple(max(self.stride, round(side * scale)) for side in (height, width))
        resized = F.interpolate(image[None], size, mode="bilinear", antialias=scale < 1)
        stride = (self.stride * height / size[0], self.stride * width / size[1])
        return self._pad((resized - self.mean) / self.std), stride

    def new_layers(self) -> list[nn.Module]:
        """The layers that ImageNet has not trained: none."""
        return []

    def _pad(self, images: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 H W"]:
        """Put the mean colour around the image so that cell i of the map is centred on pixel i S, as the papers assume.

        Without it Lite0's cell i looks at pixel 16 i + 15.5: TensorFlow pads on the right and below only. The padded
        sides are whole multiples of the stride, or that centre would depend on the image's size. Half a pixel remains.
        """
        before = round(self.first_cell)
        after = [-(before + side) % self.stride for side in images.shape[2:]]
        padded = F.pad(images, (before, after[1], before, after[0]))
        return padded.contiguous(memory_format=torch.channels_last)


class FeaturePyramid(ConvTrunk):
    """The `encode` of Mask R-CNN here: maps of stride 8, 16 and 32, each with what the coarser ones know (FPN, 2017).

    Coarse maps know what is there, fine ones where. From the top down each map is enlarged twofold and added to the
    one below it, which a 1x1 convolution has brought to the same number of channels; a 3x3 convolution smooths the sum
    (FPN, section 3, figure 3). The coarsest map is every second cell of the one before it (section 4.1, footnote 2).

    backbone: EfficientNet-Lite0 cut at stride 16, or another whose trunk has stages of stride 8 and 16. All maps have
    `backbone.channels` channels, so that the fully connected layers need not know of it.
    Raises `ValueError` for several scales, and for a trunk without these stages.
    """

    def __init__(
        self,
        backbone: Backbone,
        shorter_sides: tuple[int, ...] = (320,),
        longest: int = 1000,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(backbone, shorter_sides, longest)
        if len(shorter_sides) != 1:
            raise ValueError(
                f"FeaturePyramid: its levels are its scales; one shorter side is needed, got {shorter_sides}"
            )
        self.fine = _last_stage_of_stride(backbone, 8)
        channels = (_channels_after(backbone, self.fine), backbone.channels)
        self.lateral = nn.ModuleList(nn.Conv2d(c, backbone.channels, 1) for c in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(backbone.channels, backbone.channels, 3, padding=1) for _ in channels)
        for layer in (*self.lateral, *self.smooth):
            nn.init.kaiming_uniform_(layer.weight, a=1, generator=generator)
            nn.init.zeros_(layer.bias)
        self.to(backbone.mean.device)

    def forward(self, image: Float[Tensor, "3 h w"]) -> Maps:
        """The maps of an image in 0..1, of stride 8, 16 and 32, finest first."""
        padded, (y, x) = self.prepare(image, self.shorter_sides[0])
        fine = self.trunk[: self.fine](padded)
        coarse = self.lateral[1](self.trunk[self.fine :](fine))
        fine = fine[:, :, 1:, 1:]  # cell 1 of stride 8 is centred where cell 0 of stride 16 is
        enlarged = F.interpolate(coarse, scale_factor=2.0, mode="nearest")[:, :, : fine.shape[2], : fine.shape[3]]
        fine, coarse = self.smooth[0](self.lateral[0](fine) + enlarged), self.smooth[1](coarse)
        levels = ((fine, 0.5), (coarse, 1.0), (coarse[:, :, ::2, ::2], 2.0))
        size = (image.shape[1], image.shape[2])
        return tuple(FeatureMap(m[0].float().contiguous(), (y * times, x * times), size) for m, times in levels)

    def new_layers(self) -> list[nn.Module]:
        """The layers that ImageNet has not trained."""
        return [self.lateral, self.smooth]


@torch.no_grad()
def _last_stage_of_stride(backbone: Backbone, stride: int) -> int:
    """After how many stages of the trunk the map has this stride for the last time."""
    side, found = 8 * stride, 0
    x = torch.zeros(1, 3, side, side, device=backbone.mean.device)
    for number, stage in enumerate(backbone.trunk, start=1):
        x = stage(x)
        found = number if x.shape[-1] == 8 else found
    if not found or backbone.stride != 2 * stride:
        raise ValueError(f"FeaturePyramid: this trunk, of stride {backbone.stride}, has no stage of stride {stride}")
    return found


@torch.no_grad()
def _channels_after(backbone: Backbone, stages: int) -> int:
    """Channels of the map after some stages of the trunk."""
    return backbone.trunk[:stages](torch.zeros(1, 3, 64, 64, device=backbone.mean.device)).shape[1]
