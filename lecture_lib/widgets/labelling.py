"""Which proposal is an example of what: labels under an `IoURule` whose thresholds move, and the mini-batch drawn."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib import matching
from lecture_lib.matching import IoURule, SampleRule, label_proposals
from lecture_lib.plotting.style import GROUND_TRUTH, IGNORED, NEGATIVE, POSITIVE
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.checks import check_classes, check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

PRESETS = {
    "R-CNN fine-tuning": matching.RCNN_FINE_TUNING,
    "R-CNN SVM": matching.RCNN_SVM,
    "R-CNN boxes": matching.RCNN_BOX_REGRESSION,
    "Fast R-CNN": matching.FAST_RCNN,
    "RPN": matching.RPN,
}


def labelling_explorer(
    image: Float[Tensor, "3 h w"],
    proposals: Proposals,
    target: Target,
    classes: Sequence[str],
    rule: IoURule = matching.RCNN_FINE_TUNING,
) -> BrowserWidget:
    """Proposals coloured by label under thresholds that move, a button for each paper's, and a mini-batch.

    With the SVMs' rule, choose one class among the objects, as the SVMs do (R-CNN, section 2.3).
    Raises `ValueError` for an image, boxes and classes that do not belong together.
    """
    check_same_picture(image, proposals)
    check_same_picture(image, target)
    check_classes(classes, int(target.labels.max()) if len(target) else 0)
    batch = SampleRule()
    inputs = {
        "names": list(classes),
        "size": list(proposals.image_size),
        "presets": [{"name": name} | thresholds(preset) for name, preset in PRESETS.items()],
        "batch": {"size": batch.size, "fraction": batch.foreground_fraction},
    }
    arrays = {"proposals": proposals.boxes, "objects": target.boxes, "labels": target.labels}
    named = next((name for name, preset in PRESETS.items() if preset == rule), "")
    return BrowserWidget(
        "labelling",
        "Proposals on a picture, labelled positive, ignored or negative by their IoU with the objects",
        Data(inputs, arrays | {"difficult": target.difficult.int()}, {"picture": image}),
        thresholds(rule) | {"preset": named, "of": 0, "drawn": False, "seed": 0},
        lambda: _still(image, proposals, target, classes, rule),
    )


def thresholds(rule: IoURule) -> dict[str, Any]:
    """A rule as the values of the controls; without negatives the two lower thresholds have no effect."""
    low, high = rule.background or (0.0, 0.0)
    return {
        "foreground": rule.foreground,
        "low": low,
        "high": high,
        "negatives": rule.background is not None,
        "best": rule.best_is_foreground,
    }


def _still(image: Tensor, proposals: Proposals, target: Target, classes: Sequence[str], rule: IoURule) -> Image.Image:
    labels = label_proposals(proposals, target, rule).labels
    groups = ((labels == 0, NEGATIVE, 1), (labels < 0, IGNORED, 1), (labels > 0, POSITIVE, 2))
    layers = [Outlines(proposals.boxes[rows].cpu(), color, width) for rows, color, width in groups]
    names = tuple(classes[label - 1] for label in target.labels.tolist())
    return draw_still(image, [*layers, Outlines(target.boxes.cpu(), GROUND_TRUTH, 4, names)])
