"""tests.benchmarks.speed.evaluating: scenes on which VOC's rule and COCO's agree, and measures that do."""

import numpy as np
import pytest
import torch

from lecture_lib.evaluation import Curve
from tests.benchmarks.speed.evaluating import apart, at_101_recalls, by_coco, coco_results, coco_truth, ours, scenes


def test_recalls_that_are_not_reached_count_nothing() -> None:
    none = torch.zeros(0, dtype=torch.double)
    assert at_101_recalls(Curve(none, none, none, 1)) == 0
    half = Curve(torch.tensor([0.5, 0.5]).double(), torch.tensor([1.0, 0.5]).double(), torch.ones(2).double(), 2)
    assert at_101_recalls(half) == pytest.approx(51 / 101)


def test_no_two_objects_of_a_class_in_an_image() -> None:
    _, targets = scenes(30)
    assert max(map(len, targets)) > 1
    assert all(len(target.labels.unique()) == len(target) for target in targets)


def test_the_numbers_are_those_of_pycocotools() -> None:
    detections, targets = scenes(40)
    truth, results = coco_truth(targets), coco_results(detections)
    evaluation = ours(detections, targets, voc=True)
    (theirs,) = by_coco("pycocotools", truth, results, voc=True)
    assert 0.1 < theirs < 0.9
    assert np.mean([at_101_recalls(curve) for curve in evaluation.curves.values()]) == pytest.approx(theirs, abs=1e-9)
    twelve = by_coco("pycocotools", truth, results, voc=False)
    np.testing.assert_allclose(ours(detections, targets, voc=False), twelve, atol=1e-9)
    assert apart(0.3 * np.eye(12)[4], np.zeros(12)).startswith("the twelve numbers differ by 0.3 at most")
