"""The networks of the review as tables of blocks, and how width, depth and resolution scale them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lecture_lib.mobile.blocks import BlockNetwork, BlockSpec, round_channels

# MobileNet (2017), table 1: 13 depthwise separable blocks; expansion does not apply.
MOBILENET_BLOCKS = tuple(
    BlockSpec(kernel=3, stride=stride, expansion=1, out_channels=out, repeats=repeats, operation="separable")
    for stride, out, repeats in ((1, 64, 1), (2, 128, 2), (2, 256, 2), (2, 512, 6), (2, 1024, 2))
)

# MobileNetV2 (2018), table 2 (columns s, t, c, n); every kernel is 3x3.
MOBILENET_V2_BLOCKS = tuple(
    BlockSpec(kernel=3, stride=s, expansion=t, out_channels=c, repeats=n)
    for s, t, c, n in (
        (1, 1, 16, 1),
        (2, 6, 24, 2),
        (2, 6, 32, 3),
        (2, 6, 64, 4),
        (1, 6, 96, 3),
        (2, 6, 160, 3),
        (1, 6, 320, 1),
    )
)

# EfficientNet-Lite0: EfficientNet-B0 (2019, table 1) without squeeze-excite and with ReLU6 for swish.
LITE0_BLOCKS = tuple(
    BlockSpec(kernel=k, stride=s, expansion=t, out_channels=c, repeats=n)
    for k, s, t, c, n in (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    )
)


def scale_blocks(
    blocks: Sequence[BlockSpec], width: float | int = 1.0, depth: float | int = 1.0
) -> tuple[BlockSpec, ...]:
    """Multiply every width (rounded to multiples of 8) and every number of repeats (rounded up).

    `width` is MobileNet's width multiplier alpha (section 3.3); with `depth` it is EfficientNet's compound scaling.
    Raises `ValueError` for multipliers that are not positive.
    """
    if width <= 0 or depth <= 0:
        raise ValueError(f"width is {width} and depth {depth}: multipliers must be positive, 1.0 changes nothing.")
    return tuple(
        replace(b, out_channels=round_channels(b.out_channels * width), repeats=math.ceil(b.repeats * depth))
        for b in blocks
    )


def mobilenet(width: float | int = 1.0) -> BlockNetwork:
    """MobileNet (2017) with width multiplier `width`; 569 million multiply-adds at 224 pixels for width 1 (table 6).

    The resolution multiplier rho (section 3.4) needs no code: feed it smaller images.
    """
    stem = round_channels(32 * width)
    return BlockNetwork(scale_blocks(MOBILENET_BLOCKS, width), stem, head=None)


def mobilenet_v2(width: float | int = 1.0) -> BlockNetwork:
    """MobileNetV2 (2018) with width multiplier `width`; 300 million multiply-adds at 224 pixels for 1 (table 4)."""
    head = round_channels(1280 * max(width, 1.0))  # section 6.1: the last layer is not narrowed below width 1
    stem = round_channels(32 * width)
    return BlockNetwork(scale_blocks(MOBILENET_V2_BLOCKS, width), stem, head)


@dataclass(frozen=True)
class CompoundScaling:
    """EfficientNet (2019), eq. 3: one number phi scales depth, width and resolution together.

    The grid search of section 3.3 found alpha, beta and gamma under alpha * beta^2 * gamma^2 ~ 2, so that phi + 1 costs
    twice as many multiply-adds (they grow linearly with depth and with the square of width and of resolution).
    """

    alpha: float = 1.2  # depth
    beta: float = 1.1  # width
    gamma: float = 1.15  # resolution

    def depth(self, phi: float | int) -> float | int:
        """Return the factor for the number of blocks, alpha^phi."""
        return self.alpha**phi

    def width(self, phi: float | int) -> float | int:
        """Return the factor for the channels, beta^phi."""
        return self.beta**phi

    def resolution(self, phi: float | int) -> float | int:
        """Return the factor for the side of the input image, gamma^phi."""
        return self.gamma**phi

    def multiply_adds(self, phi: float | int) -> float | int:
        """Return the factor for the multiply-adds, (alpha * beta^2 * gamma^2)^phi, before any rounding."""
        return (self.alpha * self.beta**2 * self.gamma**2) ** phi

    def scale(self, blocks: Sequence[BlockSpec], phi: float | int) -> tuple[BlockSpec, ...]:
        """Return the table scaled by phi; multiply the input size by `resolution(phi)` yourself."""
        return scale_blocks(blocks, self.width(phi), self.depth(phi))
