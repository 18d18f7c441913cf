"""lecture_lib.pooling.align: the fast RoIAlign against points and bilinear values, torchvision, and moved boxes."""

import math
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor

from lecture_lib.pooling import RoIAlign, align_points, bilinear, choose_levels, roi_align, roi_pool
from lecture_lib.structures import FeatureMap, Proposals

ROWS, COLUMNS, CHANNELS = 9, 12, 3
STRIDES = [(16.0, 16.0), (12.5, 20.0), (13.3, 7.9)]  # (y, x)
BY_HAND = torch.tensor(
    [
        [0.0, 0, 192, 144],  # the whole image
        [8, 24, 104, 72],
        [-40, -30, 60, 50],  # beyond the border
        [150, 100, 260, 190],
        [-90, -90, -70, -60],  # nothing of it inside
        [33, 33, 36, 36],  # smaller than a cell
        [50, 50, 50, 50],  # no area
        [0, 70, 192, 71],  # thin
        [16, 32, 112, 96],  # on cells' centres
    ]
)


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([230.0, 180.0]) - 30
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator) ** 2 * 150], dim=1)


BOXES = torch.cat([BY_HAND, random_boxes(60, 0)])


@pytest.fixture
def features(generator: torch.Generator) -> Tensor:
    return torch.randn(CHANNELS, ROWS, COLUMNS, generator=generator)


def value_at(features: Tensor, x: float, y: float) -> Tensor:
    """Between four cells in turn along x and y; 0 more than a cell outside."""
    rows, columns = features.shape[1:]
    if not (-1 <= x <= columns and -1 <= y <= rows):
        return torch.zeros(len(features))
    x, y = min(max(x, 0.0), columns - 1.0), min(max(y, 0.0), rows - 1.0)
    left, top = min(int(x), columns - 2), min(int(y), rows - 2)
    above, below = (
        features[:, row, left] + (x - left) * (features[:, row, left + 1] - features[:, row, left])
        for row in (top, top + 1)
    )
    return above + (y - top) * (below - above)


def test_no_region(device: torch.device) -> None:
    features, none = torch.rand(5, 4, 6, device=device), torch.zeros(0, 4, device=device)
    proposals = Proposals.empty((64, 96)).to(device)
    maps = tuple(FeatureMap(features, (stride, stride), (64, 96)) for stride in (8.0, 16.0, 32.0))
    for pooled in (
        roi_align(features, none, (16.0, 16.0), (2, 3)),
        RoIAlign((2, 3))(maps[:1], proposals),
        RoIAlign((2, 3))(maps, proposals),
    ):
        assert pooled.shape == (0, 5, 2, 3)
        assert pooled.device.type == device.type
    assert align_points(none, (16.0, 16.0), (2, 3)).shape == (0, 2, 3, 4, 2)
    assert bilinear(features, torch.zeros(0, 2, device=device)).shape == (5, 0)
    assert choose_levels(maps, none, 14.0).shape == (0,)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize(("grid", "samples"), [((7, 7), 2), ((2, 5), 1), ((1, 1), 3)])
def test_it_is_the_mean_of_bilinear_values_at_its_points(
    features: Tensor, stride: tuple[float, float], grid: tuple[int, int], samples: int, device: torch.device
) -> None:
    points = align_points(BOXES, stride, grid, samples)
    assert points.shape == (len(BOXES), *grid, samples**2, 2)
    expected = bilinear(features, points).mean(-1).transpose(0, 1)  # [c, R, rows, columns, s] -> [R, c, ..]
    found = roi_align(features.to(device), BOXES.to(device), stride, grid, samples).cpu()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_bilinear_is_between_the_four_cells_and_0_beyond_the_border(features: Tensor, device: torch.device) -> None:
    x = torch.rand(200, generator=torch.Generator().manual_seed(1)) * (COLUMNS + 4) - 2
    y = torch.rand(200, generator=torch.Generator().manual_seed(2)) * (ROWS + 4) - 2
    corners = torch.tensor([[0.0, 0], [11, 8], [12, 9], [-1, -1], [3, 4], [3.5, 8], [12.01, 3], [3, -1.01]])
    points = torch.cat([torch.stack([x, y], dim=1), corners])
    found = bilinear(features.to(device), points.to(device)).cpu()
    for n, (a, b) in enumerate(points.tolist()):
        torch.testing.assert_close(found[:, n], value_at(features, a, b), atol=1e-5, rtol=1e-4)
    assert torch.equal(found[:, -4], features[:, 4, 3])  # on a cell: its value
    assert not found[:, -2:].any()


def test_points_are_spread_evenly_over_the_box() -> None:
    points = align_points(torch.tensor([[16.0, 8, 80, 40]]), (8.0, 16.0), (1, 2), samples=2)[0]
    assert points[0, 0].tolist() == [[1.5, 2.0], [2.5, 2.0], [1.5, 4.0], [2.5, 4.0]]  # cells 1..3 by 1..5
    assert points[0, 1].tolist() == [[3.5, 2.0], [4.5, 2.0], [3.5, 4.0], [4.5, 4.0]]


@pytest.mark.parametrize("scale", [1 / 16, 1 / 8, 1.0])
@pytest.mark.parametrize(("grid", "samples"), [((7, 7), 2), ((3, 5), 1)])
def test_it_is_torchvisions_where_a_box_has_a_cell(
    features: Tensor, scale: float, grid: tuple[int, int], samples: int, device: torch.device
) -> None:
    """Cell i at pixel i S is torchvision's aligned=False, which makes boxes below a cell one cell large; ours stay."""
    boxes, features = BOXES * (1 / 16 / scale), features.to(device)
    found = roi_align(features, boxes.to(device), (1 / scale, 1 / scale), grid, samples).cpu()
    expected = torchvision.ops.roi_align(features[None], [boxes.to(device)], grid, scale, samples).cpu()
    large = ((boxes[:, 2:] - boxes[:, :2]) * scale >= 1).all(1)
    assert 30 < int(large.sum()) < len(boxes)
    torch.testing.assert_close(found[large], expected[large], atol=1e-4, rtol=1e-4)
    assert (found - expected)[~large].abs().max() > 0.01


def test_a_map_that_rises_evenly_gives_each_parts_centre() -> None:
    """Its pooled values tell, in cells, where the parts of the box lie."""
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(12.0), indexing="ij")
    boxes = torch.tensor([[20.0, 10, 90, 73], [33, 33, 36, 36]])
    pooled = roi_align(torch.stack([x, y]), boxes, (10.0, 16.0), (2, 4))
    parts = (torch.arange(4) + 0.5) / 4
    for row, (x1, y1, x2, y2) in zip(pooled, boxes, strict=True):
        torch.testing.assert_close(row[0, 0], (x1 + parts * (x2 - x1)) / 16)
        torch.testing.assert_close(row[1, :, 0], (y1 + torch.tensor([0.25, 0.75]) * (y2 - y1)) / 10)


def test_beyond_the_border_are_zeros(features: Tensor) -> None:
    far = torch.tensor([[-90.0, -90, -70, -60], [300, 20, 340, 60]])
    assert not roi_align(features, far, (16.0, 16.0)).any()
    half = roi_align(features, torch.tensor([[-64.0, 0, 64, 128]]), (16.0, 16.0), (2, 2))[0]
    assert not half[:, :, 0].eq(half[:, :, 1]).all()
    inner = roi_align(features, torch.tensor([[0.0, 0, 64, 128]]), (16.0, 16.0), (2, 1))[0]
    torch.testing.assert_close(half[:, :, 1:], inner)


def test_gradients_are_equal(features: Tensor, device: torch.device) -> None:
    weight, gradients = torch.rand(len(BOXES), CHANNELS, 3, 4, generator=torch.Generator().manual_seed(3)), []

    def readable(features: Tensor, boxes: Tensor) -> Tensor:
        return bilinear(features, align_points(boxes, STRIDES[1], (3, 4))).mean(-1).transpose(0, 1)

    def fast(features: Tensor, boxes: Tensor) -> Tensor:
        return roi_align(features, boxes, STRIDES[1], (3, 4))

    for way in (fast, readable):
        leaf = features.clone().to(device).requires_grad_()
        (way(leaf, BOXES.to(device)) * weight.to(device)).sum().backward()
        gradients.append(leaf.grad.cpu())
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)
    assert (gradients[0] > 0).float().mean() > 0.8


def largest_jump(pool: Callable, features: Tensor, step: float) -> float:
    """The largest change of any pooled value while a box moves by two cells, `step` pixels at a time."""
    shifts = torch.arange(0, 32, step)
    boxes = torch.tensor([37.0, 21, 121, 99]) + torch.stack([shifts, shifts, shifts, shifts], dim=1)
    pooled = pool(features, boxes, (16.0, 16.0), (3, 3))
    return float((pooled[1:] - pooled[:-1]).abs().max())


def test_a_box_moved_by_sub_pixels_glides_where_rounding_jumps(features: Tensor) -> None:
    """Half the step is half the change; rounding jumps by as much however small the step is."""
    coarse, fine = (largest_jump(roi_align, features, step) for step in (0.5, 0.05))
    assert 0 < fine < 0.15 * coarse
    assert coarse < 0.25
    jumps = [largest_jump(roi_pool, features, step) for step in (0.5, 0.05)]
    assert min(jumps) > 0.8
    assert jumps[1] > 0.8 * jumps[0]


def levels(strides: tuple[float, ...] = (8.0, 16.0, 32.0)) -> tuple[FeatureMap, ...]:
    made = []
    for number, stride in enumerate(strides):
        generator = torch.Generator().manual_seed(number)
        size = (math.ceil(480 / stride), math.ceil(640 / stride))
        made.append(FeatureMap(torch.randn(2, *size, generator=generator), (stride, stride), (480, 640)))
    return tuple(made)


def level_of(box: list[float], side: float, strides: tuple[float, ...]) -> int:
    """FPN, eq. 1: k_0 is the level on which a box of `side` x `side` cells of that level lies."""
    x1, y1, x2, y2 = box
    root = math.sqrt((x2 - x1) * (y2 - y1))
    reference = side * strides[0]  # pixels of the box whose level is the first
    level = math.floor(math.log2(root / reference)) if root > 0 else -99
    return min(max(level, 0), len(strides) - 1)


@pytest.mark.parametrize("side", [14.0, 7.0, 5.0])
@pytest.mark.parametrize("strides", [(8.0, 16.0, 32.0), (4.0, 8.0, 16.0, 32.0), (16.0,)])
def test_levels_are_those_of_eq_1(side: float, strides: tuple[float, ...]) -> None:
    generator = torch.Generator().manual_seed(7)
    corner = torch.rand(300, 2, generator=generator) * 100
    sides = 2 ** (torch.rand(300, 2, generator=generator) * 9)
    boxes = torch.cat([corner, corner + sides], dim=1)
    found = choose_levels(levels(strides), boxes, side).tolist()
    assert found == [level_of(box, side, strides) for box in boxes.tolist()]
    assert set(found) == set(range(len(strides)))


def test_the_papers_example_and_the_borders_of_the_levels() -> None:
    """A box of 224 pixels is on the level of stride 16, one of 112 on that of stride 8 (FPN, section 4.2)."""
    sides = torch.tensor([223.9, 224, 447.9, 448, 112, 111.9, 3, 0.01, 0, 1e6])
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)
    assert choose_levels(levels(), boxes, 14.0).tolist() == [0, 1, 1, 2, 0, 0, 0, 0, 0, 2]
    four = choose_levels(levels((4.0, 8.0, 16.0, 32.0)), boxes, 14.0)
    assert four.tolist() == [1, 2, 2, 3, 1, 0, 0, 0, 0, 3]


def test_levels_follow_the_area_whatever_the_shape_of_box_and_cell() -> None:
    boxes = torch.tensor([[0.0, 0, 448, 112], [0, 0, 112, 448], [0, 0, 640, 0]])
    assert choose_levels(levels(), boxes, 14.0).tolist() == [1, 1, 0]
    wide = tuple(FeatureMap(torch.zeros(1, 4, 4), (s / 2, s * 2), (480, 640)) for s in (8.0, 16.0, 32.0))
    assert choose_levels(wide, boxes, 14.0).tolist() == [1, 1, 0]


def test_each_region_is_pooled_from_its_own_level(device: torch.device) -> None:
    maps = tuple(m.to(device) for m in levels())
    boxes = torch.cat([random_boxes(30, 3), random_boxes(30, 4) * 2.5]).clamp(min=0).to(device)
    pool = RoIAlign((2, 3), side=7.0)
    pooled, chosen = pool(maps, Proposals(boxes, None, (480, 640))), choose_levels(maps, boxes, 7.0)
    assert set(chosen.tolist()) == {0, 1, 2}
    for r, level in enumerate(chosen.tolist()):
        alone = roi_align(maps[level].tensor, boxes[r : r + 1], maps[level].stride, (2, 3))[0]
        assert torch.equal(pooled[r], alone)
    assert RoIAlign() == RoIAlign((7, 7), 14.0)


def test_gradients_reach_every_level() -> None:
    tensors = [level.tensor.requires_grad_() for level in levels()]
    maps = tuple(FeatureMap(t, (s, s), (480, 640)) for t, s in zip(tensors, (8.0, 16.0, 32.0), strict=True))
    boxes = torch.tensor([[20.0, 20, 60, 60], [30, 30, 170, 170], [10, 10, 300, 300], [90, 90, 130, 130]])
    RoIAlign((2, 2), side=7.0)(maps, Proposals(boxes, None, (480, 640))).sum().backward()
    # 2 channels of 4 parts for each region; bilinear weights sum to 1
    assert [float(t.grad.sum()) for t in tensors] == pytest.approx([2 * 8, 8, 8], rel=1e-5)


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        (torch.tensor([[5.0, 0, 4, 1]]), "x2 < x1"),
        (torch.tensor([[0.0, 0, math.nan, 1]]), "not finite"),
        (torch.zeros(2, 5), r"shape \[R, 4\]"),
    ],
)
def test_what_is_no_box(boxes: Tensor, says: str, as_user: None) -> None:
    with pytest.raises(ValueError, match=says):
        roi_align(torch.rand(1, 3, 3), boxes, (1.0, 1.0))
    with pytest.raises(ValueError, match=says):
        align_points(boxes, (1.0, 1.0))
