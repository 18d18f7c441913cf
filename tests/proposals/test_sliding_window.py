import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecture_lib.proposals import SlidingWindow, count_all_windows, count_windows, sliding_windows

settings = st.fixed_dictionaries(
    {
        "sizes": st.lists(st.floats(0.3, 12), min_size=1, max_size=3).map(tuple),
        "aspects": st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=2).map(tuple),
        "stride": st.integers(1, 5),
    }
)
image_sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))


def windows_by_loop(image_size, window):
    found = []
    for height, width in window.shapes:
        for y in range(0, image_size[0], window.stride):
            for x in range(0, image_size[1], window.stride):
                if y + height <= image_size[0] and x + width <= image_size[1]:
                    found.append([x, y, x + width, y + height])
    return found


def test_no_window_fits():
    assert len(sliding_windows((5, 5), SlidingWindow(sizes=(6,), aspects=(1.0,)))) == 0
    assert count_windows((5, 5), SlidingWindow(sizes=(6,), aspects=(1.0,))) == 0


@given(image_sizes, settings)
def test_equal_the_loop_in_number_and_order(image_size, settings):
    window = SlidingWindow(**settings)
    expected = windows_by_loop(image_size, window)
    assert sliding_windows(image_size, window).boxes.tolist() == expected
    assert count_windows(image_size, window) == len(expected)


@pytest.mark.parametrize("image_size", [(1, 1), (1, 4), (3, 5)])
def test_every_location_and_every_size(image_size):
    height, width = image_size
    corners = [(x1, x2) for x1 in range(width) for x2 in range(x1 + 1, width + 1)]
    sides = [(y1, y2) for y1 in range(height) for y2 in range(y1 + 1, height + 1)]
    assert count_all_windows(image_size) == len(corners) * len(sides)


def test_aspect_is_width_to_height_at_equal_area():
    assert SlidingWindow(sizes=(100,), aspects=(0.25, 1.0, 4.0)).shapes == ((200, 50), (100, 100), (50, 200))


@pytest.mark.parametrize("bad", [{"sizes": ()}, {"aspects": (0.0,)}, {"stride": 0}, {"sizes": (-4.0, 8.0)}])
def test_impossible_windows(bad):
    with pytest.raises(ValueError, match="must be positive"):
        SlidingWindow(**bad)
