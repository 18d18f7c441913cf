"""Proposals under a slider: how many boxes it takes until every object has one."""

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.plotting.style import GROUND_TRUTH, PROPOSAL
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

COUNTS = (1, 3, 10, 30, 100, 200, 300, 500, 1000, 2000, 5000)
WEB = 300  # of more boxes than this only every n-th is drawn: a denser web hides the picture


def proposals_explorer(image: Float[Tensor, "3 h w"], proposals: Proposals, target: Target) -> BrowserWidget:
    """Sliders for the number of boxes, best first, and for the IoU at which an object counts as found.

    Raises `ValueError` for an image and boxes that do not belong together.
    """
    check_same_picture(image, proposals)
    check_same_picture(image, target)
    counts = [count for count in COUNTS if count < len(proposals)] + [len(proposals)]
    return BrowserWidget(
        "proposals",
        "The first proposals of a picture and the objects that they find",
        Data(
            {"size": list(proposals.image_size), "counts": counts, "web": WEB},
            {"proposals": proposals.boxes, "objects": target.boxes},
            {"picture": image},
        ),
        {"step": len(counts) // 2, "threshold": 0.5},
        lambda: _still(image, proposals[: counts[len(counts) // 2]], target),
    )


def _still(image: Tensor, proposals: Proposals, target: Target) -> Image.Image:
    web = proposals.boxes[:: max(1, -(-len(proposals) // WEB))].cpu()
    return draw_still(image, [Outlines(web, PROPOSAL, 1), Outlines(target.boxes.cpu(), GROUND_TRUTH)])
