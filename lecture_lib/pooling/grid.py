"""Pooling on the feature map of the whole image: SPPnet's pyramid of grids and Fast R-CNN's single one."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torchvision
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.boxes import area
from lecture_lib.pooling.bins import covered_windows, rounded_windows
from lecture_lib.structures import FeatureMap, Maps, Proposals

SPP_LEVELS = (6, 3, 2, 1)  # SPPnet, section 4.1: 6x6 + 3x3 + 2x2 + 1x1 = 50 bins


def spatial_pyramid_pool(
    features: Float[Tensor, "c h w"],
    boxes: Float[Tensor, "r 4"],
    stride: tuple[float, float],
    levels: Sequence[int] = SPP_LEVELS,
) -> Float[Tensor, "r d"]:
    """Max-pool each box's window of a map into n x n bins for every level n (SPPnet, section 3.1 and appendix A).

    Always c * sum(n^2) numbers, whatever the box: level by level, in each of them channel by channel, row by row.
    Raises `ValueError` for boxes that are no boxes and for levels that are none.
    """
    if not levels or min(levels) < 1:
        raise ValueError(f"spatial_pyramid_pool: levels are numbers of bins a side, such as (6, 3, 2, 1), got {levels}")
    windows = covered_windows(boxes, stride, (features.shape[1], features.shape[2]))
    return torch.cat([_pool_windows(features, windows, (n, n)).flatten(1) for n in levels], dim=1)


def roi_pool(
    features: Float[Tensor, "c h w"],
    boxes: Float[Tensor, "r 4"],
    stride: tuple[float, float],
    grid: tuple[int, int] = (7, 7),
) -> Float[Tensor, "r c rows columns"]:
    """Max-pool each box's window of a map into one grid of bins (Fast R-CNN, section 2.1): a pyramid of one level.

    Raises `ValueError` for boxes that are no boxes.
    """
    return _pool_windows(features, rounded_windows(boxes, stride), grid)


def _pool_windows(
    features: Float[Tensor, "c h w"], windows: Int[Tensor, "r 4"], grid: tuple[int, int]
) -> Float[Tensor, "r c rows columns"]:
    """The fast path: torchvision's operator divides whole cells just as `bins` does, and so does the compiled loop.

    But in single precision, as the authors' release: the last of 7 bins of 57 cells gets the cell after them too.
    """
    learning = torch.is_grad_enabled() and features.requires_grad
    if learning or features.device.type != "cpu" or features.dtype != torch.float32:
        return torchvision.ops.roi_pool(features[None], [windows.to(features.dtype)], grid)
    from lecture_lib.pooling.kernels import max_pool_windows

    cells = features.detach().permute(1, 2, 0).contiguous().numpy()
    return torch.from_numpy(max_pool_windows(cells, windows.numpy(), *grid))


def choose_maps(maps: Sequence[FeatureMap], boxes: Float[Tensor, "r 4"], side: float) -> Int[Tensor, " r"]:
    """For each box the map on which its area is nearest to side x side cells (SPPnet, section 4.1).

    The paper chooses the scale at which the region's pixels are nearest to 224 x 224, which is 14 x 14 cells of 16 px.
    """
    cell = boxes.new_tensor([m.stride[0] * m.stride[1] for m in maps])  # square pixels of the original image
    return (area(boxes)[:, None] / cell - side**2).abs().argmin(dim=1)


@dataclass(frozen=True)
class SpatialPyramid:
    """The `pool` of SPPnet: a pyramid of grids on the feature map, of several maps on the one that fits the region."""

    levels: tuple[int, ...] = SPP_LEVELS
    side: float = 14.0  # cells: of several maps take the one on which the region is nearest to side x side

    def __call__(self, maps: Maps, proposals: Proposals) -> Float[Tensor, "r d"]:
        """Pool the proposals out of the maps of one image."""
        chosen = choose_maps(maps, proposals.boxes, self.side)
        depth = maps[0].tensor.shape[0] * sum(n * n for n in self.levels)
        pooled = maps[0].tensor.new_zeros(len(proposals), depth)
        for i, feature_map in enumerate(maps):
            rows = (chosen == i).nonzero().flatten()
            part = spatial_pyramid_pool(feature_map.tensor, proposals.boxes[rows], feature_map.stride, self.levels)
            pooled = pooled.index_copy(0, rows, part)
        return pooled


@dataclass(frozen=True)
class RoIPool:
    """The `pool` of Fast R-CNN: one grid on the only feature map."""

    grid: tuple[int, int] = (7, 7)  # VGG16; 6 x 6 for AlexNet

    def __call__(self, maps: Maps, proposals: Proposals) -> Float[Tensor, "r c rows columns"]:
        """Pool the proposals out of the map. Raises `ValueError` for maps of several scales."""
        if len(maps) != 1:
            raise ValueError(f"RoIPool: Fast R-CNN pools out of one map, got {len(maps)}; encode at one scale")
        only = maps[0]
        return roi_pool(only.tensor, proposals.boxes, only.stride, self.grid)
