"""Thresholds under sliders: what the last slot of a detector keeps, without running the network again."""

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.detectors import Trace
from lecture_lib.plotting.style import class_color
from lecture_lib.widgets.checks import check_classes, check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

OFF = 1.0  # no IoU is above 1: nothing is suppressed
NAMED = 12  # more names would hide the picture


def suppression_explorer(
    image: Float[Tensor, "3 h w"], trace: Trace, classes: Sequence[str], rule: DecodeRule
) -> BrowserWidget:
    """Sliders for the lowest score and for the IoU above which a box is suppressed, and the rounds one by one.

    `rule` gives their start, and how boxes are decoded and counted.
    Raises `ValueError` for an image, a trace and classes that do not belong together.
    """
    check_same_picture(image, trace.proposals)
    scores = trace.predictions.scores
    check_classes(classes, scores.shape[1])
    low = rule.score_threshold
    high = max(float(scores.max()) if scores.numel() else low + 1, low + 0.1)
    values = {
        "score": low + 0.3 * (high - low),
        "threshold": OFF if rule.nms_threshold is None else rule.nms_threshold,
        "stepping": False,
        "round": 1,
    }
    inputs = {
        "names": list(classes)[: scores.shape[1]],
        "size": list(trace.proposals.image_size),
        "most": rule.max_detections,
        "range": {"min": low, "max": high, "step": (high - low) / 50},
    }
    boxes = rule.coder.decode(trace.proposals.boxes, trace.predictions.deltas)
    start = replace(rule, score_threshold=values["score"])
    return BrowserWidget(
        "suppression",
        "Detections on a picture under a score threshold and non-maximum suppression",
        Data(inputs, {"scores": scores, "boxes": boxes}, {"picture": image}),
        values,
        lambda: _still(image, trace, classes, start),
    )


def _still(image: Tensor, trace: Trace, classes: Sequence[str], rule: DecodeRule) -> Image.Image:
    """What the rule keeps, the surest on top."""
    kept = decode(trace.proposals, trace.predictions, rule)
    layers = []
    for row in reversed(range(len(kept))):
        label = int(kept.labels[row])
        names = (f"{classes[label - 1]} {float(kept.scores[row]):.2f}",) if row < NAMED else ()
        layers.append(Outlines(kept.boxes[row : row + 1].cpu(), class_color(label), names=names))
    return draw_still(image, layers)
