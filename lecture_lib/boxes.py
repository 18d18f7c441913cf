"""Geometry of boxes: area, intersection over union, the four deltas of box regression, non-maximum suppression."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torchvision
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.structures import check_boxes


def area(boxes: Float[Tensor, "r 4"]) -> Float[Tensor, " r"]:
    """Area of each box in square pixels, (x2 - x1)(y2 - y1). Raises `ValueError` for boxes that are no boxes."""
    check_boxes(boxes)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def iou(a: Float[Tensor, "a 4"], b: Float[Tensor, "b 4"]) -> Float[Tensor, "a b"]:
    """Intersection over union of every box in `a` with every box in `b`, 0 where both have no area.

    IoU(A, B) = |A and B| / |A or B|  (PASCAL VOC, IJCV 2010, eq. 3, there with inclusive pixels).
    Raises `ValueError` for boxes that are no boxes.
    """
    area_a, area_b = area(a), area(b)
    return _overlap(a[:, None], b[None], area_a[:, None], area_b[None])


def paired_iou(a: Float[Tensor, "r 4"], b: Float[Tensor, "r 4"]) -> Float[Tensor, " r"]:
    """Intersection over union of each box in `a` with the box in the same row of `b`, as in `iou`."""
    area_a, area_b = area(a), area(b)
    return _overlap(a, b, area_a, area_b)


def _overlap(a: Float[Tensor, "*#r 4"], b: Float[Tensor, "*#r 4"], area_a: Tensor, area_b: Tensor) -> Tensor:
    top_left = torch.maximum(a[..., :2], b[..., :2])
    bottom_right = torch.minimum(a[..., 2:], b[..., 2:])
    sides = (bottom_right - top_left).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    union = area_a + area_b - intersection
    return torch.where(union > 0, intersection / union, torch.zeros_like(union))


def clip(boxes: Float[Tensor, "*r 4"], image_size: tuple[int, int]) -> Float[Tensor, "*r 4"]:
    """The parts of boxes [..., 4] that lie inside an image of (height, width); a box outside becomes an empty one.

    Raises `ValueError` for another shape.
    """
    if not isinstance(boxes, Tensor) or not boxes.ndim or boxes.shape[-1] != 4:
        got = list(boxes.shape) if hasattr(boxes, "shape") else type(boxes).__name__
        raise ValueError(f"clip: expected a torch tensor [..., 4] (x1, y1, x2, y2), got {got}")
    height, width = image_size
    limit = boxes.new_tensor([width, height, width, height])
    return torch.minimum(boxes.clamp(min=0), limit)


@dataclass(frozen=True)
class BoxCoder:
    """Turns a (proposal, ground truth) pair into four scale-free deltas and back (R-CNN, appendix C).

    `mean` and `std` normalise the deltas (Fast R-CNN, section 2.3: zero mean, unit variance); R-CNN leaves them.
    """

    mean: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    std: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    max_log_scale: float = math.log(1000 / 16)  # not in the paper: keeps exp() finite for a bad regressor

    def encode(self, proposals: Float[Tensor, "r 4"], ground_truth: Float[Tensor, "r 4"]) -> Float[Tensor, "r 4"]:
        """Deltas that move each proposal P onto the ground truth G of the same row (R-CNN, eq. 6 to 9).

        t_x = (G_x - P_x) / P_w    t_y = (G_y - P_y) / P_h    t_w = log(G_w / P_w)    t_h = log(G_h / P_h)

        where x, y are the box's centre. Raises `ValueError` if a box has no width or no height.
        """
        check_boxes(proposals, "proposals")
        check_boxes(ground_truth, "ground_truth")
        p_center, p_size = _center_size(proposals)
        g_center, g_size = _center_size(ground_truth)
        if not torch.minimum(p_size, g_size).gt(0).all():
            raise ValueError("BoxCoder.encode: a box without width or height has no deltas; remove such boxes first")
        deltas = torch.cat([(g_center - p_center) / p_size, (g_size / p_size).log()], dim=1)
        return (deltas - deltas.new_tensor(self.mean)) / deltas.new_tensor(self.std)

    def decode(self, proposals: Float[Tensor, "r 4"], deltas: Float[Tensor, "r *k 4"]) -> Float[Tensor, "r *k 4"]:
        """Move proposals [R, 4] by deltas [R, 4], or [R, K, 4] with one set for each class (R-CNN, eq. 1 to 4).

        G_x = P_w t_x + P_x    G_y = P_h t_y + P_y    G_w = P_w exp(t_w)    G_h = P_h exp(t_h)

        Raises `ValueError` for proposals that are no boxes.
        """
        check_boxes(proposals, "proposals")
        center, size = _center_size(proposals)
        if deltas.ndim == 3:
            center, size = center[:, None], size[:, None]  # [R, 1, 2]: every class starts from the same proposal
        deltas = deltas * deltas.new_tensor(self.std) + deltas.new_tensor(self.mean)
        new_center = center + size * deltas[..., :2]
        new_size = size * deltas[..., 2:].clamp(max=self.max_log_scale).exp()
        return torch.cat([new_center - new_size / 2, new_center + new_size / 2], dim=-1)


def nms(
    boxes: Float[Tensor, "r 4"],
    scores: Float[Tensor, " r"],
    threshold: float,
    labels: Int[Tensor, " r"] | None = None,
) -> Int[Tensor, " kept"]:
    """Rows that greedy non-maximum suppression keeps, best score first (R-CNN, section 2.2).

    A box is rejected if its IoU with a better kept box is above `threshold`; of equal scores the first row wins.
    labels: boxes of different ones leave each other alone, as if each class were suppressed by itself.
    Raises `ValueError` for boxes that are no boxes or a score that is not a number.
    """
    _check_scored(boxes, scores)
    if labels is None:
        return torchvision.ops.nms(boxes, scores.to(boxes.dtype), threshold)
    kept = torchvision.ops.batched_nms(boxes, scores.to(boxes.dtype), labels, threshold).sort().values
    return kept[scores[kept].sort(descending=True, stable=True).indices]


@dataclass(frozen=True)
class NmsStep:
    """One round of non-maximum suppression: the row kept, the rows it rejects with their IoU, the rows left."""

    kept: int
    rejected: Int[Tensor, " n"]
    rejected_iou: Float[Tensor, " n"]
    remaining: Int[Tensor, " m"]


def nms_steps(boxes: Float[Tensor, "r 4"], scores: Float[Tensor, " r"], threshold: float) -> Iterator[NmsStep]:
    """The same suppression as `nms`, one yielded `NmsStep` per kept box: select the best, reject what overlaps it."""
    _check_scored(boxes, scores)
    remaining = scores.sort(descending=True, stable=True).indices
    while len(remaining):
        best, rest = remaining[0], remaining[1:]
        overlap = iou(boxes[best : best + 1], boxes[rest])[0]
        # torchvision compares in double precision on a CPU and in the boxes' own on a GPU: bit for bit the same here.
        reject = (overlap.double() if overlap.device.type == "cpu" else overlap) > threshold
        remaining = rest[~reject]
        yield NmsStep(int(best), rest[reject], overlap[reject], remaining)


def _center_size(boxes: Float[Tensor, "r 4"]) -> tuple[Float[Tensor, "r 2"], Float[Tensor, "r 2"]]:
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size


def _check_scored(boxes: Tensor, scores: Tensor) -> None:
    check_boxes(boxes)
    if len(scores) != len(boxes):
        raise ValueError(f"nms: {len(boxes)} boxes but {len(scores)} scores; give one score a box")
    if scores.isnan().any():
        raise ValueError("nms: a score is not a number (NaN); look for a diverged or untrained head")
