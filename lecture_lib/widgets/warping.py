"""One region at a time: where it lies in the picture, the square that the network gets to see, and what it says."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.detectors import Detector
from lecture_lib.plotting.style import ORANGE, PROPOSAL
from lecture_lib.pooling import WarpRegions, warp_regions, with_context
from lecture_lib.structures import Proposals
from lecture_lib.threads import one_thread
from lecture_lib.widgets.checks import check_classes, check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data, pack
from lecture_lib.widgets.still import Outlines, draw_still

Scores = Callable[[Float[Tensor, "1 3 s s"]], Float[Tensor, " k"]]


def warping_explorer(
    image: Float[Tensor, "3 h w"],
    proposals: Proposals,
    pool: WarpRegions,
    number: int = 0,
    scores: Scores | None = None,
    classes: Sequence[str] = (),
) -> BrowserWidget:
    """A region to drag, or proposal by proposal, with its context, beside the square that `pool` makes of it.

    It starts with proposal `number`. `scores` maps a warped square [1, 3, s, s] to a score for each of `classes`: the
    kernel calls it after every move. Without a kernel, only the start's scores are shown.
    Raises `ValueError` for an image, proposals and classes that do not belong together.
    """
    check_same_picture(image, proposals)
    image, boxes = image.detach(), proposals.boxes.detach()
    number = min(number, max(0, len(boxes) - 1))
    height, width = proposals.image_size
    region = boxes[number].tolist() if len(boxes) else [0.0, 0.0, float(width), float(height)]
    values = {"region": region, "number": number, "context": round(pool.context)}

    def told(values: dict[str, Any]) -> Tensor:
        box = boxes.new_tensor([values["region"]])
        with torch.no_grad(), one_thread():
            return scores(warp_regions(image, box, pool.size, float(values["context"]), pool.fill))

    def answer(change: dict[str, Any]) -> None:
        values = change["new"]
        widget.answer = {"scores": pack(told(values)), "of": [*values["region"], values["context"]]}

    start = told(values) if scores else torch.zeros(0)
    check_classes(classes, len(start))
    inputs = {"size": [height, width], "side": pool.size, "fill": list(pool.fill), "names": list(classes)}
    inputs["of"] = [*region, values["context"]]
    widget = BrowserWidget(
        "warping",
        "A region of a picture and the square that the network sees of it",
        Data(inputs, {"proposals": boxes, "scores": start}, {"picture": image}),
        values,
        lambda: _still(image, torch.tensor([region]), pool),
    )
    if scores:
        widget.observe(answer, names="values")
    return widget


def scores_of(detector: Detector) -> Scores:
    """What a detector says of a warped square: its score for every class."""
    return lambda square: detector.predict(detector.embed(square)).scores[0]


def _still(image: Tensor, region: Float[Tensor, "1 4"], pool: WarpRegions) -> Image.Image:
    window = with_context(region, pool.size, float(round(pool.context)))
    return draw_still(image, [Outlines(window, ORANGE, 2), Outlines(region, PROPOSAL)])
