"""A window that slides: how its size, its shape and its step decide how many there are and how long they take."""

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.plotting.search import duration
from lecture_lib.plotting.style import ORANGE
from lecture_lib.proposals import SlidingWindow, count_windows
from lecture_lib.widgets.explorer import Explorer, picture
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

ASPECTS = {"tall 1:2": 0.5, "square 1:1": 1.0, "wide 2:1": 2.0}


def window_explorer(image: Float[Tensor, "3 h w"], seconds_per_window: float) -> Explorer:
    """Sliders for size, stride, aspect and the way along: the window moves, the count and the seconds follow."""
    uri, image_size = jpeg_uri(image), tuple(image.shape[1:])

    def render(size: int, stride: int, aspect: float, along: float) -> str:
        window = SlidingWindow((size,), (aspect,), stride)
        return render_windows(uri, image_size, window, along, seconds_per_window)

    return Explorer(
        render,
        size=ipywidgets.IntSlider(value=96, min=16, max=min(image_size), step=4, description="size (pixels)"),
        stride=ipywidgets.IntSlider(value=16, min=1, max=64, description="stride (pixels)"),
        aspect=ipywidgets.SelectionSlider(value=1.0, options=ASPECTS.items(), description="shape"),
        along=ipywidgets.FloatSlider(value=0.3, min=0, max=1, step=0.005, description="slide it"),
    )


def render_windows(
    uri: str, image_size: tuple[int, int], window: SlidingWindow, along: float, seconds_per_window: float
) -> str:
    """The picture with the centres of all windows of one shape, and the window that is `along` (0..1) the way."""
    (height, width), stride = window.shapes[0], window.stride
    tops, lefts = (
        range(0, side - length + 1, stride) for side, length in zip(image_size, (height, width), strict=True)
    )
    count = count_windows(image_size, window)
    cost = f"{count:,} windows of {width} × {height} · {duration(count * seconds_per_window)} to classify them"
    if not count:
        return picture(uri, image_size, "", f"0 windows: {width} × {height} does not fit into the picture")
    row, column = divmod(round(along * (count - 1)), len(lefts))
    x, y = lefts[column], tops[row]
    shown = outlined(torch.tensor([[x, y, x + width, y + height]]), ORANGE)
    return picture(uri, image_size, _centres(tops, lefts, height, width) + shown, cost)


def _centres(tops: range, lefts: range, height: int, width: int) -> str:
    """A dot for every window, drawn as one path so that 70,000 of them still move."""
    step = max(1, round((len(tops) * len(lefts) / 4000) ** 0.5))  # past 4,000 dots the eye sees a plain area anyway
    dots = "".join(f"M{x + width / 2:g} {y + height / 2:g}h0" for y in tops[::step] for x in lefts[::step])
    style = 'stroke-width="6" stroke-linecap="round" vector-effect="non-scaling-stroke"'
    return f'<path d="{dots}" stroke="{ORANGE}" {style} opacity="0.9"/>'
