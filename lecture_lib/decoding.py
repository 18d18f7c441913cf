"""The last slot of every detector: from scores and deltas of each region to detections."""

from dataclasses import dataclass, field

from lecture_lib.boxes import BoxCoder, clip, nms
from lecture_lib.structures import Detections, Predictions, Proposals


@dataclass(frozen=True)
class DecodeRule:
    """What counts as a detection. With `nms_threshold=None` nothing is suppressed, which shows what NMS is good for.

    Raises `ValueError` for a threshold that is no IoU and for fewer than one detection.
    """

    score_threshold: float = 0.05  # of a probability; an SVM's margin has another scale
    nms_threshold: float | None = 0.3  # IoU, per class (R-CNN's release; section 2.2 calls it "learned")
    max_detections: int = 100  # of one image, best first
    coder: BoxCoder = field(default_factory=BoxCoder)

    def __post_init__(self) -> None:
        if self.nms_threshold is not None and not 0 <= self.nms_threshold <= 1:
            raise ValueError(f"DecodeRule: nms_threshold is an IoU in 0..1 or None, got {self.nms_threshold}")
        if self.max_detections < 1:
            raise ValueError(f"DecodeRule: max_detections must be at least 1, got {self.max_detections}")


def decode(proposals: Proposals, predictions: Predictions, rule: DecodeRule) -> Detections:
    """Move the boxes by their deltas, clip them to the image, drop low scores, suppress doubles class by class.

    The end of R-CNN (section 2.2; deltas: appendix C), which all detectors after it have kept.
    Best score first; of equal scores the lower class, then the lower row comes first. Boxes without area are dropped.
    Raises `ValueError` if proposals and predictions are not of the same regions.
    """
    if len(proposals) != len(predictions):
        raise ValueError(f"decode: {len(proposals)} proposals but {len(predictions)} predictions; row r is one region")
    boxes = clip(rule.coder.decode(proposals.boxes, predictions.deltas), proposals.image_size)  # [R, K, 4]
    has_area = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)
    candidates = (predictions.scores > rule.score_threshold) & has_area  # [R, K]
    column, rows = candidates.T.nonzero().unbind(dim=1)  # class by class: class - 1, and row
    boxes, scores = boxes[rows, column], predictions.scores[rows, column]
    if rule.nms_threshold is None:
        best = scores.sort(descending=True, stable=True).indices[: rule.max_detections]
    else:
        best = nms(boxes, scores, rule.nms_threshold, column)[: rule.max_detections]
    return Detections(boxes[best], column[best] + 1, scores[best], rows[best], None, proposals.image_size)
