"""Segmentation and hierarchical grouping under a slider: every k, every merge."""

from collections.abc import Sequence

import ipywidgets
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.plotting.regions import segment_picture
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH
from lecture_lib.proposals import MergeStep, boxes_after, felzenszwalb, labels_after
from lecture_lib.structures import Target
from lecture_lib.widgets.explorer import Explorer, picture
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

KS = (25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 800.0, 1200.0)


def segmentation_explorer(image: Float[Tensor, "3 h w"], ks: Sequence[float] = KS) -> Explorer:
    """A slider for k of the segmentation; all are computed at the start, so that the slider answers at once."""
    labels = {k: felzenszwalb(image, k, min_size=round(k)) for k in ks}
    pictures = {k: jpeg_uri(segment_picture(image, found)) for k, found in labels.items()}
    counts = {k: len(found.unique()) for k, found in labels.items()}

    def render(k: float) -> str:
        return picture(pictures[k], tuple(image.shape[1:]), "", f"k = {k:g}: {counts[k]:,} regions")

    return Explorer(
        render,
        k=ipywidgets.SelectionSlider(value=ks[len(ks) // 2], options=[(f"{k:g}", k) for k in ks], description="k"),
    )


def grouping_explorer(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], steps: Sequence[MergeStep], target: Target
) -> Explorer:
    """A slider from the first regions (0 merges) to one region that is the whole image."""

    def render(merges: int) -> str:
        return render_grouping(image, labels, steps[:merges], target)

    merges = ipywidgets.IntSlider(value=0, min=0, max=len(steps), description="merges done")
    return Explorer(render, merges=merges)


def render_grouping(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], done: Sequence[MergeStep], target: Target
) -> str:
    """The regions after the merges `done`, the newest box, the objects reached so far, and why the last two merged."""
    boxes = boxes_after(labels, done)
    best = iou(target.boxes, boxes).amax(dim=1)
    reached = target.boxes[best >= 0.5]
    first = len(boxes) - len(done)
    overlay = outlined(reached, GROUND_TRUTH)
    caption = f"{first - len(done)} regions · {len(boxes)} boxes so far"
    if len(target):
        caption += f" · {len(reached)} of {len(target)} objects reached"
    if done:
        overlay += outlined(boxes[-1:], DETECTION)
        caption += f" · last merge: {_reason(done[-1])}"
    frame = segment_picture(image, labels_after(labels, done))
    return picture(jpeg_uri(frame), tuple(image.shape[1:]), overlay, caption)


def _reason(step: MergeStep) -> str:
    names = ("colour", "texture", "size", "fill")
    parts = " + ".join(f"{name} {value:.2f}" for name, value in zip(names, step.parts, strict=True))
    return f"{parts} = {step.parts.total():.2f}"
