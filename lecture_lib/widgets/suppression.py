"""Thresholds under sliders: what the last slot of a detector keeps, without running the network again."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import ipywidgets
from jaxtyping import Float
from torch import Tensor

from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.detectors import Trace
from lecture_lib.plotting.style import INK, MUTED, PAPER, class_color
from lecture_lib.structures import Detections
from lecture_lib.widgets.explorer import Explorer, jpeg_uri, picture, rectangles
from lecture_lib.widgets.outline import outlined

OFF = 1.0  # no IoU is above 1: nothing is suppressed


def suppression_explorer(
    image: Float[Tensor, "3 h w"], trace: Trace, classes: Sequence[str], rule: DecodeRule
) -> Explorer:
    """Sliders for the lowest score and for the IoU above which a box is suppressed; `rule` gives their start."""
    uri = jpeg_uri(image)
    scores = trace.predictions.scores
    highest = float(scores.max()) if scores.numel() else rule.score_threshold + 1
    low, high = rule.score_threshold, max(highest, rule.score_threshold + 0.1)

    def render(score: float, threshold: float) -> str:
        return render_suppression(uri, trace, classes, replace(rule, score_threshold=score, nms_threshold=threshold))

    return Explorer(
        render,
        score=ipywidgets.FloatSlider(
            value=low + 0.3 * (high - low), min=low, max=high, step=(high - low) / 50, description="lowest score"
        ),
        threshold=ipywidgets.FloatSlider(
            value=OFF if rule.nms_threshold is None else rule.nms_threshold,
            min=0,
            max=OFF,
            step=0.05,
            description="IoU to suppress (1: off)",
        ),
    )


def render_suppression(uri: str, trace: Trace, classes: Sequence[str], rule: DecodeRule) -> str:
    """The picture with the detections that a rule leaves, and thin grey lines for what it suppresses."""
    every = trace.predictions.scores.numel()
    free = replace(rule, nms_threshold=None, max_detections=max(1, every))
    candidates = decode(trace.proposals, trace.predictions, free)
    kept = decode(trace.proposals, trace.predictions, rule)
    overlay = rectangles([tuple(box) for box in candidates.boxes.tolist()], MUTED, 0.7)
    for row in reversed(range(len(kept))):  # the surest last, on top
        overlay += outlined(kept.boxes[row : row + 1], class_color(int(kept.labels[row])))
    overlay += _names(kept, classes)
    caption = f"{len(candidates)} boxes above {rule.score_threshold:.2f} · {len(kept)} are left"
    return picture(uri, trace.proposals.image_size, overlay, caption)


def _names(kept: Detections, classes: Sequence[str], most: int = 12) -> str:
    """SVG of class and score inside the upper left corner of the surest boxes; more than `most` would hide them."""
    height = kept.image_size[0] / 22
    parts = []
    for row in range(min(most, len(kept))):
        x, y = kept.boxes[row, :2].tolist()
        label = int(kept.labels[row])
        text = escape(f"{classes[label - 1]} {float(kept.scores[row]):.2f}")
        style = f'font-size="{height:.1f}" font-family="system-ui,sans-serif" font-weight="700"'
        halo = f'stroke="{PAPER}" stroke-width="{height / 4:.1f}" paint-order="stroke"'
        parts.append(f'<text x="{x + 2:.1f}" y="{y + height:.1f}" {style} {halo} fill="{INK}">{text}</text>')
    return "".join(parts)
