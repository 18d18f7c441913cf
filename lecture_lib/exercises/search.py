"""The second notebook's exercises: counting windows, comparing histograms, merging histograms."""

import torch
from torch import Tensor

from lecture_lib.exercises.record import Exercise
from lecture_lib.proposals.similarity import Region, color_similarity, merge

NOTEBOOK = "02_selective_search"


def _count_calls() -> tuple:
    plus_one = "A row of W pixels has W - w + 1 places for a window of w pixels, not W - w: count the first one too."
    floor = "The last step may not fit any more: divide with `//`, which rounds down, before adding 1."
    order = "Sizes are (height, width): compare height with height and width with width."
    outside = "A window larger than the picture fits nowhere. Two negative numbers multiply to a positive one."
    hardly = "A window one pixel too large fits nowhere: int(-0.25) is 0, but -1 // 4 is -1."
    return (
        (((4, 4), (2, 2), 1), plus_one),
        (((5, 9), (4, 2), 1), order),
        (((240, 320), (96, 96), 16), "Between two places lie `stride` pixels: (W - w) // stride + 1 of them fit."),
        (((10, 10), (3, 3), 4), floor),
        (((8, 8), (8, 8), 3), "A window as large as the picture fits exactly once."),
        (((8, 30), (16, 16), 4), outside),
        (((8, 8), (40, 40), 4), outside),
        (((8, 9), (9, 9), 4), hardly),
    )


def _count(image_size: tuple[int, int], window_size: tuple[int, int], stride: int) -> int:
    rows, columns = (range(0, s - w + 1, stride) for s, w in zip(image_size, window_size, strict=True))
    return len(rows) * len(columns)


def _intersection_calls() -> tuple:
    same = "Equal histograms share everything: 1. Multiplying gives less; take the smaller bin of each pair and add up."
    nothing = "Histograms without a common bin share nothing: 0."
    part = "Take the smaller of the two numbers bin by bin, then add them up; a difference measures the opposite."
    pairs = (
        ([0.5, 0.5], [0.5, 0.5], same),
        ([1.0, 0.0], [0.0, 1.0], nothing),
        ([0.75, 0.25, 0.0], [0.25, 0.25, 0.5], part),
        ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], part),
        ([1.0], [1.0], "A histogram may have a single bin."),
    )
    return tuple(((torch.tensor(a), torch.tensor(b)), hint) for a, b, hint in pairs)


def _region(histogram: Tensor, size: int = 1) -> Region:
    return Region(size, (0, 0, 1, 1), histogram, histogram)


def _intersection(a: Tensor, b: Tensor) -> float:
    return color_similarity(_region(a), _region(b))


def _merged_calls() -> tuple:
    summed = "The result must sum to 1 again: divide by the number of pixels of both regions, with `/`, not `//`."
    weighted = "A region of 300 pixels counts three times as much as one of 100: weight each histogram by its own size."
    rows = (
        ([1.0, 0.0], 100, [0.0, 1.0], 100, summed),
        ([1.0, 0.0], 300, [0.0, 1.0], 100, weighted),
        ([0.2, 0.8], 10, [0.6, 0.4], 990, weighted),
        ([0.25, 0.25, 0.5], 7, [0.25, 0.25, 0.5], 5, "Two equal histograms stay as they are, whatever the sizes."),
    )
    return tuple(((torch.tensor(a), m, torch.tensor(b), n), hint) for a, m, b, n, hint in rows)


def _merged(a: Tensor, size_a: int, b: Tensor, size_b: int) -> Tensor:
    return merge(_region(a, size_a), _region(b, size_b)).color


EXERCISES = (
    Exercise("window_count", NOTEBOOK, "count_windows", 2, _count_calls(), _count),
    Exercise("histogram_intersection", NOTEBOOK, "intersection", 2, _intersection_calls(), _intersection),
    Exercise("merged_histogram", NOTEBOOK, "merged_histogram", 2, _merged_calls(), _merged),
)
