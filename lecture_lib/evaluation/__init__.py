"""Measuring detections (average precision, as PASCAL VOC and COCO define it) and proposals (recall, overlap)."""

from lecture_lib.evaluation.average_precision import Curve, Evaluation, evaluate
from lecture_lib.evaluation.coco import CocoEvaluation, coco_evaluate
from lecture_lib.evaluation.overlap import BestOverlap, mean_best_overlap, recall

__all__ = [
    "BestOverlap",
    "CocoEvaluation",
    "Curve",
    "Evaluation",
    "coco_evaluate",
    "evaluate",
    "mean_best_overlap",
    "recall",
]
