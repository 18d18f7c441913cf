import math

import pytest
import torch

from lecture_lib.plotting.search import duration
from lecture_lib.proposals import SlidingWindow, count_windows, sliding_windows
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

SIZE = (60, 80)
WINDOWS = """({imageSize, size, aspect, stride}) => {
    const window = script.shape(size, aspect);
    const [rows, columns] = script.grid(imageSize, window, stride);
    const boxes = [...Array(rows * columns).keys()].map(i => script.windowAt(i, columns, window, stride));
    return {window, boxes};
}"""


def check_windows(evaluate, size, aspect, stride):
    window = SlidingWindow((size,), (aspect,), stride)
    got = evaluate(WINDOWS, {"imageSize": SIZE, "size": size, "aspect": aspect, "stride": stride})
    assert tuple(got["window"]) == window.shapes[0]
    assert len(got["boxes"]) == count_windows(SIZE, window)
    assert torch.equal(torch.tensor(got["boxes"]).float().reshape(-1, 4), sliding_windows(SIZE, window).boxes)


def test_no_window_fits(javascript):
    check_windows(javascript("sliding_window"), 100, 1.0, 4)
    check_windows(javascript("sliding_window"), 61, 1.0, 64)


@pytest.mark.parametrize("aspect", [0.25, 0.5, 1.0, 2.0, 4.0])  # 1/4 and 4 halve odd sizes
@pytest.mark.parametrize("stride", [1, 7, 16, 64])
def test_windows_are_the_librarys(javascript, aspect, stride):
    evaluate = javascript("sliding_window")
    for size in (1, 5, 13, 15, 24, 30, 60):
        check_windows(evaluate, size, aspect, stride)


@pytest.mark.parametrize("sabotage", [("low + (low % 2)", "low + 1"), ("/ stride) + 1", "/ stride)")])
def test_a_wrong_count_would_be_seen(javascript, sabotage):
    with pytest.raises(AssertionError):
        check_windows(javascript("sliding_window", sabotage), 13, 0.25, 7)


def test_durations_are_said_as_in_the_figures(javascript):
    seconds = [0.0123 * 1.37**i for i in range(80)]
    said = javascript("sliding_window")("all => all.map(script.duration)", seconds)
    assert said == [duration(value) for value in seconds]
    assert math.log10(seconds[-1]) > 8
