"""Proposals under a slider: how many boxes it takes until every object has one."""

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH, MUTED, PROPOSAL
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.explorer import Explorer, picture, rectangles
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

COUNTS = (1, 3, 10, 30, 100, 200, 300, 500, 1000, 2000, 5000)
WEB = 300  # of more boxes than this only every n-th is drawn: a denser web hides the picture


def proposals_explorer(image: Float[Tensor, "3 h w"], proposals: Proposals, target: Target) -> Explorer:
    """Sliders for the number of boxes and for the IoU at which an object counts as found."""
    uri = jpeg_uri(image)
    counts = [count for count in COUNTS if count < len(proposals)] + [len(proposals)]

    def render(count: int, threshold: float) -> str:
        return render_proposals(uri, proposals[:count], target, threshold)

    return Explorer(
        render,
        count=ipywidgets.SelectionSlider(value=counts[len(counts) // 2], options=counts, description="boxes"),
        threshold=ipywidgets.FloatSlider(value=0.5, min=0.3, max=0.95, step=0.05, description="IoU to be found"),
    )


def render_proposals(uri: str, proposals: Proposals, target: Target, threshold: float) -> str:
    """A web of boxes; objects in green with their best box in orange if its IoU reaches `threshold`, else in grey."""
    web = proposals.boxes[:: max(1, -(-len(proposals) // WEB))]
    best, row = _best(proposals, target)
    found = best >= threshold
    overlay = rectangles([tuple(box) for box in web.tolist()], PROPOSAL, 0.6)
    overlay += outlined(target.boxes[~found], MUTED) + outlined(target.boxes[found], GROUND_TRUTH)
    overlay += outlined(proposals.boxes[row[found]], DETECTION)
    caption = f"{len(proposals):,} boxes"
    if len(target):
        caption += f" · {int(found.sum())} of {len(target)} objects found · mean best overlap {float(best.mean()):.2f}"
    return picture(uri, proposals.image_size, overlay, caption)


def _best(proposals: Proposals, target: Target) -> tuple[Tensor, Tensor]:
    """For every object its best IoU and the row of that proposal."""
    if not len(proposals):
        return torch.zeros(len(target)), torch.zeros(len(target), dtype=torch.long)
    return iou(target.boxes, proposals.boxes).max(dim=1)
