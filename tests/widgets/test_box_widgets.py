"""The widgets of boxes on a picture: what they send and what they refuse; the drawing is tested in tests/browser."""

import pytest
import torch

from lecture_lib.decoding import DecodeRule
from lecture_lib.detectors import Trace
from lecture_lib.matching import FAST_RCNN, RCNN_FINE_TUNING, IoURule
from lecture_lib.structures import Detections, Predictions, Proposals, RegionFeatures, Target
from lecture_lib.widgets.deltas import deltas_explorer
from lecture_lib.widgets.iou import iou_explorer
from lecture_lib.widgets.labelling import labelling_explorer, thresholds
from lecture_lib.widgets.suppression import suppression_explorer

SIZE = (60, 80)
CLASSES = ("red", "green")


def trace_of(proposals: Proposals, scores: torch.Tensor) -> Trace:
    predictions = Predictions(scores, torch.zeros(*scores.shape, 4))
    return Trace((), proposals, RegionFeatures.empty(1, 1), predictions, Detections.empty(SIZE), {})


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[10.0, 10, 30, 30], [0, 20, 60, 40], [11, 10, 31, 30]]), None, SIZE)


def test_nothing_to_draw_is_no_error(image):
    empty = Proposals.empty(SIZE)
    suppression_explorer(image, trace_of(empty, torch.zeros(0, 2)), CLASSES, DecodeRule()).html()
    labelling_explorer(image, empty, Target.empty(SIZE), CLASSES).html()


def test_iou_starts_with_the_boxes_given(image):
    assert iou_explorer(image).values == {"a": [20, 12, 48, 42], "b": [32, 21, 64, 51]}
    boxes = torch.tensor([[1.0, 2, 30.6, 40], [0, 0, 80, 60]])
    assert iou_explorer(image, boxes).values == {"a": [1, 2, 31, 40], "b": [0, 0, 80, 60]}


@pytest.mark.parametrize("boxes", [[[0, 0, 10, 10]], [[0, 0, 10, 10], [0, 0, 99, 10]], [[0, 0, 9, 9], [-5, 0, 9, 9]]])
def test_iou_refuses_other_boxes(as_user, image, boxes):
    with pytest.raises(ValueError, match="boxes: two inside the image of 80 x 60 pixels are needed"):
        iou_explorer(image, torch.tensor(boxes).float())


def test_deltas_start_half_way_between_boxes_of_whole_pixels(image):
    widget = deltas_explorer(image, torch.tensor([[10.2, 10, 30, 30]]), torch.tensor([[20.0, 10, 60, 30]]))
    assert widget.values == {"proposal": [10, 10, 30, 30], "object": [20, 10, 60, 30], "done": 0.5}
    widget.html()


@pytest.mark.parametrize(
    ("proposal", "message"),
    [([0, 0, 99, 9], "two inside the image of 80 x 60 pixels"), ([5, 5, 5, 9], "without width or height")],
)
def test_deltas_refuse_boxes_outside_and_without_area(as_user, image, proposal, message):
    with pytest.raises(ValueError, match=message):
        deltas_explorer(image, torch.tensor([proposal]).float(), torch.tensor([[0.0, 0, 9, 9]]))


def test_suppression_starts_at_its_rule(image, proposals):
    trace = trace_of(proposals, torch.tensor([[0.9, -1.0], [0.1, 0.5], [0.8, -1.0]]))
    widget = suppression_explorer(image, trace, CLASSES, DecodeRule(0.4, None))
    assert widget.values["score"] == pytest.approx(0.55)
    assert widget.values["threshold"] == 1.0
    assert widget.state()["arrays"]["boxes"]["shape"] == [3, 2, 4]
    assert suppression_explorer(image, trace, CLASSES, DecodeRule(0.4, 0.3)).values["threshold"] == 0.3


@pytest.mark.parametrize("rule", [FAST_RCNN, IoURule(0.42, None, True)])
def test_labelling_starts_at_its_rule(image, proposals, target, rule):
    widget = labelling_explorer(image, proposals, target, CLASSES, rule)
    assert thresholds(rule).items() <= widget.values.items()
    assert widget.values["preset"] == ("Fast R-CNN" if rule is FAST_RCNN else "")
    assert len(widget.state()["inputs"]["presets"]) == 5


def test_what_does_not_belong_together_is_refused(as_user, image, proposals, target):
    trace = trace_of(proposals, torch.zeros(3, 2))
    other = torch.zeros(3, 30, 40)
    for make in (
        lambda: suppression_explorer(other, trace, CLASSES, DecodeRule()),
        lambda: labelling_explorer(other, proposals, target, CLASSES),
    ):
        with pytest.raises(ValueError, match="40 x 30 pixels, but the proposals are of one with 80 x 60"):
            make()
    for make in (
        lambda: suppression_explorer(image, trace, ("red",), DecodeRule()),
        lambda: labelling_explorer(image, proposals, target, "red", RCNN_FINE_TUNING),
    ):
        with pytest.raises(ValueError, match="classes: 2 names are needed"):
            make()
    with pytest.raises(ValueError, match="expected a torch tensor"):
        iou_explorer(image.numpy())
