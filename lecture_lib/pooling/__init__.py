"""From regions of any size to one fixed size, which is what fully connected layers insist on."""

from lecture_lib.pooling.align import RoIAlign, align_points, bilinear, choose_levels, roi_align
from lecture_lib.pooling.bins import bins, covered_windows, pool_bins, rounded_windows
from lecture_lib.pooling.grid import (
    SPP_LEVELS,
    RoIPool,
    SpatialPyramid,
    choose_maps,
    roi_pool,
    spatial_pyramid_pool,
)
from lecture_lib.pooling.warp import WarpRegions, warp_regions, with_context

__all__ = [
    "SPP_LEVELS",
    "RoIAlign",
    "RoIPool",
    "SpatialPyramid",
    "WarpRegions",
    "align_points",
    "bilinear",
    "bins",
    "choose_levels",
    "choose_maps",
    "covered_windows",
    "pool_bins",
    "roi_align",
    "roi_pool",
    "rounded_windows",
    "spatial_pyramid_pool",
    "warp_regions",
    "with_context",
]
