"""lecture_lib.training.regions: every region keeps its label and its image; pixels come back exactly, maps nearly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lecture_lib.detectors import Detector, rcnn, sppnet
from lecture_lib.images import read_image
from lecture_lib.matching import RCNN_BOX_REGRESSION, RCNN_FINE_TUNING, RCNN_SVM, IoURule, label_proposals
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.regions import EncodedImages, LabelledRegions, Pixels, mirror, with_ground_truth
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


class Encoded:
    """Random pictures on which a detector's `encode` is counted."""

    def __init__(self, detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pictures = list(torch.rand(3, 3, 24, 40, generator=torch.Generator().manual_seed(0)))
        self.detector, self.calls, encode = detector, 0, type(detector.encode).__call__

        def counted(slot: object, image: Tensor) -> tuple[FeatureMap, ...]:
            self.calls += 1
            return encode(slot, image)

        monkeypatch.setattr(type(detector.encode), "__call__", counted)
        self.encoded = EncodedImages(detector, self.pictures)


def test_a_networks_maps_are_made_once_mirrored_ones_too(
    small_backbone: Callable, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half precision has 11 bits: what comes back is the map but for one part in 2,000."""
    detector = sppnet(("red",), small_backbone(), scales=(24, 36)).to(device)
    direct = {
        (i, mirrored): detector.encode((picture.flip(2) if mirrored else picture).to(device))
        for i, picture in enumerate(torch.rand(3, 3, 24, 40, generator=torch.Generator().manual_seed(0)))
        for mirrored in (False, True)
    }
    counted, asked = (
        Encoded(detector, monkeypatch),
        [(0, False), (2, True), (0, True), (0, False), (2, True), (1, False)],
    )
    for i, mirrored in asked:
        maps = counted.encoded(i, device, mirrored)
        assert len(maps) == 2
        for found, expected in zip(maps, direct[i, mirrored], strict=True):
            assert (found.stride, found.image_size) == (expected.stride, expected.image_size)
            assert (found.tensor.dtype, found.tensor.device.type) == (torch.float32, device.type)
            torch.testing.assert_close(found.tensor, expected.tensor, atol=1e-4, rtol=2**-11)
            assert not found.tensor.requires_grad
        maps[0].tensor.zero_()  # what was given out is not what is kept
    assert counted.calls == len(set(asked)) == 4


def test_rcnns_images_are_not_kept(small_backbone: Callable, device: torch.device, monkeypatch) -> None:
    """They are kept as bytes by `Pixels` already, and in single precision they come back exactly."""
    counted = Encoded(rcnn(("red",), small_backbone()).to(device), monkeypatch)
    for asked in range(1, 4):
        (plain,), (mirrored,) = counted.encoded(1, device), counted.encoded(1, device, mirrored=True)
        assert torch.equal(plain.tensor.cpu(), counted.pictures[1])
        assert torch.equal(mirrored.tensor.cpu(), counted.pictures[1].flip(2))
        assert plain.tensor.device.type == device.type
        assert counted.calls == 2 * asked


def test_mirrored_boxes_hold_the_mirrored_pixels() -> None:
    assert mirror(torch.zeros(0, 4), 80).shape == (0, 4)
    picture, boxes = torch.rand(3, 60, 80), random_boxes(20, 0).round()
    for before, after in zip(boxes.int().tolist(), mirror(boxes, 80).int().tolist(), strict=True):
        (x1, y1, x2, y2), (u1, v1, u2, v2) = before, after
        assert torch.equal(picture.flip(2)[:, v1:v2, u1:u2], picture[:, y1:y2, x1:x2].flip(2))
    torch.testing.assert_close(mirror(mirror(random_boxes(9, 1), 80), 80), random_boxes(9, 1))
