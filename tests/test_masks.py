"""lecture_lib.masks: pasting against torchvision, cropping and pasting back, a loss only the own class learns from."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.detection.roi_heads import paste_masks_in_image

from lecture_lib.masks import MaskHead, crop_masks, mask_loss, paste_masks
from lecture_lib.structures import Detections, FeatureMap, Proposals

SIZE = (60, 80)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shapes() -> tuple[Tensor, Tensor]:
    """A disc, a triangle and a ring with their boxes (x1, y1, x2, y2), which touch or leave no border."""
    y, x = torch.meshgrid(torch.arange(60.0) + 0.5, torch.arange(80.0) + 0.5, indexing="ij")
    from_center = ((x - 25) ** 2 + (y - 30) ** 2).sqrt()
    ring = ((x - 58) ** 2 + (y - 24) ** 2).sqrt()
    triangle = (y > 12) & (y < 52) & (x > 40) & (x - 40 < y - 12)
    masks = torch.stack([from_center < 20, triangle, (ring < 20) & (ring > 9)])
    return masks, torch.tensor([[5.0, 10, 45, 50], [40, 12, 80, 52], [38, 4, 78, 44]])


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """IoU of masks, row by row."""
    return (first & second).sum((1, 2)) / (first | second).sum((1, 2))


def pasted_slowly(probability: Tensor, box: list[float]) -> Tensor:
    """For every pixel in turn, the mask's value at the pixel's centre, between the four nearest of its cells."""
    height, width = SIZE
    cells = len(probability)
    x1, y1, x2, y2 = box
    padded = F.pad(probability, (1, 1, 1, 1))  # beyond the mask there is nothing
    pasted = torch.zeros(SIZE)
    for row in range(height):
        for column in range(width):
            x = (column + 0.5 - x1) / (x2 - x1) * cells - 0.5  # cell i is centred on i + 1/2
            y = (row + 0.5 - y1) / (y2 - y1) * cells - 0.5
            if -1 < x < cells and -1 < y < cells:
                i, j = int(x + 1), int(y + 1)
                a, b = x + 1 - i, y + 1 - j
                above = (1 - a) * padded[j, i] + a * padded[j, i + 1]
                pasted[row, column] = (1 - b) * above + b * ((1 - a) * padded[j + 1, i] + a * padded[j + 1, i + 1])
    return pasted


@pytest.mark.parametrize("box", [[10.0, 8, 50, 44], [10.3, 7.6, 33.9, 51.2], [-12.0, -5, 30, 20], [60.0, 40, 95, 77]])
def test_each_pixel_takes_the_masks_value_at_its_centre(box: list[float], device: torch.device) -> None:
    probability = torch.rand(1, 28, 28, generator=seeded())
    expected = pasted_slowly(probability[0], box)
    for threshold in (0.3, 0.5, 0.7):
        found = paste_masks(probability.to(device), torch.tensor([box], device=device), SIZE, threshold)[0].cpu()
        assert found.dtype == torch.bool
        unsure = (expected - threshold).abs() < 1e-4
        assert torch.equal(found[~unsure], (expected > threshold)[~unsure])
        assert found.any()


def test_it_is_torchvisions_but_for_the_rim() -> None:
    """torchvision rounds boxes to whole pixels, both ends included, so that shapes agree within a pixel's rim."""
    masks, boxes = shapes()
    cropped = crop_masks(masks, torch.arange(3), boxes)
    found = paste_masks(cropped, boxes, SIZE)
    theirs = paste_masks_in_image(cropped[:, None], boxes, SIZE, padding=1)[:, 0] > 0.5
    assert (overlap(found, theirs) > 0.9).all()


def test_nothing_to_paste(device: torch.device) -> None:
    none = paste_masks(torch.zeros(0, 28, 28, device=device), torch.zeros(0, 4, device=device), SIZE)
    assert (none.shape, none.dtype, none.device.type) == ((0, *SIZE), torch.bool, device.type)


def test_boxes_without_area_and_boxes_beyond_the_image_get_empty_masks() -> None:
    boxes = torch.tensor([[20.0, 20, 20, 20], [20, 20, 40, 20], [30, 10, 30, 40], [90, 70, 120, 99], [-30, -9, -2, -1]])
    assert not paste_masks(torch.ones(5, 28, 28), boxes, SIZE).any()


def test_a_full_mask_fills_its_box_to_the_border() -> None:
    boxes = torch.tensor([[0.0, 0, 80, 60], [10, 20, 30, 50], [60, 0, 80, 13]])
    pasted = paste_masks(torch.ones(3, 28, 28), boxes, SIZE)
    for mask, (x1, y1, x2, y2) in zip(pasted, boxes.int().tolist(), strict=True):
        inside = torch.zeros(SIZE, dtype=torch.bool)
        inside[y1:y2, x1:x2] = True
        assert float(overlap(mask[None], inside[None])) > 0.93
        assert not (mask & ~inside).any()


@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_a_mask_cropped_and_pasted_back_is_nearly_itself(shift: float, device: torch.device) -> None:
    masks, boxes = (part.to(device) for part in shapes())
    boxes = boxes + torch.tensor([-2 - shift, -2 - shift, 2 + shift, 2 + shift], device=device)
    cropped = crop_masks(masks, torch.arange(3, device=device), boxes)
    assert cropped.shape == (3, 28, 28)
    assert set(cropped.unique().tolist()) == {0.0, 1.0}
    assert (overlap(paste_masks(cropped, boxes, SIZE), masks) > 0.9).all()


def test_a_region_gets_its_part_of_its_own_objects_mask() -> None:
    masks, boxes = shapes()
    left_half, none = boxes[:1].clone(), boxes[:1] + torch.tensor([60.0, 0, 60, 0])
    left_half[0, 2] = 25
    found = crop_masks(masks, torch.tensor([0, 0, 0, 2]), torch.cat([boxes[:1], left_half, none, boxes[2:]]))
    whole = found[0]
    stretched = F.interpolate(whole[None, None, :, :14], (28, 28), mode="nearest")[0, 0]
    assert float((found[1] == stretched).float().mean()) > 0.95
    assert not found[2].any()
    assert (found[3, 13:15, 13:15] == 0).all()  # a ring is empty in its middle
    assert (whole[13:15, 13:15] == 1).all()
    assert crop_masks(masks, torch.zeros(0, dtype=torch.long), torch.zeros(0, 4)).shape == (0, 28, 28)


def test_the_loss_is_a_loop_over_pixels_of_the_own_class() -> None:
    logits, labels = torch.randn(3, 4, 28, 28, generator=seeded()), torch.tensor([2, 4, 1])
    goals = (torch.rand(3, 28, 28, generator=seeded(1)) > 0.6).float()
    expected = 0.0
    for r, label in enumerate(labels.tolist()):
        probability = 1 / (1 + torch.exp(-logits[r, label - 1].double()))
        cost = torch.where(goals[r] == 1, -probability.log(), -(1 - probability).log())
        expected += float(cost.sum()) / 28**2
    assert float(mask_loss(logits, labels, goals)) == pytest.approx(expected, rel=1e-5)
    assert float(mask_loss(logits[:0], labels[:0], goals[:0])) == 0


def test_only_the_own_class_learns_and_classes_do_not_compete() -> None:
    logits = torch.randn(2, 3, 28, 28, generator=seeded()).requires_grad_()
    labels, goals = torch.tensor([3, 1]), torch.ones(2, 28, 28)
    loss = mask_loss(logits, labels, goals)
    loss.backward()
    learns = logits.grad.abs().amax((2, 3)) > 0
    assert learns.tolist() == [[False, False, True], [True, False, False]]
    other = logits.detach().clone()
    other[0, 0] += 9
    assert float(mask_loss(other, labels, goals)) == pytest.approx(loss.item())


@pytest.fixture
def maps(device: torch.device) -> tuple[FeatureMap, ...]:
    return tuple(
        FeatureMap(torch.randn(6, 60 // s + 1, 80 // s + 1, generator=seeded(s)).to(device), (s * 1.0, s * 1.0), SIZE)
        for s in (2, 4, 8)
    )


@pytest.fixture
def detections(device: torch.device) -> Detections:
    _, boxes = shapes()
    found = Detections(
        boxes, torch.tensor([3, 1, 2]), torch.tensor([0.9, 0.8, 0.7]), torch.tensor([5, 0, 2]), None, SIZE
    )
    return found.to(device)


def test_the_head_draws_a_mask_of_28_x_28_for_every_class(
    maps: tuple[FeatureMap, ...], detections: Detections, device: torch.device
) -> None:
    head = MaskHead(6, 3, width=5, convolutions=3, generator=seeded()).to(device)
    logits = head.logits(maps, Proposals(detections.boxes, None, SIZE))
    assert logits.shape == (3, 3, 28, 28)
    assert head.logits(maps, Proposals.empty(SIZE).to(device)).shape == (0, 3, 28, 28)
    shape = [tuple(m.weight.shape) for m in head.layers if hasattr(m, "weight")]
    assert shape == [(5, 6, 3, 3), (5, 5, 3, 3), (5, 5, 3, 3), (5, 5, 2, 2), (3, 5, 1, 1)]


def test_an_untrained_head_is_undecided_also_on_maps_of_large_values(maps: tuple[FeatureMap, ...]) -> None:
    """The trunk's values have a deviation of 5 to 10; from sure and random answers a training has to come back."""
    large = tuple(replace(level, tensor=8 * level.tensor) for level in maps)
    regions = Proposals(shapes()[1], None, SIZE).to(maps[0].tensor.device)
    logits = MaskHead(6, 3, generator=seeded()).to(maps[0].tensor.device).logits(large, regions)
    goals = torch.ones(3, 28, 28, device=logits.device)
    loss = mask_loss(logits, torch.tensor([1, 2, 3], device=logits.device), goals) / 3
    assert loss.item() == pytest.approx(math.log(2), rel=0.4)
    assert logits.detach().std() > 0.05


def test_the_heads_detections_have_the_masks_of_their_classes(
    maps: tuple[FeatureMap, ...], detections: Detections, device: torch.device
) -> None:
    head = MaskHead(6, 3, width=5, generator=seeded()).to(device)
    with torch.no_grad():
        found = head(maps, detections)
        own = head.logits(maps, Proposals(detections.boxes, None, SIZE))[[0, 1, 2], [2, 0, 1]].sigmoid()
    assert torch.equal(found.masks, paste_masks(own, detections.boxes, SIZE))
    assert found.masks.any()
    for name in ("boxes", "labels", "scores", "proposal_index"):
        assert torch.equal(getattr(found, name), getattr(detections, name))
    assert detections.masks is None
    none = head(maps, detections[:0])
    assert (none.masks.shape, none.masks.dtype, none.masks.device.type) == ((0, *SIZE), torch.bool, device.type)


def test_the_generator_draws_all_weights() -> None:
    made = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(global_seed)
        made.append([p.clone() for p in MaskHead(6, 3, width=5, generator=seeded(seed)).parameters()])
    assert all(torch.equal(a, b) for a, b in zip(made[0], made[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(made[0], made[2], strict=True) if a.ndim > 1)


def test_gradients_reach_maps_and_layers(
    maps: tuple[FeatureMap, ...], detections: Detections, device: torch.device
) -> None:
    head = MaskHead(6, 3, width=5, generator=seeded()).to(device)
    for level in maps:
        level.tensor.requires_grad_()
    logits = head.logits(maps, Proposals(detections.boxes, None, SIZE))
    mask_loss(logits, detections.labels, torch.ones(3, 28, 28, device=device)).backward()
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())
    assert sum(int(level.tensor.grad is not None and level.tensor.grad.abs().sum() > 0) for level in maps) >= 1
