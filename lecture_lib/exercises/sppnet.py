"""Checks of the fourth notebook's exercises: cells under a box, bins of a window, a spatial pyramid by hand."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lecture_lib.exercises.cases import Case, check_unspoilt
from lecture_lib.pooling import bins, covered_windows, spatial_pyramid_pool

FAR = 1000  # cells of a map whose border no box of these exercises reaches


def check_window(window: Callable[[Tensor, float], Tensor]) -> str:
    """Judge `window(boxes, stride)`: the first and last cells (x1, y1, x2, y2) of each box [R, 4], both included."""
    inside = (
        "A cell belongs to the box where its centre, pixel i * S, lies inside: floor(x / S) + 1 to ceil(x / S) - 1."
    )
    edge = "A centre exactly on the border is not inside: floor(32 / 16) + 1 = 3, and ceil(96 / 16) - 1 = 5."
    columns = "x and y of both corners: columns 0 and 1 follow one rule, columns 2 and 3 the other."
    calls = (
        ([[20.0, 20, 90, 90]], 16.0, inside),
        ([[32.0, 32, 96, 96]], 16.0, edge),
        ([[10.0, 40, 100, 200]], 16.0, columns),
        ([[10.0, 40, 100, 200]], 8.0, "The stride is an argument; it is not always 16."),
        ([[0.0, 0, 50, 30], [7, 9, 95, 64]], 12.5, "Every row is a box of its own, and a stride need not be whole."),
        ([], 16.0, "No box gives a result of shape [0, 4]."),
    )
    cases = []
    for boxes, stride, hint in calls:
        given = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        cases.append(Case((given, stride), covered_windows(given, (stride, stride), (FAR, FAR)), hint))
    return check_unspoilt(window, cases)


def check_edges(edges: Callable[[int, int], Sequence[tuple[int, int]]]) -> str:
    """Judge `edges(cells, n)`: start and end (not included) of each of n bins over a row of `cells` cells."""
    share = (
        "Bin i starts at floor(i * cells / n), rounding down, and ends before ceil((i + 1) * cells / n), rounding up: "
        "neighbours may share a cell."
    )
    few = "With fewer cells than bins, cells are used again: floor and ceil do that by themselves."
    calls = ((4, 1, "One bin takes all cells."), (12, 3, "12 cells in 3 bins are 4 cells for each."), (7, 2, share))
    calls += ((8, 3, share), (13, 6, share), (2, 3, few))
    cases = []
    for cells, n, hint in calls:
        window = torch.tensor([[0, 0, cells - 1, 0]])
        expected = bins(window, 1, n)[0, 0][:, [0, 2]]
        cases.append(Case((cells, n), expected, f"As a list of {n} pairs: {expected.tolist()}. {hint}"))
    return check_unspoilt(edges, cases)


def check_pyramid(pool: Callable[[Tensor, Sequence[int]], Tensor]) -> str:
    """Judge `pool(window, levels)`: the greatest value of every channel in every bin of a window [C, h, w], as [D].

    Level by level, in each of them channel by channel, row by row: as `spatial_pyramid_pool` gives them.
    """
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
        ((2, 4, 4), (2, 1), order),
        ((3, 6, 12), (3,), shape),
        ((2, 7, 5), (6, 3, 2, 1), share),
        ((1, 1, 2), (3,), share),
    )
    cases = []
    for size, levels, hint in calls:
        window = torch.rand(size, generator=generator) - 2.0  # all negative: a maximum that starts at 0 is found out
        whole = torch.tensor([[-0.5, -0.5, size[2] - 0.5, size[1] - 0.5]])
        cases.append(Case((window, levels), spatial_pyramid_pool(window, whole, (1.0, 1.0), levels)[0], hint))
    return check_unspoilt(pool, cases)
