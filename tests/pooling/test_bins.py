"""lecture_lib.pooling.bins: the papers' rounding, worked out by hand and against counting cell by cell."""

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lecture_lib.pooling import bins, covered_windows, pool_bins, rounded_windows

CELLS = 9  # a side of the map
STRIDES = [(16.0, 16.0), (12.5, 20.0), (1.0, 3.0)]  # (y, x); quarters of them are exact in single precision

quarter = st.integers(-3 * 4, (CELLS + 3) * 4)  # quarters of a cell, up to three cells beyond the border


@st.composite
def quarters(draw) -> Tensor:
    """Boxes with corners on quarters of a cell, so that halves and cell centres are met often; in cells."""
    rows = draw(st.lists(st.tuples(quarter, quarter, quarter, quarter), max_size=8))
    corners = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4) / 4


def in_pixels(boxes: Tensor, stride: tuple[float, float]) -> Tensor:
    return boxes * torch.tensor([stride[1], stride[0]] * 2)


def half_away(x: float) -> int:
    return int(Decimal(x).quantize(Decimal(1), rounding=ROUND_HALF_UP))  # Decimal's name for away from zero


def covered(low: float, high: float) -> tuple[int, int]:
    """First and last of the cells that lie strictly between, counted one by one; the map has CELLS of them."""
    inside = [k for k in range(-50, 50) if low < k < high] or [half_away((low + high) / 2)]
    return tuple(min(max(k, 0), CELLS - 1) for k in (inside[0], inside[-1]))


def test_no_box(device: torch.device) -> None:
    none = torch.zeros(0, 4, device=device)
    for windows in (covered_windows(none, (16.0, 16.0), (3, 4)), rounded_windows(none, (16.0, 16.0))):
        assert (windows.shape, windows.dtype, windows.device.type) == ((0, 4), torch.long, device.type)
        cells = bins(windows, 2, 3)
        assert (cells.shape, cells.device.type) == ((0, 2, 3, 4), device.type)
        assert pool_bins(torch.rand(5, 3, 4, device=device), cells).shape == (0, 5, 2, 3)


@pytest.mark.parametrize(
    ("corners", "window"),
    [
        ((0, 160), (1, 9)),  # cell 0 is centred on the corner itself, not inside; cell 10 likewise
        ((1, 161), (1, 10)),
        ((-1, 159), (0, 9)),
        ((15.5, 16.5), (1, 1)),
        ((16, 48), (2, 2)),
        ((15, 49), (1, 3)),
        ((17, 47), (2, 2)),
        ((17, 31), (2, 2)),  # between two centres: floor + 1 = 2 is above ceil - 1 = 1; its own centre is 1.5 cells
        ((17, 30), (1, 1)),
        ((16, 32), (2, 2)),  # both corners on centres
        ((16, 16), (1, 1)),  # no width at all
        ((3, 11), (0, 0)),
        ((3, 13), (1, 1)),
    ],
)
def test_corner_rule_by_hand(corners: tuple[float, float], window: tuple[int, int]) -> None:
    """SPPnet, appendix A, with S = 16: floor(x / S) + 1 on the left and the top, ceil(x / S) - 1 on the others."""
    low, high = corners
    boxes = torch.tensor([[low, 33.0, high, 63], [33, low, 63, high]], dtype=torch.float32)
    first, last = window
    expected = [[first, 3, last, 3], [3, first, 3, last]]
    assert covered_windows(boxes, (16.0, 16.0), (40, 40)).tolist() == expected


@pytest.mark.parametrize("stride", STRIDES)
@settings(max_examples=40)
@given(boxes=quarters())
def test_covered_windows_are_the_centres_inside(stride: tuple[float, float], boxes: Tensor) -> None:
    windows = covered_windows(in_pixels(boxes, stride), stride, (CELLS, CELLS))
    for (x1, y1, x2, y2), window in zip(boxes.tolist(), windows.tolist(), strict=True):
        (left, right), (top, bottom) = covered(x1, x2), covered(y1, y2)
        assert window == [left, top, right, bottom]


def test_map_ends_in_its_own_rows_and_columns() -> None:
    boxes = torch.tensor([[-90.0, -90, 900, 900], [-90, -90, -40, -40], [700, 700, 900, 900]])
    windows = covered_windows(boxes, (16.0, 16.0), (3, 7))
    assert windows.tolist() == [[0, 0, 6, 2], [0, 0, 0, 0], [6, 2, 6, 2]]


def test_thin_box_misses_the_centres_in_one_direction_only() -> None:
    boxes = torch.tensor([[17.0, 20, 20, 100], [20, 28, 100, 31]])
    assert covered_windows(boxes, (16.0, 16.0), (9, 9)).tolist() == [[1, 2, 1, 6], [2, 2, 6, 2]]


@pytest.mark.parametrize("stride", STRIDES)
@settings(max_examples=40)
@given(boxes=quarters())
def test_rounded_windows_are_rounded_halves_away_from_zero(stride: tuple[float, float], boxes: Tensor) -> None:
    windows = rounded_windows(in_pixels(boxes, stride), stride)
    for box, window in zip(boxes.tolist(), windows.tolist(), strict=True):
        x1, y1, x2, y2 = (half_away(corner) for corner in box)
        assert window == [x1, y1, max(x2, x1), max(y2, y1)]


def test_exact_halves_and_their_neighbours() -> None:
    """torch.round would send 0.5 to 0 and 2.5 to 2; adding 0.5 first would send the number just below 0.5 to 1."""
    corners = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 1.4999999, -0.49999997, 8388609.0])
    boxes = torch.stack([corners, corners, corners, corners], dim=1)
    assert rounded_windows(boxes, (1.0, 1.0))[:, 0].tolist() == [1, 2, 3, -1, -2, 0, 1, 0, 8388609]


@given(st.integers(-5, 20), st.integers(1, 40), st.integers(1, 9))
def test_bins_are_the_cells_that_reach_into_a_fraction_of_the_window(first: int, width: int, n: int) -> None:
    """Cell c of a window of w cells belongs to bin i of n where [c, c + 1) and [i w / n, (i + 1) w / n) overlap."""
    cells = bins(torch.tensor([[first, 2, first + width - 1, 4]]), 1, n)[0, 0]
    for i, (x1, y1, x2, y2) in enumerate(cells.tolist()):
        expected = [first + c for c in range(width) if c * n < (i + 1) * width and (c + 1) * n > i * width]
        assert list(range(x1, x2)) == expected
        assert (y1, y2) == (2, 5)


def test_rows_and_columns_are_not_exchanged() -> None:
    (cells,) = bins(torch.tensor([[0, 10, 5, 11]]), 2, 3)
    assert cells[1].tolist() == [[0, 11, 2, 12], [2, 11, 4, 12], [4, 11, 6, 12]]
    assert cells[:, 2].tolist() == [[4, 10, 6, 11], [4, 11, 6, 12]]


def test_neighbours_share_a_cell_and_small_windows_repeat_cells() -> None:
    def halves(width: int, n: int) -> list[list[int]]:
        return bins(torch.tensor([[0, 0, width - 1, 0]]), 1, n)[0, 0][:, [0, 2]].tolist()

    assert halves(6, 3) == [[0, 2], [2, 4], [4, 6]]
    assert halves(7, 3) == [[0, 3], [2, 5], [4, 7]]
    assert halves(2, 4) == [[0, 1], [0, 1], [1, 2], [1, 2]]
    assert halves(1, 3) == [[0, 1]] * 3


def test_greatest_value_by_a_loop_over_cells(device: torch.device, generator: torch.Generator) -> None:
    features = torch.randn(3, 5, 8, generator=generator) - 4  # negative, so that a 0 from beyond the border would show
    windows = torch.tensor([[0, 0, 7, 4], [1, 2, 3, 4], [5, 3, 9, 9], [-2, -1, 1, 1], [20, 20, 22, 22], [6, 4, 6, 4]])
    cells = bins(windows, 2, 3)
    pooled = pool_bins(features.to(device), cells.to(device)).cpu()
    assert pooled.shape == (6, 3, 2, 3)
    for r, row, column, c in torch.cartesian_prod(*map(torch.arange, (6, 2, 3, 3))).tolist():
        x1, y1, x2, y2 = cells[r, row, column].tolist()
        inside = [(y, x) for y in range(y1, y2) for x in range(x1, x2) if 0 <= y < 5 and 0 <= x < 8]
        expected = max((float(features[c, y, x]) for y, x in inside), default=0.0)
        assert float(pooled[r, c, row, column]) == expected
    assert (pooled[4] == 0).all()
    assert (pooled[:4] < 0).any()


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        (torch.tensor([[5.0, 0, 4, 1]]), "x2 < x1"),
        (torch.tensor([[0.0, 0, math.nan, 1]]), "not finite"),
        (torch.tensor([[0.0, 0, math.inf, 1]]), "not finite"),
        (torch.zeros(2, 5), r"shape \[R, 4\]"),
        (torch.zeros(2, 4, dtype=torch.long), "call .float"),
    ],
)
def test_what_is_no_box(boxes: Tensor, says: str, as_user: None) -> None:
    for windows in (lambda: covered_windows(boxes, (16.0, 16.0), (9, 9)), lambda: rounded_windows(boxes, (16.0, 16.0))):
        with pytest.raises(ValueError, match=says):
            windows()
