"""Random numbers for hidden cases: small, often equal, often exactly on a threshold."""

import torch
from torch import Generator, Tensor


def whole(low: int, high: int, generator: Generator) -> int:
    """A random whole number, both ends included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def one_of(values: tuple, generator: Generator):
    """One of the values."""
    return values[whole(0, len(values) - 1, generator)]


def boxes(count: int, generator: Generator, smallest: int = 1, span: int = 16) -> Tensor:
    """Boxes [count, 4] in halves of a pixel, so crowded that most overlap; sides of at least `smallest` halves."""
    corner = torch.randint(0, span + 1, (count, 2), generator=generator)
    size = torch.randint(smallest, span + 1, (count, 2), generator=generator)
    return torch.cat([corner, corner + size], dim=1) / 2


def levels(count: tuple[int, ...], generator: Generator, steps: int = 8) -> Tensor:
    """Numbers 0, 1/steps, ..., 1: exact in floating point, and often equal."""
    return torch.randint(0, steps + 1, count, generator=generator) / steps
