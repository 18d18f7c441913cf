"""COCO's numbers against the published ones, and against our own curves."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_lib.evaluation import coco_evaluate, evaluate
from tests.evaluation.records import (
    NOTHING,
    SIZE,
    A,
    B,
    images,
    make_detections,
    make_target,
    records,
)


def at_101_recalls(curve):
    """COCO's average of the precision, from our curve."""
    return np.mean([max(curve.precision[curve.recall >= t].tolist(), default=0) for t in np.linspace(0, 1, 101)])


@given(images(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.just(False)))
@settings(max_examples=60)
def test_curves_are_those_of_pycocotools(drawn):
    """With one object of a class in an image, VOC's rule of the best object and COCO's of the best free one agree."""
    drawn = [(list({label: (box, label, d) for box, label, d in objects}.values()), found) for objects, found in drawn]
    detections, targets = records(drawn)
    result = evaluate(detections, targets)
    theirs = coco_evaluate(detections, targets)
    if not result.ap:
        assert math.isnan(theirs.ap50)
        return
    assert np.mean([at_101_recalls(curve) for curve in result.curves.values()]) == pytest.approx(theirs.ap50, abs=1e-9)
    assert result.map == pytest.approx(theirs.ap50, abs=0.01)  # area under the curve against 101 points of it


@pytest.fixture
def oracle(real):
    """COCO's published example as records, in the order of the image ids, as pycocotools takes them."""
    folder = real / "coco_eval_oracle"
    truth = json.loads((folder / "gts/sampled_gts_bbox_area.json").read_text())
    found = json.loads((folder / "cocoapi_results.json").read_text())
    detections, targets = [], []
    for image in sorted(truth["images"], key=lambda image: image["id"]):
        size = (image["height"], image["width"])
        rows = [[(*corners(item["bbox"], size), item["category_id"], item.get("score", 0)) for item in items
                 if item["image_id"] == image["id"]] for items in (truth["annotations"], found)]  # fmt: skip
        targets.append(make_target(*rows[0], size=size))
        detections.append(make_detections(*rows[1], size=size))
    return detections, targets


def corners(bbox, size):
    x, y, width, height = bbox
    return x, y, min(x + width, size[1]), min(y + height, size[0])


def test_coco_gives_the_published_numbers(oracle):
    expected = {
        "ap": 0.503647,
        "ap50": 0.696973,
        "ap75": 0.571667,
        "ap_small": 0.593252,
        "ap_medium": 0.557991,
        "ap_large": 0.489363,
        "ar1": 0.386813,
        "ar10": 0.593680,
        "ar100": 0.595353,
    }
    result = coco_evaluate(*oracle)
    assert {name: round(getattr(result, name), 6) for name in expected} == expected
    assert result.masks is None


def test_voc_is_near_coco_at_one_half(oracle):
    assert evaluate(*oracle).map == pytest.approx(coco_evaluate(*oracle).ap50, abs=0.002)


def test_coco_ignores_difficult_objects():
    target = make_target((*A, 1, 1), (*B, 1, 0))
    found = make_detections((*A, 1, 0.9), (*A, 1, 0.8), (*B, 1, 0.7))
    assert coco_evaluate([found], [target]).ap == pytest.approx(1)
    assert coco_evaluate([found[2:]], [target]).ap == pytest.approx(1)


def test_coco_sizes():
    sizes = {"small": 31, "medium": 95, "large": 97}
    for name, side in sizes.items():
        target = make_target((0, 0, side, side, 1, 0), size=(100, 100))
        result = coco_evaluate([make_detections((0, 0, side, side, 1, 0.9), size=(100, 100))], [target])
        for other in sizes:
            value = getattr(result, f"ap_{other}")
            assert value == pytest.approx(1) if other == name else math.isnan(value)


def filled(boxes):
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


@given(images(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()))
@settings(max_examples=30)
def test_masks_that_fill_their_boxes_measure_as_the_boxes(drawn):
    drawn = [
        (objects, [row for row in found if row[0][2] > row[0][0] and row[0][3] > row[0][1]]) for objects, found in drawn
    ]
    detections = [make_detections(*[(*b, k, s) for b, k, s in f], masks=filled([b for b, _, _ in f])) for _, f in drawn]
    targets = [make_target(*[(*b, k, d) for b, k, d in o], masks=filled([b for b, _, _ in o])) for o, _ in drawn]
    result = coco_evaluate(detections, targets)
    if result.masks is not None:
        names = [name for name in vars(result) if name != "masks"]
        pairs = [(getattr(result, name), getattr(result.masks, name)) for name in names]
        assert all(a == pytest.approx(b, nan_ok=True) for a, b in pairs)


def test_masks_are_measured_by_their_pixels():
    truth, half = filled([A]), filled([(0, 0, 10, 6)])
    result = coco_evaluate([make_detections((*A, 1, 0.9), masks=half)], [make_target((*A, 1, 0), masks=truth)])
    assert result.ap == pytest.approx(1)
    assert result.masks.ap == pytest.approx(0.3)  # IoU 0.6: found at 0.50, 0.55 and 0.60 of the ten thresholds
    assert coco_evaluate([make_detections((*A, 1, 0.9))], [make_target((*A, 1, 0), masks=truth)]).masks is None
    with pytest.raises(ValueError, match="some images have masks and others have none"):
        coco_evaluate([NOTHING, NOTHING], [make_target((*A, 1, 0), masks=truth), make_target((*A, 1, 0))])
