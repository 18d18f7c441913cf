import dataclasses
import itertools

import pytest
import torch

from lecture_lib.structures import (
    Detections,
    FeatureMap,
    Predictions,
    Proposals,
    RegionFeatures,
    Target,
    check_boxes,
    check_image,
    concatenate,
)

SIZE = (60, 80)
BOXES = torch.tensor([[0.0, 0, 10, 10], [5, 5, 80, 60], [1, 2, 1, 2]])
LABELS = torch.tensor([1, 2, 1])
EMPTY = [
    Proposals.empty(SIZE),
    Target.empty(SIZE),
    Detections.empty(SIZE),
    RegionFeatures.empty(5, 6),
    Predictions.empty(3),
]


def target(**changes) -> Target:
    whole = Target(BOXES, LABELS, torch.tensor([False, True, False]), torch.zeros(3, *SIZE, dtype=torch.bool), SIZE)
    return dataclasses.replace(whole, **changes)


@pytest.mark.parametrize("record", EMPTY, ids=lambda r: type(r).__name__)
def test_empty_record(record, device):
    assert len(record) == 0
    assert len(record.to(device)) == 0
    assert len(record[torch.zeros(0, dtype=torch.bool)]) == 0


def test_nothing_cannot_be_concatenated_but_empty_records_can(device):
    with pytest.raises(ValueError, match=r"no record given.*Proposals\.empty"):
        concatenate([])
    for record in EMPTY:
        whole = concatenate([record.to(device)] * 2)
        assert type(whole) is type(record)
        assert len(whole) == 0


def test_mask_and_index_select_the_same_rows_of_every_field():
    by_mask = target()[torch.tensor([True, False, True])]
    by_index = target()[torch.tensor([0, 2])]
    for field in ("boxes", "labels", "difficult", "masks"):
        assert torch.equal(getattr(by_mask, field), getattr(by_index, field))
    assert len(by_mask) == 2
    assert by_mask.image_size == SIZE
    assert torch.equal(target()[1:].boxes, BOXES[1:])


def test_one_row_by_integer_is_refused_with_the_way_out(as_user):
    with pytest.raises(TypeError, match=r"record\[i : i \+ 1\]"):
        target()[0]


def test_absent_field_stays_absent():
    assert Proposals(BOXES, None, SIZE)[1:].scores is None


@pytest.mark.parametrize("cuts", [(0, 3), (0, 1, 3), (0, 0, 2, 2, 3)])
def test_concatenating_the_parts_gives_the_whole(cuts, device):
    scored = Proposals(BOXES, torch.tensor([0.9, 0.5, 0.1]), SIZE)
    features = RegionFeatures(torch.arange(6.0).view(3, 2), torch.arange(12.0).view(3, 4))
    predictions = Predictions(torch.arange(6.0).view(3, 2), torch.arange(24.0).view(3, 2, 4))
    detections = Detections(BOXES, LABELS, torch.tensor([0.9, 0.5, 0.1]), torch.tensor([7, 5, 6]), None, SIZE)
    for record in (scored, Proposals(BOXES, None, SIZE), target(), features, predictions, detections):
        whole = concatenate([record.to(device)[a:b] for a, b in itertools.pairwise(cuts)])
        for field in dataclasses.fields(record):
            before, after = getattr(record, field.name), getattr(whole, field.name)
            if isinstance(before, torch.Tensor):
                assert after.device.type == device.type
                assert torch.equal(before, after.cpu())
                assert before.dtype == after.dtype
            else:
                assert before == after


def test_of_class():
    assert torch.equal(target().of_class(1).boxes, BOXES[[0, 2]])
    assert len(target().of_class(7)) == 0


def test_to_moves_every_tensor(device):
    moved = target().to(device)
    assert {getattr(moved, name).device.type for name in ("boxes", "labels", "difficult", "masks")} == {device.type}
    assert FeatureMap(torch.zeros(1, 2, 3), (16.0, 16.0), SIZE).to(device).tensor.device.type == device.type


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        target().boxes = BOXES


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[0, 0, 1, 1]], "torch tensor"),
        (torch.zeros(4), r"shape \[R, 4\]"),
        (torch.zeros(2, 5), r"shape \[R, 4\]"),
        (torch.zeros(2, 4, dtype=torch.long), r"\.float\(\)"),
        (torch.tensor([[0, 0, 1, 1], [0, 0, float("nan"), 1]]), "row 1 is not finite"),
        (torch.tensor([[0, 0, float("inf"), 1]]), "row 0 is not finite"),
        (torch.tensor([[5.0, 0, 4, 1]]), "x2 < x1"),
        (torch.tensor([[0.0, 5, 4, 1]]), "y2 < y1"),
    ],
)
def test_bad_boxes(boxes, says):
    with pytest.raises(ValueError, match=says):
        check_boxes(boxes)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("photo.jpg", r"\[3, H, W\]"),
        (torch.zeros(1, 4, 4), r"\[3, H, W\]"),
        (torch.zeros(4, 4, 3), r"\[3, H, W\]"),
        (torch.zeros(3, 0, 4), r"\[3, H, W\]"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "divide by 255"),
        (torch.full((3, 4, 4), 200.0), "divide by 255"),
        (torch.full((3, 4, 4), float("nan")), "0..1"),
    ],
)
def test_bad_image(image, says):
    with pytest.raises(ValueError, match=says):
        check_image(image)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": torch.tensor([0, 1, 2])}, "0 is background"),
        ({"labels": [1, 1, 2]}, "whole numbers, got list"),
        ({"labels": torch.tensor([1.0, 1, 2])}, "whole numbers, got torch.float32"),
        ({"labels": torch.tensor([[1], [1], [2]])}, "whole numbers, got torch.int64"),
        ({"difficult": torch.tensor([0, 0, 1])}, r"True and False.*\.bool\(\)"),
        ({"labels": torch.tensor([1, 2])}, "one row per region"),
        ({"boxes": BOXES + 1}, "leaves the image of 80 x 60"),
        ({"boxes": BOXES - 1}, "leaves the image"),
        ({"image_size": (80, 60)}, r"masks: expected"),
        ({"image_size": (80, 60), "masks": None}, "x swapped with y"),
        ({"image_size": (0, 60), "masks": None}, "height, width"),
    ],
)
def test_bad_target(change, says, as_user):
    with pytest.raises(ValueError, match=says):
        target(**change)


def test_bad_stride():
    with pytest.raises(ValueError, match="stride"):
        FeatureMap(torch.zeros(1, 2, 3), (0.0, 16.0), SIZE)


def test_rows_of_predictions_and_features_must_agree(as_user):
    with pytest.raises(ValueError, match="one row per region"):
        Predictions(torch.zeros(2, 3), torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="one row per region"):
        RegionFeatures(torch.zeros(2, 3), torch.zeros(1, 3))
