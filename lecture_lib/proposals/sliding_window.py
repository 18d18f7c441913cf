"""Sliding windows: the proposals of "for every location and every size"."""

from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import Proposals


@dataclass(frozen=True)
class SlidingWindow:
    """Window shapes, each size with each aspect, and the step from one window to the next, in pixels.

    Raises `ValueError` unless there are sizes and aspects, all positive, and the stride is at least 1.
    """

    sizes: tuple[float | int, ...] = (48, 96, 192)  # square root of the area
    aspects: tuple[float | int, ...] = (0.5, 1.0, 2.0)  # width / height
    stride: int = 16  # 1 is "every location"

    def __post_init__(self) -> None:
        if not self.sizes or not self.aspects or min(*self.sizes, *self.aspects) <= 0 or self.stride < 1:
            raise ValueError(f"sliding window: sizes and aspects must be positive and stride at least 1, got {self}")

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of every window shape, in whole pixels."""
        pairs = [(size / sqrt(aspect), size * sqrt(aspect)) for size in self.sizes for aspect in self.aspects]
        return tuple((max(1, round(height)), max(1, round(width))) for height, width in pairs)


def sliding_windows(image_size: tuple[int, int], window: SlidingWindow | None = None) -> Proposals:
    """All windows that lie inside an image of (height, width), shape by shape, row by row; without scores."""
    window = window or SlidingWindow()
    grids = [_grid(image_size, shape, window.stride) for shape in window.shapes]
    return Proposals(torch.cat(grids), None, image_size)


def count_windows(image_size: tuple[int, int], window: SlidingWindow | None = None) -> int:
    """How many windows `sliding_windows` would make, without making them."""
    window = window or SlidingWindow()
    return sum(
        max(0, (image_size[0] - height) // window.stride + 1) * max(0, (image_size[1] - width) // window.stride + 1)
        for height, width in window.shapes
    )


def count_all_windows(image_size: tuple[int, int]) -> int:
    """How many boxes with whole-pixel corners an image has: every location, every size, every aspect.

    A box is a choice of two of the W + 1 vertical pixel borders and two of the H + 1 horizontal ones:
    W (W + 1) / 2 * H (H + 1) / 2.
    """
    height, width = image_size
    return width * (width + 1) // 2 * (height * (height + 1) // 2)


def _grid(image_size: tuple[int, int], shape: tuple[int, int], stride: int) -> Float[Tensor, "r 4"]:
    """Windows of one shape (height, width), row by row; none where the image is smaller than the window."""
    (image_height, image_width), (height, width) = image_size, shape
    top = torch.arange(0, max(0, image_height - height + 1), stride)
    left = torch.arange(0, max(0, image_width - width + 1), stride)
    y, x = (grid.flatten() for grid in torch.meshgrid(top, left, indexing="ij"))
    return torch.stack([x, y, x + width, y + height], dim=1).float()
