"""Anchors: boxes of fixed sizes and shapes, where a region proposal network starts (Faster R-CNN, section 3.1.1)."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import FeatureMap


@dataclass(frozen=True)
class Anchors:
    """The k boxes about each cell of a map; the paper has 3 sides and 3 ratios on images of 600 pixels.

    Raises `ValueError` unless there are sides and ratios, all of them and the stride positive.
    """

    sides: tuple[int, ...] = (128, 256, 512)  # roots of the areas, in pixels of the image as the network sees it
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)  # height / width
    stride: int = 16  # of the trunk, in the same pixels

    def __post_init__(self) -> None:
        if not self.sides or not self.ratios or min(*self.sides, *self.ratios, self.stride) <= 0:
            raise ValueError(f"Anchors: sides, ratios and stride must be positive, at least one of each, got {self}")

    def __len__(self) -> int:
        return len(self.sides) * len(self.ratios)

    def about_origin(self) -> Float[Tensor, "k 4"]:
        """The boxes about the point 0: for each ratio r all sides s, of height s sqrt(r) and width s / sqrt(r)."""
        root = torch.tensor(self.ratios).sqrt()[:, None]  # [ratios, 1]
        half_height = (root * torch.tensor(self.sides)).flatten() / 2
        half_width = (torch.tensor(self.sides) / root).flatten() / 2
        return torch.stack([-half_width, -half_height, half_width, half_height], dim=1)


def anchor_grid(feature_map: FeatureMap, anchors: Anchors) -> Float[Tensor, "n 4"]:
    """All h w k anchors of a map, in pixels of the original image, as far as they reach, beyond its borders too.

    Row (y w + x) k + a is anchor a about cell (x, y): the cells row by row, and the k of one cell together. That is the
    order of a map [k, h, w] of scores after `permute(1, 2, 0).flatten()`.
    """
    _, rows, columns = feature_map.tensor.shape
    return _grid(rows, columns, feature_map.stride, anchors, feature_map.tensor.device)


@lru_cache(maxsize=32)  # images of one size have the same anchors
def _grid(
    rows: int, columns: int, stride: tuple[float, float], anchors: Anchors, device: torch.device
) -> Float[Tensor, "n 4"]:
    step = torch.tensor(stride)  # (y, x) original pixels per cell
    y, x = torch.meshgrid(torch.arange(rows) * step[0], torch.arange(columns) * step[1], indexing="ij")
    centers = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4)  # cell i is centred on pixel i S
    scale = (step / anchors.stride).flip(0).repeat(2)  # the network's pixels to the original's, (x, y, x, y)
    return (centers + anchors.about_origin() * scale).reshape(-1, 4).to(device)


def inside(boxes: Float[Tensor, "n 4"], image_size: tuple[int, int]) -> Tensor:
    """Which boxes do not cross the border of an image of (height, width): a mask [n]."""
    height, width = image_size
    return (boxes[:, :2] >= 0).all(1) & (boxes[:, 2] <= width) & (boxes[:, 3] <= height)
