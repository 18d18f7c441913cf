"""Bad detections, and records on any device."""

import math

import pytest

from lecture_lib.evaluation import coco_evaluate, evaluate, recall
from tests.evaluation.records import NOTHING, A, make_detections, make_proposals, make_target


@pytest.mark.parametrize("measure", [evaluate, coco_evaluate])
def test_bad_detections_are_one_clear_error(measure):
    target = make_target((*A, 1, 0))
    with pytest.raises(ValueError, match="2 records of results for 1 targets"):
        measure([NOTHING, NOTHING], [target])
    with pytest.raises(ValueError, match=r"image 1: the results are for \(height, width\) \(20, 20\)"):
        measure([NOTHING, NOTHING], [target, make_target(size=(20, 30))])
    with pytest.raises(ValueError, match="image 0: a score is not a number"):
        measure([make_detections((*A, 1, math.nan))], [target])
    with pytest.raises(ValueError, match="image 0: label 4, but there are 3 classes"):
        measure([make_detections((*A, 4, 0.5))], [target], num_classes=3)
    with pytest.raises(ValueError, match="image 1: label 4, but there are 3 classes"):
        measure([NOTHING, NOTHING], [target, make_target((*A, 4, 0))], num_classes=3)
    measure([make_detections((*A, 3, 0.5))], [target], num_classes=3)


def test_records_of_any_device(device):
    target, found = make_target((*A, 1, 0)).to(device), make_detections((*A, 1, 0.5)).to(device)
    assert evaluate([found], [target]).map == 1
    assert coco_evaluate([found], [target]).ap50 == pytest.approx(1)
    assert recall([make_proposals(A).to(device)], [target], counts=(1,)).tolist() == [1]
