"""tests.benchmarks.speed.searching: pictures of the sizes that are compared."""

import pytest
import torch

from lecture_lib.structures import Proposals, Target
from tests.benchmarks.speed.searching import resized, told_recall


def test_boxes_are_resized_with_their_picture(target: Target) -> None:
    image, moved = resized(torch.rand(3, 60, 80), target, width=160, height=30)
    assert image.shape == (3, 30, 160)
    assert moved.image_size == (30, 160)
    torch.testing.assert_close(moved.boxes, target.boxes * torch.tensor([2.0, 0.5, 2.0, 0.5]))


@pytest.mark.parametrize(("boxes", "expected"), [(0, "0 of 2 objects at IoU 0.5 with 0"), (1, "1 of 2"), (2, "2 of 2")])
def test_recall_counts_the_objects_that_were_found(target: Target, boxes: int, expected: str) -> None:
    assert told_recall([Proposals(target.boxes[:boxes], None, target.image_size)], [target]).startswith(expected)
