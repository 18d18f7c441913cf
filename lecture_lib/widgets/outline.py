"""Boxes that can be seen on any picture."""

from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.plotting.style import PAPER
from lecture_lib.widgets.explorer import rectangles


def outlined(boxes: Float[Tensor, "r 4"] | Int[Tensor, "r 4"], color: str) -> str:
    """SVG of boxes in `color` with a white rim, in picture coordinates."""
    corners = [tuple(box) for box in boxes.double().tolist()]
    return rectangles(corners, PAPER, 5.0) + rectangles(corners, color, 3.0)
