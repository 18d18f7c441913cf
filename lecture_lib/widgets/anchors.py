"""One anchor under sliders: what it overlaps, what it is an example of, and what the region proposal network says."""

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.boxes import BoxCoder, clip, iou
from lecture_lib.matching import IGNORED, Labels
from lecture_lib.plotting.faster_rcnn import anchor_sizes, rows_at
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH, INK, MUTED, NEGATIVE, PAPER, POSITIVE
from lecture_lib.proposals import Anchors, ScoredAnchors, inside
from lecture_lib.structures import FeatureMap, Target
from lecture_lib.training.rpn import RPNTraining, label_anchors
from lecture_lib.widgets.explorer import Explorer, picture
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri


def anchors_explorer(
    image: Float[Tensor, "3 h w"],
    feature_map: FeatureMap,
    anchors: Anchors,
    scored: ScoredAnchors,
    target: Target,
    settings: RPNTraining | None = None,
) -> Explorer:
    """Sliders for the cell and the shape; it starts with the anchor that overlaps an object best."""
    settings = settings or RPNTraining()
    labels, uri = label_anchors(scored.anchors, target, settings), jpeg_uri(image)
    _, rows, columns = feature_map.tensor.shape
    overlap = iou(scored.anchors.boxes, target.boxes)
    start = int(overlap.amax(1).argmax()) if len(target) else 0
    cell, shape = divmod(start, len(anchors))

    def render(column: int, row: int, shape: int) -> str:
        chosen = rows_at(feature_map, anchors, (column, row)).start + shape
        center = (column * feature_map.stride[1], row * feature_map.stride[0])
        return render_anchor(uri, scored, labels, target, chosen, center)

    shapes = [(f"{size} px", a) for a, size in enumerate(anchor_sizes(anchors))]
    return Explorer(
        render,
        column=ipywidgets.IntSlider(value=cell % columns, min=0, max=columns - 1, description="cell: column"),
        row=ipywidgets.IntSlider(value=cell // columns, min=0, max=rows - 1, description="cell: row"),
        shape=ipywidgets.SelectionSlider(options=shapes, value=shape, description="anchor"),
    )


def render_anchor(
    uri: str, scored: ScoredAnchors, labels: Labels, target: Target, row: int, center: tuple[float, float]
) -> str:
    """The picture with its objects, one anchor in the colour of its label, and dashed where the network moves it."""
    anchor, size = scored.anchors.boxes[row : row + 1], scored.anchors.image_size
    moved = clip(BoxCoder().decode(anchor, scored.deltas[row : row + 1].detach()), size)
    dashed = outlined(moved, DETECTION).replace('fill="none"', 'fill="none" stroke-dasharray="7 4"')
    radius = size[0] / 90
    dot = f'<circle cx="{center[0]:.1f}" cy="{center[1]:.1f}" r="{radius:.1f}" fill="{INK}" stroke="{PAPER}"/>'
    overlay = (
        outlined(target.boxes, GROUND_TRUTH) + dashed + outlined(anchor, label_color(int(labels.labels[row]))) + dot
    )
    before, after = _best(anchor, target), _best(moved, target)
    verdict = label_reason(scored, labels, row)
    probability = float(scored.logits[row].detach().sigmoid())
    text = f"IoU {before:.2f} → {verdict} · the RPN: objectness {probability:.2f}, moved to IoU {after:.2f}"
    return picture(uri, size, overlay, text)


def label_color(label: int) -> str:
    """Positive blue, negative red, ignored grey."""
    return MUTED if label == IGNORED else POSITIVE if label > 0 else NEGATIVE


def label_reason(scored: ScoredAnchors, labels: Labels, row: int, enough: float = 0.7) -> str:
    """The label of an anchor in training, and why it has it (Faster R-CNN, section 3.1.2)."""
    if labels.labels[row] > 0:
        return "positive" if labels.iou[row] >= enough else "positive: the best of an object"
    if labels.labels[row] == 0:
        return "negative"
    whole = bool(inside(scored.anchors.boxes[row : row + 1], scored.anchors.image_size))
    return "ignored: in between" if whole else "ignored: crosses the border"


def _best(box: Float[Tensor, "1 4"], target: Target) -> float:
    return float(torch.cat([iou(box, target.boxes)[0], torch.zeros(1)]).max())
