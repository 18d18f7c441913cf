"""MnasNet (2019): search block by block for accuracy *and* for latency measured on the real device."""

import math
from dataclasses import dataclass, fields

import torch

from lecture_lib.mobile.blocks import BlockNetwork, BlockSpec, Operation, round_channels
from lecture_lib.mobile.tables import MOBILENET_V2_BLOCKS


def mnasnet_reward(
    accuracy: float | int, latency: float | int, target: float | int, weight: float | int = -0.07
) -> float | int:
    """Return the search objective ACC * (LAT / T)^w (MnasNet, eq. 2).

    w = -0.07 because doubling the latency usually buys 5 % relative accuracy (section 3.1): two such networks are worth
    the same. Latency and target are in one unit. Raises `ValueError` where they are not positive.
    """
    if latency <= 0 or target <= 0:
        raise ValueError(f"latency is {latency} and target {target}: both must be positive, in the same unit.")
    return accuracy * (latency / target) ** weight


@dataclass(frozen=True)
class SearchSpace:
    """The choices for every block (MnasNet, section 4.1, figure 4); widths and repeats are relative to MobileNetV2's.

    Left out, to stay with blocks built in this course: squeeze-and-excitation (0 or 0.25) and the choice of the skip.
    """

    operation: tuple[Operation, ...] = ("conv", "separable", "inverted")
    kernel: tuple[int, ...] = (3, 5)
    expansion: tuple[int, ...] = (3, 6)
    width: tuple[float, ...] = (0.75, 1.0, 1.25)
    more_repeats: tuple[int, ...] = (-1, 0, 1)

    @property
    def choices_per_block(self) -> int:
        """Number of settings of one block."""
        return math.prod(len(getattr(self, f.name)) for f in fields(self))

    def size(self, blocks: int = len(MOBILENET_V2_BLOCKS)) -> int:
        """Number of networks: S^B. Searching layer by layer would give S^(B * N) (section 4.1)."""
        return self.choices_per_block**blocks


def _sample_block(space: SearchSpace, base: BlockSpec, generator: torch.Generator) -> BlockSpec:
    """Draw one setting of each choice for a block of the baseline."""
    pick = {
        f.name: getattr(space, f.name)[int(torch.randint(len(getattr(space, f.name)), (), generator=generator))]
        for f in fields(space)
    }
    return BlockSpec(
        kernel=pick["kernel"],
        stride=base.stride,
        expansion=pick["expansion"],
        out_channels=round_channels(base.out_channels * pick["width"]),
        repeats=max(1, base.repeats + pick["more_repeats"]),
        operation=pick["operation"],
    )


def sample_blocks(generator: torch.Generator, space: SearchSpace | None = None) -> tuple[BlockSpec, ...]:
    """Draw a network of the search space: every block of MobileNetV2 gets its own choices (MnasNet, section 4.1)."""
    space = space or SearchSpace()
    return tuple(_sample_block(space, base, generator) for base in MOBILENET_V2_BLOCKS)


def sample_network(generator: torch.Generator, classes: int = 1000) -> BlockNetwork:
    """Draw a network of the search space and build it with fresh weights."""
    return BlockNetwork(sample_blocks(generator), classes=classes)
