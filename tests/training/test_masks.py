"""Mask R-CNN's fifth term, and lecture_lib.training.masks: shapes are learned, mirrored, and asked for."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lecture_lib.detectors import Detector, mask_rcnn
from lecture_lib.masks import crop_masks, mask_loss
from lecture_lib.matching import SampleRule
from lecture_lib.proposals import ProposalRule
from lecture_lib.structures import Detections, Proposals, Target
from lecture_lib.training.end_to_end import (
    EndToEnd,
    EndToEndLoss,
    region_mask_loss,
    train_end_to_end,
)
from lecture_lib.training.joint import JointTraining, Sampled
from lecture_lib.training.masks import MaskTraining, train_masks
from lecture_lib.training.rpn import RPNTraining
from lecture_lib.training.views import Views, mirror_target
from tests.tiny_pyramid import tiny_pyramid_backbone

SIZE = (96, 128)
REGIONS = JointTraining(
    images=1, regions=SampleRule(8, 0.5), steps=4, learning_rate=0.01, scales=(96,), weight_decay=0.0
)
QUICK = EndToEnd(REGIONS, RPNTraining(ignore_crossing=False), ProposalRule(20, 50))


def masks() -> Tensor:
    """Two triangles, each about half of its box: one rises to the left, a taller one to the right."""
    y, x = torch.meshgrid(torch.arange(96.0) + 0.5, torch.arange(128.0) + 0.5, indexing="ij")
    first = (x > 10) & (y < 70) & (x - 10 < y - 18)
    second = (y < 84) & (x < 116) & (x - 68 > (84 - y) * 0.75)
    return torch.stack([first, second])


def pictures() -> list[Tensor]:
    """Two noisy pictures with a red triangle (class 1) on the left and a green one (2) on the right."""
    made = 0.3 * torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    first, second = masks().float()
    made[:, 0] += 0.6 * first
    made[:, 1] += 0.6 * second
    return list(made)


def targets(masked: bool = True) -> list[Target]:
    boxes = torch.stack([box_of(mask) for mask in masks()])
    easy = torch.zeros(2, dtype=torch.bool)
    return [Target(boxes, torch.tensor([1, 2]), easy, masks() if masked else None, SIZE) for _ in range(2)]


def box_of(mask: Tensor) -> Tensor:
    """The tight box [4] of a mask."""
    y, x = mask.nonzero().T
    return torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()


def filled(mask: Tensor) -> Tensor:
    """The mask's box, all of it."""
    x1, y1, x2, y2 = box_of(mask).int().tolist()
    box = torch.zeros_like(mask)
    box[y1:y2, x1:x2] = True
    return box


@pytest.fixture
def build() -> Callable[[], Detector]:
    """Builds an untrained Mask R-CNN whose anchors fit the shapes."""

    def build() -> Detector:
        generator = torch.Generator().manual_seed(0)
        return mask_rcnn(("red", "green"), tiny_pyramid_backbone(), generator, (96,), sides=(24, 48, 72))

    return build


def overlap(first: Tensor, second: Tensor) -> Tensor:
    return (first & second).sum((-2, -1)) / (first | second).sum((-2, -1))


def test_a_set_without_masks_is_told_so_and_what_to_do(build: Callable) -> None:
    with pytest.raises(ValueError, match="learns from instance masks, which this set has not; take one with masks"):
        list(train_end_to_end(build(), pictures(), targets(masked=False), QUICK))


def test_images_without_objects_have_no_mask_to_learn(build: Callable) -> None:
    empty = replace(Target.empty(SIZE), masks=torch.zeros(0, *SIZE, dtype=torch.bool))
    (step, *_) = train_end_to_end(build(), pictures(), [empty] * 2, QUICK)
    assert step.parts["masks"] == 0


def test_the_term_is_the_mean_over_the_foreground_of_an_image(build: Callable) -> None:
    detector, target = build(), targets()[0]
    maps = detector.encode(pictures()[0])
    regions = detector.propose(pictures()[0], maps)[:3]
    regions = replace(regions, boxes=torch.cat([regions.boxes, target.boxes]), scores=None)
    labels, matched = torch.tensor([0, 2, 0, 1, 2]), torch.tensor([1, 1, 0, 0, 1])
    sampled = Sampled(regions, labels, matched, torch.zeros(5, 4))
    found = region_mask_loss(detector, maps, sampled, target)
    own = torch.tensor([1, 3, 4])
    goals = crop_masks(target.masks, matched[own], regions.boxes[own])
    expected = mask_loss(detector.mask.logits(maps, regions[own]), labels[own], goals) / 3
    assert list(found) == ["masks"]
    torch.testing.assert_close(found["masks"], expected)


def test_masks_are_mirrored_with_their_picture(build: Callable) -> None:
    """In every view a picture's red and green pixels lie where the masks of the view say."""
    detector = build()
    views, seen = Views(detector, pictures(), targets(), REGIONS), set()
    for step in range(12):
        view = views.see(step, 0)
        picture = pictures()[0].flip(-1) if view.mirrored else pictures()[0]
        for mask, box, channel in zip(view.target.masks, view.target.boxes.int().tolist(), (0, 1), strict=True):
            assert torch.equal(picture[channel] > 0.55, mask)
            x1, y1, x2, y2 = box
            assert int(mask[y1:y2, x1:x2].sum()) == int(mask.sum()) > 0
        seen.add(view.mirrored)
    assert seen == {True, False}


def test_the_mask_term_trains_mask_head_pyramid_and_trunk_only(build: Callable) -> None:
    detector = build()
    loss = EndToEndLoss(detector, Views(detector, pictures(), targets(), REGIONS), QUICK)
    loss((0, 0))["masks"].backward()
    reached = {
        slot: any(p.grad is not None and p.grad.any() for p in module.parameters())
        for slot, module in detector.modules().items()
    }
    assert reached == {"encode": True, "propose": False, "embed": False, "predict": False, "mask": True}


def test_shapes_are_learned(build: Callable, device: torch.device) -> None:
    """In the objects' own boxes the masks fit far better than the boxes do, also in the mirrored picture."""
    settings = replace(QUICK, regions=replace(REGIONS, steps=60, pretrained_rate=1.0))
    detector = build().to(device)
    steps = list(train_end_to_end(detector, pictures(), targets(), settings))
    assert set(steps[0].parts) == {"objectness", "anchor deltas", "classification", "localisation", "masks"}
    assert steps[-1].parts["masks"] < 0.5 * steps[0].parts["masks"]
    labels, sure = torch.tensor([1, 2]), torch.ones(2)
    for mirrored in (False, True):
        target = mirror_target(targets()[0]) if mirrored else targets()[0]
        picture = pictures()[0].flip(-1) if mirrored else pictures()[0]
        objects = Detections(target.boxes, labels, sure, labels - 1, None, SIZE).to(device)
        with torch.no_grad():
            found = detector.mask(detector.encode(picture.to(device)), objects).to("cpu")
        assert (overlap(found.masks, target.masks) > 0.8).all()
        assert (overlap(torch.stack([filled(mask) for mask in target.masks]), target.masks) < 0.6).all()


def test_a_head_alone_learns_on_maps_that_stay(build: Callable) -> None:
    detector, settings = build(), MaskTraining(steps=40, images=1, learning_rate=0.01)
    with torch.no_grad():
        maps = [detector.encode(picture) for picture in pictures()]
    before = [p.clone() for p in detector.encode.parameters()]
    heads, runs = [], []
    for seed in (0, 0, 1):
        head = deepcopy(detector.mask)
        found = targets() if seed else [Target.empty(SIZE), *targets()]  # an image without objects teaches nothing
        kept = maps if seed else [maps[0], *maps]
        runs.append([step.loss for step in train_masks(head, kept, found, replace(settings, seed=seed))])
        heads.append(head)
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][-1] < 0.7 * runs[0][0]
    assert all(torch.equal(a, b) for a, b in zip(before, detector.encode.parameters(), strict=True))
    goals = crop_masks(masks(), torch.arange(2), targets()[0].boxes)
    logits = detector.mask.logits(maps[0], Proposals(targets()[0].boxes, None, SIZE))
    first = train_masks(detector.mask, maps[:1], targets()[:1], settings)
    assert next(first).loss == pytest.approx(mask_loss(logits, torch.tensor([1, 2]), goals).item() / 2, rel=1e-4)


@pytest.mark.parametrize("found", [[], [Target.empty(SIZE)], targets(masked=False)])
def test_a_head_alone_asks_for_masks(build: Callable, found: list[Target]) -> None:
    detector = build()
    maps = [detector.encode(picture) for picture in pictures()][: len(found)]
    with pytest.raises(ValueError, match="objects with masks are needed; take a set with masks, such as stamps"):
        train_masks(detector.mask, maps, found, MaskTraining())
