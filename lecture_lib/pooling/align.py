"""RoIAlign: pooling without rounding, bilinear values at the points where they are wanted (Mask R-CNN, section 3)."""

from dataclasses import dataclass

import torch
import torchvision
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.boxes import area
from lecture_lib.structures import Maps, Proposals, check_boxes


def roi_align(
    features: Float[Tensor, "c h w"],
    boxes: Float[Tensor, "r 4"],
    stride: tuple[float, float],
    grid: tuple[int, int] = (7, 7),
    samples: int = 2,
) -> Float[Tensor, "r c rows columns"]:
    """Divide each box into a grid, and average samples x samples points in every part of it; nothing is rounded.

    Cell i of the map stands for pixel i S, as everywhere in this course, so that the point x lies at cell x / S.
    torchvision calls cell i's place i + 1/2, hence the half that is added for it. Equal to `align_points` and
    `bilinear`. Raises `ValueError` for boxes that are no boxes.
    """
    check_boxes(boxes)
    cells = boxes / boxes.new_tensor([stride[1], stride[0]] * 2) + 0.5
    return torchvision.ops.roi_align(features[None], [cells], grid, 1.0, samples, aligned=True)


def align_points(
    boxes: Float[Tensor, "r 4"], stride: tuple[float, float], grid: tuple[int, int] = (7, 7), samples: int = 2
) -> Float[Tensor, "r rows columns s 2"]:
    """The points (x, y), in cells of a map, that RoIAlign looks at in every part of the grid, row by row.

    Part i of n parts of a side w has its points at (i + (j + 1/2) / samples) w / n. Raises `ValueError` for boxes that
    are no boxes.
    """
    check_boxes(boxes)
    rows, columns = grid
    y = (torch.arange(rows * samples, device=boxes.device) + 0.5) / (rows * samples)  # in 0..1 of the box
    x = (torch.arange(columns * samples, device=boxes.device) + 0.5) / (columns * samples)
    x = (boxes[:, :1] + x * (boxes[:, 2:3] - boxes[:, :1])) / stride[1]  # [R, columns * samples]
    y = (boxes[:, 1:2] + y * (boxes[:, 3:] - boxes[:, 1:2])) / stride[0]
    x = x.view(-1, 1, columns, 1, samples).expand(-1, rows, -1, samples, -1)
    y = y.view(-1, rows, 1, samples, 1).expand(-1, -1, columns, -1, samples)
    return torch.stack([x, y], dim=-1).flatten(3, 4)


def bilinear(features: Float[Tensor, "c h w"], points: Float[Tensor, "*p 2"]) -> Float[Tensor, "c *p"]:
    """The map's values between its cells: each of the four cells about a point counts by how near it is.

    f(x, y) = sum over the four cells (i, j) of f(i, j) max(0, 1 - |x - i|) max(0, 1 - |y - j|)

    A point beyond the map's first or last cell takes the value at its border; more than a cell beyond it is 0.
    """
    height, width = features.shape[1:]
    x, y = points.unbind(-1)
    beyond = (x < -1) | (x > width) | (y < -1) | (y > height)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    value = 0.0
    for j in (y.floor(), y.floor() + 1):
        for i in (x.floor(), x.floor() + 1):
            nearness = (1 - (x - i).abs()).clamp(min=0) * (1 - (y - j).abs()).clamp(min=0)
            value = value + nearness * features[:, j.long().clamp(max=height - 1), i.long().clamp(max=width - 1)]
    return value.masked_fill(beyond, 0.0)


def choose_levels(maps: Maps, boxes: Float[Tensor, "r 4"], side: float) -> Int[Tensor, " r"]:
    """For each box the level of a pyramid, finest first, whose cells fit it (FPN, section 4.2, eq. 1).

    k = floor(k_0 + log2(sqrt(w h) / 224)), where a box of 224 pixels is on level k_0 of stride 16: it has 14 x 14 cells

    side: that number of cells. Boxes that are larger or smaller than all levels take the last or the first one.
    """
    cell = (maps[0].stride[0] * maps[0].stride[1]) ** 0.5  # pixels of the original image
    level = ((area(boxes) ** 0.5 / cell).clamp(min=1e-6) / side).log2()  # 0 where the finest map has `side` cells
    return level.floor().long().clamp(0, len(maps) - 1)


@dataclass(frozen=True)
class RoIAlign:
    """The `pool` of Mask R-CNN: a grid of bilinear values, of several maps out of the one that fits the region."""

    grid: tuple[int, int] = (7, 7)
    side: float = 14.0  # cells: a region at least that large on a map, and not twice so, is pooled there

    def __call__(self, maps: Maps, proposals: Proposals) -> Float[Tensor, "r c rows columns"]:
        """Pool the proposals out of the maps of one image."""
        chosen = choose_levels(maps, proposals.boxes, self.side)
        pooled = maps[0].tensor.new_zeros(len(proposals), maps[0].tensor.shape[0], *self.grid)
        for i, level in enumerate(maps):
            rows = (chosen == i).nonzero().flatten()
            part = roi_align(level.tensor, proposals.boxes[rows], level.stride, self.grid)
            pooled = pooled.index_copy(0, rows, part)
        return pooled
