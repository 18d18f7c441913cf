import pytest
import torch

from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.proposals.sliding_window import SlidingWindow, count_windows


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda i, w, s: (i[0] - w[0]) // s * ((i[1] - w[1]) // s), "W - w + 1"),
        (lambda i, w, s: ((i[0] - w[1]) // s + 1) * ((i[1] - w[0]) // s + 1), "height with height"),
        (lambda i, w, s: ((i[0] - w[0]) / s + 1) * ((i[1] - w[1]) / s + 1), "rounds down"),
        (lambda i, w, s: ((i[0] - w[0]) // s + 1) * ((i[1] - w[1]) // s + 1), "larger than the picture"),
        (lambda i, w, s: max(int((i[0] - w[0]) / s) + 1, 0) * max(int((i[1] - w[1]) / s) + 1, 0), "int(-0.25) is 0"),
    ],
)
def test_wrong_window_counts_get_the_hint_that_helps(wrong, hint):
    assert hint in check.window_count(wrong)


@pytest.mark.parametrize(("image_size", "side", "stride"), [((240, 320), 96, 16), ((50, 33), 33, 4), ((9, 90), 12, 1)])
def test_windows_are_counted_as_the_library_does(image_size, side, stride):
    expected = count_windows(image_size, SlidingWindow((side,), (1.0,), stride))
    assert EXERCISES["window_count"].expected(image_size, (side, side), stride) == expected


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, b: (a * b).sum(), "take the smaller"),
        (lambda a, b: (a - b).abs().sum(), "Equal histograms share everything"),
        (lambda a, b: torch.maximum(a, b).sum(), "share nothing"),
        (lambda a, b: torch.nn.functional.cosine_similarity(a, b, dim=0), "Take the smaller"),
    ],
)
def test_wrong_intersections_get_the_hint_that_helps(wrong, hint):
    assert hint in check.histogram_intersection(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, m, b, n: m * a + n * b, "sum to 1"),
        (lambda a, m, b, n: m // (m + n) * a + n // (m + n) * b, "not `//`"),
        (lambda a, m, b, n: (a + b) / 2, "three times as much"),
        (lambda a, m, b, n: (n * a + m * b) / (m + n), "own size"),
    ],
)
def test_wrong_merges_get_the_hint_that_helps(wrong, hint):
    assert hint in check.merged_histogram(wrong)
