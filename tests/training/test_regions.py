"""lecture_lib.training.regions: every region keeps its label and its image, and pixels come back exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lecture_lib.images import read_image
from lecture_lib.matching import RCNN_BOX_REGRESSION, RCNN_FINE_TUNING, RCNN_SVM, IoURule, label_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.regions import LabelledRegions, Pixels, with_ground_truth
from lecture_lib.voc import VOCDataset

SIZE = (60, 80)


class Pictures(VOCDataset):
    """Files without annotations; remembers which were read."""

    def __init__(self, files: list[Path]) -> None:
        self.files, self.read = files, []

    def image(self, i: int) -> Tensor:
        self.read.append(i)
        return read_image(self.files[i])


def random_boxes(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([50.0, 35.0])
    return torch.cat([corner, corner + 5 + torch.rand(count, 2, generator=generator) * 20], dim=1)


def random_target(count: int, seed: int) -> Target:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(1, 4, (count,), generator=generator)
    return Target(random_boxes(count, seed + 100), labels, torch.arange(count) % 3 == 2, None, SIZE)


def test_no_regions_no_objects(target: Target) -> None:
    assert len(with_ground_truth(Proposals.empty(SIZE), Target.empty(SIZE))) == 0
    assert torch.equal(with_ground_truth(Proposals.empty(SIZE), target).boxes, target.boxes)
    with pytest.raises(ValueError, match="nothing to learn"):
        LabelledRegions.of([Proposals.empty(SIZE)], [target], RCNN_FINE_TUNING)


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        LabelledRegions.of([], [], RCNN_FINE_TUNING)


def test_difficult_objects_are_no_regions_and_the_others_come_last() -> None:
    proposals, target = Proposals(random_boxes(4, 0), torch.rand(4), SIZE), random_target(5, 1)
    assert target.difficult.tolist() == [False, False, True, False, False]
    found = with_ground_truth(proposals, target)
    assert torch.equal(found.boxes, torch.cat([proposals.boxes, target.boxes[[0, 1, 3, 4]]]))
    assert (found.scores, found.image_size) == (None, SIZE)


@pytest.mark.parametrize("rule", [RCNN_FINE_TUNING, RCNN_SVM, RCNN_BOX_REGRESSION])
def test_labels_are_those_of_each_image_by_itself(rule: IoURule) -> None:
    targets = [random_target(count, seed) for seed, count in enumerate((4, 0, 3, 5))]
    proposals = [Proposals(random_boxes(count, seed), None, SIZE) for seed, count in enumerate((30, 20, 0, 40))]
    regions = [with_ground_truth(*pair) for pair in zip(proposals, targets, strict=True)]
    found = LabelledRegions.of(regions, targets, rule)
    assert len({*found.labels.tolist()} - {0, -1}) == 3
    row = 0
    for i, (part, target) in enumerate(zip(regions, targets, strict=True)):
        labels = label_proposals(part, target, rule).labels
        for r in range(len(part)):
            assert torch.equal(found.boxes[row], part.boxes[r])
            assert (int(found.labels[row]), int(found.image[row])) == (int(labels[r]), i)
            row += 1
    assert row == len(found.boxes) == len(found.labels) == len(found.image)


def test_without_foreground_there_is_nothing_to_learn(target: Target) -> None:
    ground = Proposals(torch.tensor([[0.0, 40, 30, 60], [12, 12, 20, 20]]), None, SIZE)
    with pytest.raises(ValueError, match=r"No region is foreground by IoURule.*Check boxes and proposals"):
        LabelledRegions.of([ground], [target], RCNN_FINE_TUNING)
    with pytest.raises(ValueError, match=r"zip\(\)"):
        LabelledRegions.of([ground, ground], [target], RCNN_FINE_TUNING)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Three pictures of 16 x 16 pixels in which every value of a byte occurs."""
    generator = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file in files:
        values = np.stack([generator.permutation(256).astype(np.uint8).reshape(16, 16) for _ in range(3)], axis=2)
        Image.fromarray(values).save(file)
    return Pictures(files)


def test_pixels_are_the_sets_images_bit_by_bit(pictures: Pictures) -> None:
    pixels = Pixels(pictures)
    for i in (1, 0, 1, 2, 0, 1):
        image = pixels[i]
        assert image.dtype == torch.float32
        assert torch.equal(image, read_image(pictures.files[i]))
    assert pictures.read == [1, 0, 2]


def test_a_kept_image_is_not_changed_through_the_one_given_out(pictures: Pictures) -> None:
    pixels = Pixels(pictures)
    for _ in range(3):
        pixels[0].zero_()
    assert torch.equal(pixels[0], read_image(pictures.files[0]))


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (767, 0), (768, 1), (2 * 768 + 5, 2), (3 * 768, 3)])
def test_no_more_bytes_are_kept_than_allowed(pictures: Pictures, limit: int, kept: int) -> None:
    pixels = Pixels(pictures, limit)
    for i in (0, 1, 2):
        assert torch.equal(pixels[i], read_image(pictures.files[i]))
    assert pictures.read == [0, 1, 2]
    for i in (0, 1, 2):
        assert torch.equal(pixels[i], read_image(pictures.files[i]))
    assert pictures.read == [0, 1, 2, *range(kept, 3)]
