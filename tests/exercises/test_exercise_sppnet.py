import pytest
import torch

from lecture_lib.exercises.sppnet import check_edges, check_pyramid, check_window
from lecture_lib.pooling import spatial_pyramid_pool


@pytest.mark.parametrize("judge", [check_window, check_edges, check_pyramid])
def test_an_unsolved_stub_is_told_so(judge):
    def unsolved(*arguments):
        return ...

    assert judge(unsolved).startswith("Not solved yet")


def window(boxes, stride, first=1, last=-1, rounding=False, columns=False):
    """Cells under boxes with one classic mistake at a time; `columns`: the last two follow the rule of the first."""
    scaled = boxes / stride
    if rounding:
        return scaled.round()
    low, high = scaled.floor() + first, scaled.ceil() + last
    return low if columns else torch.cat([low[:, :2], high[:, 2:]], dim=1)


def test_right_windows_pass():
    assert check_window(window).startswith("Right")
    assert check_window(lambda b, s: window(b, s).long()).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda b, s: window(b, s, first=0), "its centre, pixel i * S, lies inside"),
        (lambda b, s: window(b, s, last=0), "its centre, pixel i * S, lies inside"),
        (lambda b, s: window(b, s, columns=True), "its centre, pixel i * S, lies inside"),
        (lambda b, s: torch.cat([(b / s).ceil()[:, :2], (b / s).floor()[:, 2:]], 1), "on the border is not inside"),
        (lambda b, s: window(b, 16.0), "not always 16"),
        (lambda b, s: window(b, s // 1), "need not be whole"),
        (lambda b, s: window(b, s)[0], "its centre, pixel i * S, lies inside"),
    ],
)
def test_wrong_windows_get_the_hint_that_helps(wrong, hint):
    verdict = check_window(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_an_answer_that_forgets_the_empty_set_is_told():
    verdict = check_window(lambda b, s: torch.stack([window(box[None], s)[0] for box in b]))
    assert "raised RuntimeError" in verdict


def edges(cells, n, up=True, down=True):
    """Start and end of bins; without `up` the ends are rounded down, without `down` the starts are rounded up."""
    starts = [i * cells // n if down else -(-i * cells // n) for i in range(n)]
    ends = [-(-(i + 1) * cells // n) if up else (i + 1) * cells // n for i in range(n)]
    return list(zip(starts, ends, strict=True))


def test_right_edges_pass():
    assert check_edges(edges).startswith("Right")
    assert check_edges(lambda cells, n: torch.tensor(edges(cells, n))).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda cells, n: edges(cells, n, up=False), "rounding up"),
        (lambda cells, n: edges(cells, n, down=False), "rounding down"),
        (lambda cells, n: [(0, cells // n)] * n, "4 cells for each"),
        (lambda cells, n: edges(cells, min(cells, n)), "used again"),
    ],
)
def test_wrong_edges_get_the_hint_that_helps(wrong, hint):
    verdict = check_edges(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def pyramid(features, levels, mean=False, bin_first=False, zero=False, swapped=False, grow=True):
    """A spatial pyramid bin by bin, with one classic mistake at a time."""
    pooled = []
    for n in levels:
        rows, columns = (edges(features.shape[1 + d], n, up=grow) for d in ((1, 0) if swapped else (0, 1)))
        grid = torch.zeros(len(features), n, n)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                cells = features[:, top:bottom, left:right].flatten(1)
                grid[:, i, j] = cells.mean(1) if mean else cells.amax(1)
        grid = grid.clamp(min=0) if zero else grid
        pooled.append((grid.permute(1, 2, 0) if bin_first else grid).flatten())
    return torch.cat(pooled)


def by_library(features, levels):
    box = torch.tensor([[-0.5, -0.5, features.shape[2] - 0.5, features.shape[1] - 0.5]])
    return spatial_pyramid_pool(features, box, (1.0, 1.0), levels)[0]


def test_right_pyramids_pass():
    assert check_pyramid(pyramid).startswith("Right")
    assert check_pyramid(by_library).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda f, levels: pyramid(f, levels, mean=True), "not the mean"),
        (lambda f, levels: pyramid(f, levels, zero=True), "greatest value"),
        (lambda f, levels: pyramid(f, levels, bin_first=True), "The order is level, channel"),
        (lambda f, levels: pyramid(f, levels[::-1]), "The order is level, channel"),
    ],
)
def test_wrong_pyramids_get_the_hint_that_helps(wrong, hint):
    verdict = check_pyramid(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_a_pyramid_that_divides_the_wrong_side_or_loses_cells_is_wrong():
    assert not check_pyramid(lambda f, levels: pyramid(f, levels, swapped=True)).startswith("Right")
    assert not check_pyramid(lambda f, levels: pyramid(f, levels, grow=False)).startswith("Right")


def test_changing_the_input_is_wrong_even_with_the_right_result():
    def in_place(boxes, stride):
        result = window(boxes, stride)
        boxes /= stride
        return result

    assert "changes its input" in check_window(in_place)
