"""PASCAL VOC's average precision: its rules one by one, and all of them against a slow loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_lib.evaluation import coco_evaluate, evaluate
from tests.evaluation.records import CLASSES, NO_OBJECT, NOTHING, A, B, images, make_detections, make_target, records


def test_empty():
    for detections, targets in (([], []), ([NOTHING], [NO_OBJECT]), ([make_detections((*A, 1, 0.5))], [NO_OBJECT])):
        result = evaluate(detections, targets)
        assert math.isnan(result.map)
        assert result.ap == {} == result.curves
        assert math.isnan(coco_evaluate(detections, targets).ap)
    missed = evaluate([NOTHING], [make_target((*A, 2, 0))])
    assert missed.ap == {2: 0.0}
    assert missed.map == 0
    assert len(missed.curves[2].recall) == 0
    assert evaluate([NOTHING], [make_target((*A, 2, 0))], method="11-point").map == 0
    assert coco_evaluate([NOTHING], [make_target((*A, 2, 0))]).ap == 0


def test_perfect_detections():
    target = make_target((*A, 1, 0), (*B, 2, 0))
    found = make_detections((*A, 1, 0.9), (*B, 2, 0.1))
    for method in ("all-point", "11-point"):
        assert evaluate([found], [target], method=method).ap == {1: 1.0, 2: 1.0}


def test_worked_example():
    """Right, wrong, right, with two of three objects found: by hand, both ways."""
    target = make_target((*A, 1, 0), (*B, 1, 0), (0, 10, 10, 20, 1, 0))
    found = make_detections((*A, 1, 0.9), (12, 0, 20, 8, 1, 0.8), (*B, 1, 0.7))
    result = evaluate([found], [target])
    assert result.curves[1].precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert result.curves[1].recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert result.curves[1].objects == 3
    assert result.ap[1] == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    # Recall 0, 0.1, 0.2, 0.3 at precision 1; 0.4, 0.5, 0.6 at 2/3; 0.7 to 1.0 never reached.
    assert evaluate([found], [target], method="11-point").ap[1] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_precision_is_raised_to_the_best_that_follows():
    target = make_target((*A, 1, 0), (*B, 1, 0))
    found = make_detections((12, 0, 20, 8, 1, 0.9), (*A, 1, 0.8), (*B, 1, 0.7))  # precision 0, 1/2, 2/3
    for method in ("all-point", "11-point"):
        assert evaluate([found], [target], method=method).ap[1] == pytest.approx(2 / 3)


def test_second_detection_of_an_object_is_wrong():
    result = evaluate([make_detections((*A, 1, 0.9), (*A, 1, 0.8))], [make_target((*A, 1, 0))])
    assert result.curves[1].precision.tolist() == [1, 0.5]


def test_taken_object_is_not_exchanged_for_the_next_best():
    """A detection goes with the object that it overlaps most, even if that one is taken and another is free."""
    target = make_target((0, 0, 10, 10, 1, 0), (0, 0, 10, 8, 1, 0))
    found = make_detections((0, 0, 10, 10, 1, 0.9), (0, 0, 10, 10, 1, 0.8))
    assert evaluate([found], [target]).curves[1].recall.tolist() == [0.5, 0.5]


def test_difficult_objects_are_neither_right_nor_wrong():
    target = make_target((*A, 1, 1), (*B, 1, 0))
    found = make_detections((*A, 1, 0.9), (*A, 1, 0.8), (*B, 1, 0.7))
    assert evaluate([found], [target]).curves[1].precision.tolist() == [1]
    assert evaluate([found], [target]).ap == {1: 1.0}
    only_difficult = evaluate([found], [make_target((*A, 1, 1))])
    assert only_difficult.ap == {}


def test_iou_of_exactly_the_threshold_is_enough():
    target, half = make_target((0, 0, 10, 10, 1, 0)), make_detections((0, 0, 10, 5, 1, 0.5))
    assert evaluate([half], [target]).map == 1
    assert evaluate([half], [target], iou_threshold=0.501).map == 0


def test_eleven_points_count_a_recall_of_exactly_three_tenths():
    target = make_target(*[(2 * i, 0, 2 * i + 2, 2, 1, 0) for i in range(10)])
    found = make_detections(*[(2 * i, 0, 2 * i + 2, 2, 1, 0.5) for i in range(3)])
    assert evaluate([found], [target], method="11-point").map == pytest.approx(4 / 11)


def test_equal_scores_keep_their_order():
    target = make_target((*A, 1, 0))
    right, wrong = (*A, 1, 0.5), (*B, 1, 0.5)
    assert evaluate([make_detections(right, wrong)], [target]).map == 1
    assert evaluate([make_detections(wrong, right)], [target]).map == 0.5
    assert evaluate([make_detections(wrong), make_detections(right)], [NO_OBJECT, target]).map == 0.5


def test_order_of_rows_does_not_matter_but_for_ties(generator):
    target = make_target((*A, 1, 0), (*B, 1, 0))
    found = make_detections(*[(i, i, i + 10, i + 10, 1, i / 10) for i in range(10)])
    shuffled = found[torch.randperm(10, generator=generator)]
    assert evaluate([found], [target]).map == evaluate([shuffled], [target]).map


def test_label_without_objects_does_not_count():
    found = make_detections((*A, 1, 0.5), (*A, 3, 0.5))
    assert evaluate([found], [make_target((*A, 1, 0))]).ap == {1: 1.0}


def inclusive_iou(a, b):
    """IoU as the devkit has it: 1-based corners, the last pixel inside, + 1."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = ((x1 + 1, y1 + 1, x2, y2) for x1, y1, x2, y2 in (a, b))
    width, height = min(ax2, bx2) - max(ax1, bx1) + 1, min(ay2, by2) - max(ay1, by1) + 1
    if width <= 0 or height <= 0:
        return 0.0
    union = (ax2 - ax1 + 1) * (ay2 - ay1 + 1) + (bx2 - bx1 + 1) * (by2 - by1 + 1) - width * height
    return width * height / union


def slow_average_precision(drawn, label, iou_threshold, eleven):
    objects = [[(box, difficult) for box, k, difficult in objects if k == label] for objects, _ in drawn]
    count = sum(not difficult for image in objects for _, difficult in image)
    if not count:
        return None
    found = [(score, i, box) for i, (_, found) in enumerate(drawn) for box, k, score in found if k == label]
    taken, right, wrong, points = set(), 0, 0, []
    for _, i, box in sorted(found, key=lambda row: -row[0]):
        best, best_overlap = None, 0.0
        for g, (truth, _) in enumerate(objects[i]):
            if inclusive_iou(box, truth) > best_overlap:
                best, best_overlap = g, inclusive_iou(box, truth)
        if best is not None and best_overlap >= iou_threshold:
            if objects[i][best][1]:
                continue
            if (i, best) not in taken:
                taken.add((i, best))
                right += 1
            else:
                wrong += 1
        else:
            wrong += 1
        points.append((right / count, right / (right + wrong)))
    if eleven:
        return sum(max([p for r, p in points if r >= t / 10], default=0) for t in range(11)) / 11
    recalls = sorted({r for r, _ in points if r > 0})
    return sum(
        (r - before) * max(p for q, p in points if q >= r) for before, r in zip([0, *recalls], recalls, strict=False)
    )


@given(images(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), st.sampled_from([0.25, 0.5, 0.7]), st.booleans())
@settings(max_examples=300)
def test_average_precision_is_the_slow_loops(drawn, iou_threshold, eleven):
    result = evaluate(*records(drawn), iou_threshold, "11-point" if eleven else "all-point")
    slow = {k: slow_average_precision(drawn, k, iou_threshold, eleven) for k in range(1, CLASSES + 1)}
    expected = {label: value for label, value in slow.items() if value is not None}
    assert result.ap == pytest.approx(expected, abs=1e-12)
    assert list(result.ap) == sorted(result.ap)
    if expected:
        assert result.map == pytest.approx(np.mean(list(expected.values())), abs=1e-12)


@pytest.mark.usefixtures("as_user")
def test_bad_settings():
    with pytest.raises(ValueError, match="method is '12-point'"):
        evaluate([NOTHING], [NO_OBJECT], method="12-point")
    for threshold in (0, 50, -0.5):
        with pytest.raises(ValueError, match="iou_threshold is"):
            evaluate([NOTHING], [NO_OBJECT], iou_threshold=threshold)
