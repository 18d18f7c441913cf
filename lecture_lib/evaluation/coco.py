"""Average precision and recall as COCO defines them, computed by its own code, pycocotools."""

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from lecture_lib.evaluation.checks import check_detections
from lecture_lib.structures import Detections, Target


@dataclass(frozen=True)
class CocoEvaluation:
    """COCO's twelve numbers, each 0 to 1, or not a number (NaN) where there is no object of that size.

    `ap` is the mean over the IoU thresholds 0.50, 0.55, ..., 0.95. ar1, ar10 and ar100 are the recall, averaged over
    the same thresholds, with the 1, 10 and 100 best detections of each image and class. Objects are small below 32 x 32
    pixels and large from 96 x 96 on; their area is the mask's where there is one, else the box's.
    `masks` holds the same numbers with the IoU of the masks, where detections and targets have masks.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    masks: "CocoEvaluation | None" = field(default=None, repr=False)


def coco_evaluate(
    detections: Sequence[Detections], targets: Sequence[Target], num_classes: int | None = None
) -> CocoEvaluation:
    """COCO's average precision and recall of the detections of a whole set of images, one record an image.

    Difficult objects become COCO's "crowd": not needed, and detections on them do not count. For a crowd COCO divides
    the intersection by the detection's area instead of the union, so that parts of a difficult object do not
    count either: more lenient than VOC's rule.

    Raises `ValueError` as `evaluate` does, and when some targets with objects have masks and others have none.
    """
    check_detections(detections, targets, num_classes)
    if not _with_masks(targets):
        return CocoEvaluation(*_summary(detections, targets, "bbox"))
    on_masks = CocoEvaluation(*_summary(detections, targets, "segm")) if _with_masks(detections) else None
    return CocoEvaluation(*_summary(detections, targets, "bbox"), masks=on_masks)


def _with_masks(records: Sequence[Detections] | Sequence[Target]) -> bool:
    has = {record.masks is not None for record in records if len(record)}
    if len(has) > 1:
        raise ValueError("some images have masks and others have none: read or predict masks for all, or for none")
    return has == {True}


def _summary(detections: Sequence[Detections], targets: Sequence[Target], kind: str) -> list[float]:
    from pycocotools.cocoeval import COCOeval

    images = [{"id": i, "height": t.image_size[0], "width": t.image_size[1]} for i, t in enumerate(targets)]
    labels = {label for record in targets for label in record.labels.tolist()}
    categories = [{"id": label} for label in sorted(labels)]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports every step
        truth = _coco(targets, images, categories)
        found = _coco(detections, images, categories)
        evaluation = COCOeval(truth, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [math.nan if value < 0 else float(value) for value in evaluation.stats]  # -1: no object of that size


def _coco(records: Sequence[Detections] | Sequence[Target], images: list[dict], categories: list[dict]):
    """The records as pycocotools' data set."""
    from pycocotools.coco import COCO

    rows = [row for i, record in enumerate(records) for row in _rows(record, i)]
    for number, row in enumerate(rows, start=1):  # not 0: pycocotools takes a match with 0 for none
        row["id"] = number
    data = COCO()
    data.dataset = {"images": images, "categories": categories, "annotations": rows}
    data.createIndex()
    return data


def _rows(record: Detections | Target, image: int) -> list[dict]:
    boxes = record.boxes.cpu().double()  # in this order: Apple's GPU has no double
    sides = boxes[:, 2:] - boxes[:, :2]
    columns = {
        "category_id": record.labels.tolist(),
        "bbox": torch.cat([boxes[:, :2], sides], dim=1).tolist(),
        "area": sides.prod(dim=1).tolist(),
        "iscrowd": [0] * len(record),
    }
    if record.masks is not None:
        columns["area"] = record.masks.sum(dim=(1, 2)).tolist()
        columns["segmentation"] = _run_lengths(record.masks)
    if isinstance(record, Detections):
        columns["score"] = record.scores.tolist()
    else:
        columns["iscrowd"] = record.difficult.int().tolist()
    return [dict(zip(columns, row, strict=True), image_id=image) for row in zip(*columns.values(), strict=True)]


def _run_lengths(masks: Bool[Tensor, "r h w"]) -> list[dict]:
    from pycocotools import mask

    columns_first = np.asfortranarray(masks.cpu().numpy().transpose(1, 2, 0).astype(np.uint8))  # [h, w, R]
    return mask.encode(columns_first)
