"""A window that slides: how its size, its shape and its step decide how many there are and how long they take."""

import math

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.plotting.style import ORANGE
from lecture_lib.proposals import SlidingWindow, sliding_windows
from lecture_lib.structures import check_image
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

ASPECTS = {"tall 1:2": 0.5, "square 1:1": 1.0, "wide 2:1": 2.0}
SMALLEST, START = 16, 96  # pixels: the least of the slider, and where it starts


def window_explorer(image: Float[Tensor, "3 h w"], seconds_per_window: float | int) -> BrowserWidget:
    """Sliders for size, stride, aspect and the way along: the window moves, the count and the seconds follow.

    `seconds_per_window` is what classifying one window takes, measured by the caller.
    Raises `ValueError` for an image that is none and for a time that is not positive.
    """
    check_image(image)
    if not 0 < seconds_per_window < math.inf:
        raise ValueError(f"seconds_per_window: expected a positive time in seconds, got {seconds_per_window}")
    height, width = image.shape[1:]
    largest = min(height, width)
    inputs = {
        "size": [height, width],
        "sizes": {"min": min(SMALLEST, largest), "max": largest, "step": 4},
        "aspects": [[value, name] for name, value in ASPECTS.items()],
        "seconds": float(seconds_per_window),
    }
    return BrowserWidget(
        "sliding_window",
        "A window that slides over a picture, the number of such windows, and the time to classify them",
        Data(inputs, images={"picture": image}),
        {"size": min(START, largest), "stride": 16, "aspect": 1.0, "along": 0.3},
        lambda: _still(image, SlidingWindow((min(START, largest),), (1.0,), 16)),
    )


def _still(image: Tensor, window: SlidingWindow) -> Image.Image:
    boxes = sliding_windows(tuple(image.shape[1:]), window).boxes
    return draw_still(image, [Outlines(boxes, ORANGE, 1), Outlines(boxes[len(boxes) // 3][None], ORANGE)])
