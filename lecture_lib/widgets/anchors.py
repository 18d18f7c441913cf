"""The anchors of one cell: what they overlap, what they are examples of, and the proposals that they become."""

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from lecture_lib.boxes import BoxCoder, clip, iou
from lecture_lib.matching import IGNORED, Labels
from lecture_lib.plotting.faster_rcnn import anchor_sizes, rows_at
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH, MUTED, NEGATIVE, POSITIVE
from lecture_lib.proposals import Anchors, ProposalRule, ScoredAnchors, choose_anchors, inside
from lecture_lib.structures import FeatureMap, Target
from lecture_lib.training.rpn import RPNTraining, label_anchors
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

REASONS = (
    "negative",
    "ignored: in between",
    "ignored: crosses the border",
    "positive",
    "positive: best of an object",
)


def anchors_explorer(
    image: Float[Tensor, "3 h w"],
    feature_map: FeatureMap,
    anchors: Anchors,
    scored: ScoredAnchors,
    target: Target,
) -> BrowserWidget:
    """Choose a cell of the map and one of its anchors; it starts with the anchor that overlaps an object best.

    Raises `ValueError` for an image, a map, anchors and objects that do not belong together.
    """
    check_same_picture(image, scored.anchors)
    check_same_picture(image, target)
    _, rows, columns = feature_map.tensor.shape
    if rows * columns * len(anchors) != len(scored.logits):
        raise ValueError(
            f"a map of {rows} x {columns} cells with {len(anchors)} anchors each has {rows * columns * len(anchors)} "
            f"anchors, but {len(scored.logits)} are scored; give the map and the anchors that they were made of"
        )
    arrays = judged(scored, target, RPNTraining())
    cell, anchor = divmod(int(arrays["iou"].argmax()), len(anchors))
    start = {"cell": [cell % columns, cell // columns], "anchor": anchor, "all": False}
    inputs = {
        "size": list(scored.anchors.image_size),
        "stride": list(feature_map.stride),
        "map": [rows, columns],
        "anchors": anchor_sizes(anchors),
        "reasons": REASONS,
    }
    here = rows_at(feature_map, anchors, tuple(start["cell"]))
    return BrowserWidget(
        "anchors",
        "The anchors of one cell of the feature map, their labels, and the proposals that they become",
        Data(inputs, arrays, {"picture": image}),
        start,
        lambda: _still(image, target, {name: array[here] for name, array in arrays.items() if name != "objects"}),
    )


@torch.no_grad()
def judged(scored: ScoredAnchors, target: Target, settings: RPNTraining) -> dict[str, Tensor]:
    """All anchors [n]: their boxes, IoU with the best object, label and its reason, objectness, and where they move.

    place: 1 for the anchor that becomes the first proposal and so on, 0 for one that becomes none.
    """
    boxes, device = scored.anchors.boxes, scored.anchors.boxes.device
    moved = clip(BoxCoder().decode(boxes, scored.deltas), scored.anchors.image_size)
    labels = label_anchors(scored.anchors, target, settings)
    chosen, _ = choose_anchors(scored, ProposalRule())
    place = torch.zeros(len(boxes), dtype=torch.long, device=device)
    place[chosen] = torch.arange(len(chosen), device=device) + 1
    return {
        "boxes": boxes,
        "iou": _best(boxes, target),
        "labels": labels.labels,
        "reasons": label_reasons(scored, labels, settings),
        "objectness": scored.logits.sigmoid(),
        "moved": moved,
        "after": _best(moved, target),
        "place": place,
        "objects": target.boxes,
    }


def label_reasons(scored: ScoredAnchors, labels: Labels, settings: RPNTraining) -> Int[Tensor, " n"]:
    """Why the anchors have their labels in training, as rows of `REASONS` (Faster R-CNN, section 3.1.2)."""
    crossing = ~inside(scored.anchors.boxes, scored.anchors.image_size) & settings.ignore_crossing
    reasons = torch.where(crossing, 2, 1)
    reasons[labels.labels == 0] = 0
    positive = labels.labels > 0
    reasons[positive & (labels.iou >= settings.rule.foreground)] = 3
    reasons[positive & (labels.iou < settings.rule.foreground)] = 4
    return reasons


def label_color(label: int) -> str:
    """Positive blue, negative red, ignored grey."""
    return MUTED if label == IGNORED else POSITIVE if label > 0 else NEGATIVE


def _best(boxes: Float[Tensor, "n 4"], target: Target) -> Float[Tensor, " n"]:
    """IoU with the object that a box overlaps most."""
    overlaps = iou(boxes, target.boxes.to(boxes.device))
    return torch.cat([overlaps, overlaps.new_zeros(len(boxes), 1)], dim=1).amax(1)


def _still(image: Tensor, target: Target, here: dict[str, Tensor]) -> Image.Image:
    """The anchors of the first cell in the colours of their labels, and where the network moves the best of them."""
    layers = [Outlines(target.boxes.cpu(), GROUND_TRUTH, 4)]
    for box, label in zip(here["boxes"].cpu(), here["labels"].tolist(), strict=True):
        layers.append(Outlines(box[None], label_color(label), 2))
    best = int(here["iou"].argmax())
    return draw_still(image, [*layers, Outlines(here["moved"][best : best + 1].cpu(), DETECTION, 4)])
