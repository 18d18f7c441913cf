import pytest
import torch

from lecture_lib.exercises.search import check_histogram_intersection, check_merged_histogram, check_window_count


def unsolved(*arguments):
    return ...


@pytest.mark.parametrize("judge", [check_window_count, check_histogram_intersection, check_merged_histogram])
def test_an_unsolved_stub_is_told_so(judge):
    assert judge(unsolved).startswith("Not solved yet")


def count(image_size, window_size, stride):
    rows, columns = ((s - w) // stride + 1 for s, w in zip(image_size, window_size, strict=True))
    return max(0, rows) * max(0, columns)


def test_right_answers_pass():
    assert check_window_count(count).startswith("Right")
    assert check_histogram_intersection(lambda a, b: torch.minimum(a, b).sum()).startswith("Right")
    assert check_histogram_intersection(lambda a, b: 1 - (a - b).abs().sum().item() / 2).startswith("Right")
    assert check_merged_histogram(lambda a, m, b, n: (m * a + n * b) / (m + n)).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda i, w, s: (i[0] - w[0]) // s * ((i[1] - w[1]) // s), "W - w + 1"),
        (lambda i, w, s: ((i[0] - w[1]) // s + 1) * ((i[1] - w[0]) // s + 1), "height with height"),
        (lambda i, w, s: ((i[0] - w[0]) / s + 1) * ((i[1] - w[1]) / s + 1), "rounds down"),
        (lambda i, w, s: ((i[0] - w[0]) // s + 1) * ((i[1] - w[1]) // s + 1), "larger than the picture"),
    ],
)
def test_wrong_window_counts_get_the_hint_that_helps(wrong, hint):
    assert hint in check_window_count(wrong)


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
    assert hint in check_histogram_intersection(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, m, b, n: m * a + n * b, "sum to 1"),
        (lambda a, m, b, n: a + b, "sum to 1"),
        (lambda a, m, b, n: (a + b) / 2, "three times as much"),
        (lambda a, m, b, n: (n * a + m * b) / (m + n), "own size"),
    ],
)
def test_wrong_merges_get_the_hint_that_helps(wrong, hint):
    assert hint in check_merged_histogram(wrong)
