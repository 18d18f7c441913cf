"""Intersection over union of two boxes that the reader moves."""

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.plotting.style import BLUE, ORANGE
from lecture_lib.structures import check_image
from lecture_lib.widgets.checks import two_inside
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

START = torch.tensor([[0.25, 0.2, 0.6, 0.7], [0.4, 0.35, 0.8, 0.85]])  # of the picture's width and height


def iou_explorer(image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "2 4"] | None = None) -> BrowserWidget:
    """Two boxes to drag and resize on a picture: their areas, what they share and cover, their IoU.

    boxes: where A and B start, in pixels of the image, rounded to whole ones; None: near the middle.
    Raises `ValueError` for an image that is none and for boxes that are not two inside the image.
    """
    check_image(image)
    height, width = image.shape[1:]
    a, b = two_inside(image, START * torch.tensor([width, height] * 2) if boxes is None else boxes)
    outlines = [(a, BLUE, "A"), (b, ORANGE, "B")]
    layers = [Outlines(torch.tensor([box]).float(), color, names=(name,)) for box, color, name in outlines]
    return BrowserWidget(
        "iou",
        "Two boxes on a picture and their intersection over union",
        Data({"size": [height, width]}, images={"picture": image}),
        {"a": a, "b": b},
        lambda: draw_still(image, layers),
    )
