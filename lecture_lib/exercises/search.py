"""Checks of the second notebook's exercises: counting windows, comparing histograms, merging histograms."""

from collections.abc import Callable

import torch
from torch import Tensor

from lecture_lib.exercises.cases import Case, check


def check_window_count(count: Callable[[tuple[int, int], tuple[int, int], int], int]) -> str:
    """Judge `count(image_size, window_size, stride)`: how many windows fit, sizes being (height, width)."""
    plus_one = "A row of W pixels has W - w + 1 places for a window of w pixels, not W - w: count the first one too."
    floor = "The last step may not fit any more: divide with `//`, which rounds down, before adding 1."
    order = "Sizes are (height, width): compare height with height and width with width."
    outside = "A window larger than the picture fits nowhere. Two negative numbers multiply to a positive one."
    calls = (
        (((4, 4), (2, 2), 1), plus_one),
        (((5, 9), (4, 2), 1), order),
        (((240, 320), (96, 96), 16), plus_one),
        (((10, 10), (3, 3), 4), floor),
        (((8, 8), (8, 8), 3), "A window as large as the picture fits exactly once."),
        (((8, 30), (16, 16), 4), outside),
        (((8, 8), (40, 40), 4), outside),
    )
    return check(count, [Case(arguments, _windows(*arguments), hint) for arguments, hint in calls])


def _windows(image_size: tuple[int, int], window_size: tuple[int, int], stride: int) -> int:
    rows, columns = (range(0, s - w + 1, stride) for s, w in zip(image_size, window_size, strict=True))
    return len(rows) * len(columns)


def check_histogram_intersection(similarity: Callable[[Tensor, Tensor], float]) -> str:
    """Judge `similarity(a, b)`: the intersection of two histograms of sum 1 (Selective Search, equation 1)."""
    same = "Equal histograms share everything: 1. Multiplying bins gives less; take the smaller of the two bins."
    nothing = "Histograms without a common bin share nothing: 0."
    part = "Take the smaller of the two numbers bin by bin, then add them up; a difference measures the opposite."
    pairs = (
        ([0.5, 0.5], [0.5, 0.5], same),
        ([1.0, 0.0], [0.0, 1.0], nothing),
        ([0.7, 0.3, 0.0], [0.2, 0.3, 0.5], part),
        ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], part),
    )
    cases = []
    for a, b, hint in pairs:
        shared = sum(min(x, y) for x, y in zip(a, b, strict=True))
        cases.append(Case((torch.tensor(a), torch.tensor(b)), shared, hint))
    return check(similarity, cases)


def check_merged_histogram(merged: Callable[[Tensor, int, Tensor, int], Tensor]) -> str:
    """Judge `merged(a, size_a, b, size_b)`: the histogram of two merged regions (Selective Search, equation 2)."""
    summed = "The result must sum to 1 again: divide by the number of pixels of both regions together."
    weighted = "A region of 300 pixels counts three times as much as one of 100: weight each histogram by its own size."
    rows = (
        ([1.0, 0.0], 100, [0.0, 1.0], 100, summed),
        ([1.0, 0.0], 300, [0.0, 1.0], 100, weighted),
        ([0.2, 0.8], 10, [0.6, 0.4], 990, weighted),
        ([0.25, 0.25, 0.5], 7, [0.25, 0.25, 0.5], 5, "Two equal histograms stay as they are, whatever the sizes."),
    )
    cases = []
    for a, size_a, b, size_b, hint in rows:
        pixels = [x * size_a + y * size_b for x, y in zip(a, b, strict=True)]
        expected = torch.tensor([count / (size_a + size_b) for count in pixels])
        cases.append(Case((torch.tensor(a), size_a, torch.tensor(b), size_b), expected, hint))
    return check(merged, cases)
