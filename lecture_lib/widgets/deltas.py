"""The four deltas of box regression: from a proposal to an object and back, as far as a slider goes."""

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH, PROPOSAL
from lecture_lib.widgets.checks import two_inside
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

HALF = 0.5  # of the way: all three boxes can be told apart


def deltas_explorer(
    image: Float[Tensor, "3 h w"], proposal: Float[Tensor, "1 4"], ground_truth: Float[Tensor, "1 4"]
) -> BrowserWidget:
    """A proposal and an object to drag, the four deltas between them, and the box that a part of them gives.

    Both boxes are in pixels of the image and are rounded to whole ones.
    Raises `ValueError` for boxes outside the image and for a box without width or height.
    """
    start, goal = two_inside(image, torch.cat([proposal, ground_truth]))
    coder = BoxCoder()
    boxes = torch.tensor([[start], [goal]]).float()
    deltas = coder.encode(*boxes)
    return BrowserWidget(
        "deltas",
        "A proposal, an object, and the four deltas that move one onto the other",
        Data({"size": list(image.shape[1:]), "limit": coder.max_log_scale}, images={"picture": image}),
        {"proposal": start, "object": goal, "done": HALF},
        lambda: _still(image, boxes, coder.decode(boxes[0], HALF * deltas)),
    )


def _still(image: Tensor, boxes: Float[Tensor, "2 1 4"], moved: Float[Tensor, "1 4"]) -> Image.Image:
    named = ((boxes[0], PROPOSAL, "proposal"), (boxes[1], GROUND_TRUTH, "object"), (moved, DETECTION, "moved"))
    return draw_still(image, [Outlines(box, color, names=(name,)) for box, color, name in named])
