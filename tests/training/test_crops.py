"""lecture_lib.training.crops on a small data set whose every object is a square of its class's colour."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lecture_lib.structures import Target
from lecture_lib.training.crops import Crops, crop, object_crops, square_around
from lecture_lib.voc import VOCDataset

SHADES = (0.25, 0.75)


class Squares(VOCDataset):
    """Images of 60 x 100 with one object of each class, and a difficult and a tiny one that must not be taken."""

    def __init__(self, count: int) -> None:
        self.ids, self.classes, self.read = tuple(str(i) for i in range(count)), ("dark", "light"), []

    def target(self, i: int) -> Target:
        boxes = torch.tensor([[5.0, 10, 45, 50], [55, 10, 95, 50], [0, 0, 40, 40], [0, 0, 10, 10]])
        difficult = torch.tensor([False, False, True, False])
        return Target(boxes, torch.tensor([1, 2, 1, 2]), difficult, None, (60, 100))

    def image(self, i: int) -> torch.Tensor:
        self.read.append(i)
        image = torch.zeros(3, 60, 100)
        image[:, 10:50, 5:45], image[:, 10:50, 55:95] = SHADES
        return image


def test_empty_set_gives_no_crops_and_subsets_are_refused(generator: torch.Generator) -> None:
    crops = object_crops(Squares(0), 8, 5, generator)
    assert len(crops) == 0
    assert crops.images.shape == (0, 3, 8, 8)
    with pytest.raises(ValueError, match=r"No crop of \['dark', 'light'\]"):
        crops.first(1)


@pytest.mark.parametrize(("size", "per_class"), [(0, 1), (8, 0)])
def test_impossible_numbers_are_refused(size: int, per_class: int, generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        object_crops(Squares(1), size, per_class, generator)


def test_crops_show_their_object_and_skip_difficult_and_tiny_ones(generator: torch.Generator) -> None:
    dataset = Squares(6)
    crops = object_crops(dataset, 12, 4, generator)
    assert Counter(crops.labels.tolist()) == {1: 4, 2: 4}
    assert len(dataset.read) == len(set(dataset.read))  # every image is read once
    for image, label in zip(crops.images, crops.labels.tolist(), strict=True):
        assert float(image[:, 4:8, 4:8].mean()) == pytest.approx(SHADES[label - 1], abs=0.01)


def test_crops_are_repeatable_and_in_random_order() -> None:
    draws = [object_crops(Squares(30), 4, 20, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0].images, draws[1].images)
    assert not torch.equal(draws[0].labels, draws[2].labels)
    assert len({tuple(d.labels[:8].tolist()) for d in draws} | {(1,) * 8}) == 3


def test_fewer_per_class_are_part_of_more() -> None:
    labels = torch.tensor([1, 2, 2, 1, 1, 2])
    crops = Crops(torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 2, 2), labels, ("a", "b"))
    assert crops.first_rows(1).tolist() == [0, 1]
    assert crops.first_rows(2).tolist() == [0, 1, 2, 3]
    assert crops.first(2).images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert len(crops.first(99)) == 6


@given(
    x=st.floats(0, 90), y=st.floats(0, 50), w=st.floats(2, 100), h=st.floats(2, 60),
)  # fmt: skip
def test_square_lies_in_the_image_and_holds_the_box(x: float, y: float, w: float, h: float) -> None:
    box = torch.tensor([x, y, min(x + w, 100), min(y + h, 60)])
    top, left, bottom, right = square_around(box, (60, 100))
    assert 0 <= top < bottom <= 60
    assert 0 <= left < right <= 100
    assert left <= box[0] + 1 and right >= box[2] - 1  # noqa: PT018 - one idea; a pixel for rounding
    assert bottom - top == right - left or 60 in (bottom - top, right - left) or right - left == 100
    assert crop(torch.rand(3, 60, 100), box, 5).shape == (3, 5, 5)


def test_real_annotations(real: Path, generator: torch.Generator) -> None:
    folder = real / "voc2007"
    dataset = VOCDataset(folder, next(iter(sorted((folder / "ImageSets" / "Main").glob("*.txt")))).stem)
    crops = object_crops(dataset, 32, 2, generator)
    assert crops.images.shape[1:] == (3, 32, 32)
    assert 20 < len(crops) <= 40
    assert set(crops.labels.tolist()) <= set(range(1, 21))
