"""The fourth notebook's exercises: cells under a box, bins of a window, a spatial pyramid by hand."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lecture_lib.exercises.record import Exercise
from lecture_lib.pooling import bins, covered_windows, pool_bins

NOTEBOOK = "04_sppnet"
FAR = 100_000  # cells of a map whose border no box of these exercises reaches
ADAPTIVE = tuple(f"torch.nn.functional.adaptive_max_pool{d}d" for d in (1, 2, 3))
ADAPTIVE += tuple(f"torch.nn.AdaptiveMaxPool{d}d" for d in (1, 2, 3))  # the bins of a pyramid's level


def _covered_calls() -> tuple:
    inside = (
        "A cell belongs to the box where its centre, pixel i * S, lies inside: floor(x / S) + 1 to ceil(x / S) - 1."
    )
    edge = "A centre exactly on the border is not inside: floor(32 / 16) + 1 = 3, and ceil(96 / 16) - 1 = 5."
    columns = "x and y of both corners: columns 0 and 1 follow one rule, columns 2 and 3 the other."
    calls = (
        ([[20.0, 20, 90, 90]], 16.0, inside),
        ([[32.0, 32, 96, 96]], 16.0, edge),
        ([[0.0, 0, 32, 48]], 16.0, "Pixel 0 is the centre of cell 0, and it lies on this box's border."),
        ([[10.0, 40, 100, 200]], 16.0, columns),
        ([[15.75, 31.5, 64.25, 96.5]], 16.0, "Coordinates may be fractions of a pixel: divide them as they are."),
        ([[10.0, 40, 100, 200]], 8.0, "The stride is an argument; it is not always 16."),
        ([[3.0, 9, 50, 30], [7, 11, 95, 64]], 12.5, "Every row is a box of its own, and a stride need not be whole."),
        ([], 16.0, "No box gives a result of shape [0, 4]."),
    )
    return tuple(((torch.tensor(b, dtype=torch.float32).reshape(-1, 4), s), hint) for b, s, hint in calls)


def _covered(boxes: Tensor, stride: float) -> Tensor:
    return covered_windows(boxes, (stride, stride), (FAR, FAR))


def _bins_calls() -> tuple:
    share = (
        "Bin i starts at floor(i * cells / n), rounding down, and ends before ceil((i + 1) * cells / n), rounding up: "
        "neighbours may share a cell."
    )
    few = "With fewer cells than bins, cells are used again: floor and ceil do that by themselves."
    calls = (
        ((4, 1), "One bin takes all cells."),
        ((12, 3), "12 cells in 3 bins are 4 cells for each, and the end of a pair is not included."),
        ((7, 2), share),
        ((8, 3), share),
        ((13, 6), share),
        ((2, 3), few),
        ((1, 6), few),
    )
    return tuple((call, f"Give a list of {call[1]} pairs (start, end). {hint}") for call, hint in calls)


def _bins(cells: int, n: int) -> list[tuple[int, int]]:
    pairs = bins(torch.tensor([[0, 0, cells - 1, 0]]), 1, n)[0, 0][:, [0, 2]]
    return [(start, end) for start, end in pairs.tolist()]


def _pyramid_calls() -> tuple:
    most = "A bin gives its greatest value, for each channel by itself: .amax(dim=(1, 2)), not the mean."
    order = (
        "The order is level, channel, row, column: a level's grid [C, n, n] is flattened before the next one follows."
    )
    share = "Bin i of n covers the cells from floor(i * size / n) to before ceil((i + 1) * size / n)."
    shape = "Columns divide the width, rows the height of the window."
    generator = torch.Generator().manual_seed(4)
    calls = (
        ((1, 2, 2), (1,), most),
        ((1, 4, 4), (2,), order),
        ((2, 4, 4), (1, 2), order),
        ((2, 4, 4), (2, 1), order),
        ((1, 3, 6), (3,), shape),
        ((2, 5, 4), (3, 2, 1), share),
        ((1, 1, 2), (3,), share),
    )
    drawn = [(torch.rand(size, generator=generator).mul(8).round() / 4 - 2.5, *rest) for size, *rest in calls]
    return tuple(((window, levels), hint) for window, levels, hint in drawn)  # below 0: no maximum may start at 0


def _pyramid(window: Tensor, levels: Sequence[int]) -> Tensor:
    whole = torch.tensor([[0, 0, window.shape[2] - 1, window.shape[1] - 1]])
    return torch.cat([pool_bins(window, bins(whole, n, n)).flatten() for n in levels])


EXERCISES = (
    Exercise("covered_windows", NOTEBOOK, "window_of", 2, _covered_calls(), _covered),
    Exercise("bins", NOTEBOOK, "edges_of", 2, _bins_calls(), _bins),
    Exercise(
        "spatial_pyramid", NOTEBOOK, "pyramid_of", 3, _pyramid_calls(), _pyramid, forbidden=ADAPTIVE, needs=("bins",)
    ),
)
