"""One proposal at a time: the region in the picture, and the square that the network gets to see."""

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.plotting.style import ORANGE, PAPER, PROPOSAL
from lecture_lib.pooling import warp_regions, with_context
from lecture_lib.structures import Proposals
from lecture_lib.widgets.explorer import WIDTH, Explorer, picture, rectangles
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

SQUARE = 300  # CSS pixels of the warped square


def warping_explorer(
    image: Float[Tensor, "3 h w"], proposals: Proposals, size: int, context: float | int, number: int = 0
) -> Explorer:
    """Sliders for the proposal and for the context around it; it starts with proposal `number` and `context` pixels."""
    uri = jpeg_uri(image)

    def render(number: int, context: int) -> str:
        return render_warping(uri, image, proposals[number : number + 1], size, context)

    last = max(0, len(proposals) - 1)
    return Explorer(
        render,
        number=ipywidgets.IntSlider(value=min(number, last), min=0, max=last, description="proposal"),
        context=ipywidgets.IntSlider(value=round(context), min=0, max=size // 3, description="context (pixels)"),
    )


def render_warping(
    uri: str, image: Float[Tensor, "3 h w"], proposal: Proposals, size: int, context: float | int
) -> str:
    """The picture with one proposal and its context (dashed), beside the square of `size` pixels that they become.

    An empty `proposal` gives the picture alone.
    """
    image_size = proposal.image_size
    if not len(proposal):
        return picture(uri, image_size, "", "there is no proposal")
    low, high = float(context), float(size - context)
    window = with_context(proposal.boxes, size, low)
    overlay = _dashed(window) + outlined(proposal.boxes, PROPOSAL)
    left = picture(uri, image_size, overlay, _size_caption(proposal.boxes[0], window[0], image_size))
    square = jpeg_uri(warp_regions(image, proposal.boxes, size, low)[0])
    region = rectangles([(low, low, high, high)], PROPOSAL, 2.0)
    right = picture(square, (size, size), region, f"{size} × {size} for the network", SQUARE)
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start">'
        f'<div style="flex:0 1 {WIDTH}px">{left}</div><div style="flex:0 0 {SQUARE}px">{right}</div></div>'
    )


def _dashed(window: Float[Tensor, "r 4"]) -> str:
    """SVG of the box with its context: a dashed line over a white one."""
    corners = [tuple(box) for box in window.tolist()]
    return rectangles(corners, PAPER, 3.0) + rectangles(corners, ORANGE, 2.0).replace(
        'fill="none"', 'fill="none" stroke-dasharray="6 4"'
    )


def _size_caption(box: Tensor, window: Tensor, image_size: tuple[int, int]) -> str:
    """Size and stretch of a region, and how much of what is warped lies outside the picture."""
    width, height = (box[2:] - box[:2]).tolist()
    longer, shorter = max(width, height), min(width, height)
    limit = torch.tensor([image_size[1], image_size[0]])
    inside = (torch.minimum(window[2:], limit) - window[:2].clamp(min=0)).clamp(min=0).prod()
    outside = 1 - float(inside / (window[2:] - window[:2]).prod())
    text = f"region {width:.0f} × {height:.0f}, stretched {longer / shorter:.1f} to 1"
    return text + (f" · {outside:.0%} of the square is filling" if outside > 0.005 else "")
