"""lecture_lib.pooling.grid: the fast pooling against the readable one, torchvision, and windows cut out by hand."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lecture_lib.pooling import (
    SPP_LEVELS,
    RoIPool,
    SpatialPyramid,
    bins,
    choose_maps,
    covered_windows,
    pool_bins,
    roi_pool,
    rounded_windows,
    spatial_pyramid_pool,
)
from lecture_lib.structures import FeatureMap, Proposals

ROWS, COLUMNS, CHANNELS = 9, 12, 3
STRIDES = [(16.0, 16.0), (12.5, 20.0), (13.3, 7.9)]  # (y, x)
BY_HAND = torch.tensor(
    [
        [0.0, 0, 192, 144],  # the whole image
        [8, 24, 104, 72],  # every corner on a half: x / 16 = k + 0.5
        [-40, -30, 60, 50],  # beyond the border
        [150, 100, 260, 190],
        [-90, -90, -70, -60],  # nothing of it inside
        [176, 128, 192, 144],  # the last cell
        [33, 33, 36, 36],  # smaller than a cell
        [50, 50, 50, 50],  # no area
        [0, 70, 192, 71],  # thin
        [70, 0, 71, 144],
        [16, 32, 112, 96],  # on cells' centres
    ]
)


def distinct(generator: torch.Generator) -> Tensor:
    """A map whose values are all different, half of them negative: every maximum has one cell of its own."""
    count = CHANNELS * ROWS * COLUMNS
    return (torch.randperm(count, generator=generator) - count / 2).reshape(CHANNELS, ROWS, COLUMNS)


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([230.0, 180.0]) - 30
    side = torch.rand(count, 2, generator=generator) ** 2 * 150
    boxes = torch.cat([corner, corner + side], dim=1)
    boxes[::3] = (boxes[::3] / 8).round() * 8  # many on cells' centres and halfway between them
    return boxes


BOXES = torch.cat([BY_HAND, random_boxes(60, 0)])


def readable_pyramid(features: Tensor, boxes: Tensor, stride: tuple[float, float], levels: tuple[int, ...]) -> Tensor:
    windows = covered_windows(boxes, stride, (features.shape[1], features.shape[2]))
    return torch.cat([pool_bins(features, bins(windows, n, n)).flatten(1) for n in levels], dim=1)


def readable_grid(features: Tensor, boxes: Tensor, stride: tuple[float, float], grid: tuple[int, int]) -> Tensor:
    return pool_bins(features, bins(rounded_windows(boxes, stride), *grid))


def test_no_region(device: torch.device) -> None:
    features, none = torch.rand(5, 4, 6, device=device), torch.zeros(0, 4, device=device)
    maps, proposals = (FeatureMap(features, (16.0, 16.0), (64, 96)),), Proposals.empty((64, 96)).to(device)
    for pooled, shape in (
        (spatial_pyramid_pool(features, none, (16.0, 16.0)), (0, 5 * 50)),
        (SpatialPyramid((2, 1))(maps, proposals), (0, 25)),
        (SpatialPyramid((2, 1))(maps * 3, proposals), (0, 25)),
        (roi_pool(features, none, (16.0, 16.0), (2, 3)), (0, 5, 2, 3)),
        (RoIPool((2, 3))(maps, proposals), (0, 5, 2, 3)),
    ):
        assert pooled.shape == shape
        assert pooled.device.type == device.type
    assert choose_maps(maps, none, 14.0).shape == (0,)


@pytest.mark.parametrize("stride", STRIDES)
def test_pyramid_is_adaptive_pooling_of_each_window_cut_out(
    stride: tuple[float, float], device: torch.device, generator: torch.Generator
) -> None:
    features = distinct(generator)
    pooled = spatial_pyramid_pool(features.to(device), BOXES.to(device), stride).cpu()
    assert pooled.shape == (len(BOXES), CHANNELS * 50)
    windows = covered_windows(BOXES, stride, (ROWS, COLUMNS))
    for r, (x1, y1, x2, y2) in enumerate(windows.tolist()):
        window = features[:, y1 : y2 + 1, x1 : x2 + 1]
        levels = [F.adaptive_max_pool2d(window, n).flatten() for n in (6, 3, 2, 1)]
        assert torch.equal(pooled[r], torch.cat(levels))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("levels", [(6, 3, 2, 1), (1,), (4, 7)])
def test_pyramid_is_the_readable_one(
    stride: tuple[float, float], levels: tuple[int, ...], device: torch.device, generator: torch.Generator
) -> None:
    features, boxes = distinct(generator), BOXES[::4]
    pooled = spatial_pyramid_pool(features.to(device), boxes.to(device), stride, levels).cpu()
    assert torch.equal(pooled, readable_pyramid(features, boxes, stride, levels))


def test_pyramid_is_50_bins_level_by_level_whatever_the_region(generator: torch.Generator) -> None:
    assert SPP_LEVELS == (6, 3, 2, 1)
    features = distinct(generator)
    pooled = spatial_pyramid_pool(features, BY_HAND[:1], (16.0, 16.0))[0]
    parts = pooled.split([CHANNELS * n * n for n in SPP_LEVELS])
    inside = features[:, 1:, 1:]  # the whole image's corner lies on the centre of cell 0, which is not inside
    assert torch.equal(parts[3], inside.amax((1, 2)))
    assert float(parts[0].view(CHANNELS, 6, 6)[1, 0, 5]) == float(inside[1, :2, 9:].max())  # 8 of 11 cells: 0-1, 9-10


@pytest.mark.parametrize("grid", [(7, 7), (6, 6), (2, 5), (1, 1)])
@pytest.mark.parametrize("scale", [1 / 16, 1 / 8, 1.0])
def test_grid_is_torchvisions(
    grid: tuple[int, int], scale: float, device: torch.device, generator: torch.Generator
) -> None:
    features, boxes = distinct(generator).to(device), (BOXES * (1 / 16 / scale)).to(device)
    pooled = roi_pool(features, boxes, (1 / scale, 1 / scale), grid)
    expected = torchvision.ops.roi_pool(features[None], [boxes], grid, spatial_scale=scale)
    assert pooled.shape == (len(BOXES), CHANNELS, *grid)
    assert torch.equal(pooled, expected)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("grid", [(7, 7), (2, 5)])
def test_grid_is_the_readable_one(
    stride: tuple[float, float], grid: tuple[int, int], device: torch.device, generator: torch.Generator
) -> None:
    features, boxes = distinct(generator), BOXES[::3]
    pooled = roi_pool(features.to(device), boxes.to(device), stride, grid).cpu()
    assert torch.equal(pooled, readable_grid(features, boxes, stride, grid))


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_any_boxes_are_pooled_alike(seed: int) -> None:
    features, boxes = distinct(torch.Generator().manual_seed(seed)), random_boxes(2, seed)
    stride = STRIDES[seed % 3]
    pyramid = spatial_pyramid_pool(features, boxes, stride, (3, 1))
    assert torch.equal(pyramid, readable_pyramid(features, boxes, stride, (3, 1)))
    assert torch.equal(roi_pool(features, boxes, stride, (3, 2)), readable_grid(features, boxes, stride, (3, 2)))


@pytest.mark.parametrize(
    ("pool", "readable", "form"),
    [(spatial_pyramid_pool, readable_pyramid, SPP_LEVELS), (roi_pool, readable_grid, (3, 4))],
)
@pytest.mark.parametrize("stride", STRIDES[:2])
def test_gradients_are_equal(
    pool: Callable, readable: Callable, form: tuple[int, ...], stride: tuple[float, float], device: torch.device
) -> None:
    generator, boxes, gradients = torch.Generator().manual_seed(5), BOXES[::5], []
    features = distinct(generator)
    shape = readable(features, boxes, stride, form).shape
    weight = torch.randint(1, 9, shape, generator=generator).float()  # whole, so that every order of adding is exact
    for way in (pool, readable):
        leaf = features.clone().to(device).requires_grad_()
        (way(leaf, boxes.to(device), stride, form) * weight.to(device)).sum().backward()
        gradients.append(leaf.grad.cpu())
    assert torch.equal(*gradients)
    assert (gradients[0] == 0).any()
    assert (gradients[0] > 0).sum() > 20


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8])
def test_every_width_is_divided_as_bins_does(n: int, device: torch.device) -> None:
    """Rising values tell each bin's last cell, falling ones its first. An image of 1000 px has 63 cells."""
    rising = torch.arange(70.0).expand(1, 1, 70)
    features, other = torch.cat([rising, -rising]).to(device), []
    for width in range(1, 64):
        pooled = roi_pool(features, torch.tensor([[2.0, 0, width + 1, 0]], device=device), (1.0, 1.0), (1, n))[0, :, 0]
        cells = bins(torch.tensor([[2, 0, width + 1, 0]]), 1, n)[0, 0]
        expected = torch.stack([cells[:, 2] - 1, -cells[:, 0]]).float()
        other += [width] if not torch.equal(pooled.cpu(), expected) else []
    assert other == ([57] if n == 7 else [])  # 57 / 7 * 7 is a little more than 57 in single precision


def test_levels_are_numbers_of_bins(as_user: None) -> None:
    for levels in ((), (3, 0), (-1,)):
        with pytest.raises(ValueError, match=r"levels are numbers of bins a side, such as \(6, 3, 2, 1\)"):
            spatial_pyramid_pool(torch.rand(1, 3, 3), torch.zeros(1, 4), (1.0, 1.0), levels)


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        (torch.tensor([[5.0, 0, 4, 1]]), "x2 < x1"),
        (torch.tensor([[0.0, 0, math.nan, 1]]), "not finite"),
        (torch.zeros(2, 5), r"shape \[R, 4\]"),
        (torch.zeros(2, 4, dtype=torch.long), "call .float"),
    ],
)
@pytest.mark.parametrize("pool", [spatial_pyramid_pool, roi_pool])
def test_what_is_no_box(pool: Callable, boxes: Tensor, says: str, as_user: None) -> None:
    with pytest.raises(ValueError, match=says):
        pool(torch.rand(1, 3, 3), boxes, (1.0, 1.0))


def maps_at(shorter_sides: tuple[int, ...], generator: torch.Generator) -> tuple[FeatureMap, ...]:
    """Maps of an image of 500 x 375 pixels (as in PASCAL VOC) that was resized to these shorter sides."""
    made = []
    for side in shorter_sides:
        size, stride = (side // 16 + 1, side * 4 // 3 // 16 + 1), 16 * 375 / side
        made.append(FeatureMap(torch.randn(2, *size, generator=generator), (stride, stride), (375, 500)))
    return tuple(made)


def test_the_scale_is_where_a_region_has_nearest_to_224_x_224_pixels(generator: torch.Generator) -> None:
    """SPPnet, section 4.1, with its five scales; the region's pixels are counted on the resized image."""
    sides = (480, 576, 688, 864, 1200)
    boxes = (random_boxes(300, 1) * 2).clamp(min=0)
    found = choose_maps(maps_at(sides, generator), boxes, 14.0)
    assert set(found.tolist()) == set(range(5))
    for (x1, y1, x2, y2), chosen in zip(boxes.tolist(), found.tolist(), strict=True):
        distance = [abs((x2 - x1) * (y2 - y1) * (side / 375) ** 2 - 224**2) for side in sides]
        assert distance[chosen] <= min(distance) * (1 + 1e-4) + 1


def test_side_moves_the_choice(generator: torch.Generator) -> None:
    maps, boxes = maps_at((240, 480), generator), torch.tensor([[0.0, 0, 100, 100]])  # 4 and 8 cells a side
    assert [int(choose_maps(maps, boxes, side)) for side in (3.0, 5.0, 7.0, 20.0)] == [0, 0, 1, 1]


def test_pyramid_takes_each_region_from_its_own_map(device: torch.device, generator: torch.Generator) -> None:
    maps = tuple(m.to(device) for m in maps_at((240, 480, 960), generator))
    boxes = (random_boxes(40, 2) * 2).clamp(min=0).to(device)
    pool = SpatialPyramid((3, 1), side=7.0)
    pooled, chosen = pool(maps, Proposals(boxes, None, (375, 500))), choose_maps(maps, boxes, 7.0)
    assert set(chosen.tolist()) == {0, 1, 2}
    for r, i in enumerate(chosen.tolist()):
        alone = spatial_pyramid_pool(maps[i].tensor, boxes[r : r + 1], maps[i].stride, (3, 1))[0]
        assert torch.equal(pooled[r], alone)


def test_gradients_reach_every_map(generator: torch.Generator) -> None:
    tensors = [m.tensor.requires_grad_() for m in maps_at((240, 960), generator)]
    maps = tuple(FeatureMap(t, (6000 / s, 6000 / s), (375, 500)) for t, s in zip(tensors, (240, 960), strict=True))
    boxes = torch.tensor([[0.0, 0, 300, 300], [100, 100, 140, 140], [50, 50, 300, 200]])
    SpatialPyramid((2,), side=7.0)(maps, Proposals(boxes, None, (375, 500))).sum().backward()
    assert [float(t.grad.sum()) for t in tensors] == [2 * 2 * 4, 1 * 2 * 4]  # regions x channels x bins


def test_roi_pool_takes_the_only_map(generator: torch.Generator) -> None:
    (only, other) = maps_at((240, 480), generator)
    boxes = BOXES[:10].clamp(min=0)
    pooled = RoIPool((2, 3))((only,), Proposals(boxes, None, (375, 500)))
    assert torch.equal(pooled, roi_pool(only.tensor, boxes, only.stride, (2, 3)))
    assert RoIPool() == RoIPool((7, 7))
    with pytest.raises(ValueError, match=r"RoIPool: .*one map.*got 2"):
        RoIPool((2, 3))((only, other), Proposals(boxes, None, (375, 500)))
