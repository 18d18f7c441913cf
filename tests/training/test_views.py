"""lecture_lib.training.views: image, objects, masks and regions are mirrored together, and all chance is the view's."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from lecture_lib.detectors import Detector, fast_rcnn
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.joint import JointTraining
from lecture_lib.training.views import Views, mirror_target
from tests.training.squares import SIZE, pictures, pixels, regions, targets

SETTINGS = JointTraining(scales=(32, 40, 48))
TRUNKS = pytest.mark.parametrize("first_trained", ["conv2", None])  # a trunk that learns, and one whose maps are kept


@pytest.fixture
def detector(small_backbone: Callable) -> Detector:
    """An untrained Fast R-CNN: views need its encoder only."""
    return fast_rcnn(("red", "green"), small_backbone(), torch.Generator().manual_seed(0))


def settings_of(first_trained: str | None, **changed: object) -> JointTraining:
    return JointTraining(**{"first_trained": first_trained, "scales": SETTINGS.scales} | changed)


def test_an_image_without_objects_and_without_regions(detector: Detector, device: torch.device) -> None:
    views = Views(detector.to(device), pixels(), [Target.empty(SIZE)] * 3, SETTINGS)
    for step in range(6):
        view = views.see(step, 0)
        assert (len(view.target), view.target.image_size, view.target.boxes.device.type) == (0, SIZE, device.type)
        found = views.regions(view, Proposals.empty(SIZE))
        assert (found.boxes.shape, found.boxes.device.type) == ((0, 4), device.type)


def test_mirrored_target_by_hand(target: Target) -> None:
    masks = torch.zeros(2, 60, 80, dtype=torch.bool)
    masks[0, 10:30, 10:30], masks[1, 30:55, 45:75] = True, True
    masked = Target(target.boxes, target.labels, torch.tensor([False, True]), masks, target.image_size)
    found = mirror_target(masked)
    assert found.boxes.tolist() == [[50, 10, 70, 30], [5, 30, 35, 55]]  # 80 pixels wide
    assert (found.labels.tolist(), found.difficult.tolist()) == ([1, 2], [False, True])
    for (x1, y1, x2, y2), mask in zip(found.boxes.int().tolist(), found.masks, strict=True):
        assert bool(mask[y1:y2, x1:x2].all())
        assert int(mask.sum()) == (x2 - x1) * (y2 - y1)
    again = mirror_target(found)
    assert torch.equal(again.boxes, masked.boxes)
    assert torch.equal(again.masks, masked.masks)
    assert mirror_target(target).masks is None


@TRUNKS
def test_maps_objects_and_regions_are_mirrored_together(
    detector: Detector, first_trained: str | None, device: torch.device
) -> None:
    detector = detector.to(device)
    views, seen = Views(detector, pixels(), targets(), settings_of(first_trained)), set()
    for step in range(24):
        i = step % 3
        view = views.see(step, i)
        (found,), image = views.maps(view), pictures()[i].to(device)
        side = {8: 32, 10: 40, 12: 48}[found.tensor.shape[1]]
        expected = detector.encode.at_scale(image.flip(2) if view.mirrored else image, side)
        torch.testing.assert_close(found.tensor, expected.tensor, atol=2e-3, rtol=2e-3)
        assert (found.stride, found.image_size) == (expected.stride, SIZE)
        whole, part = targets()[i].boxes, regions()[i].boxes
        if view.mirrored:
            whole, part = (
                b[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1]) + torch.tensor([60, 0, 60, 0]) for b in (whole, part)
            )
        torch.testing.assert_close(view.target.boxes.cpu(), whole)
        given = views.regions(view, regions()[i])
        torch.testing.assert_close(given.boxes.cpu(), part)
        assert given.boxes.device.type == view.target.boxes.device.type == found.tensor.device.type == device.type
        seen.add((view.mirrored, side))
    assert seen == {(mirrored, side) for mirrored in (False, True) for side in SETTINGS.scales}


def test_regions_lose_their_scores_and_keep_their_order(detector: Detector) -> None:
    views = Views(detector, pixels(), targets(), SETTINGS)
    scored = Proposals(regions()[0].boxes, torch.rand(len(regions()[0])), SIZE)
    assert views.regions(views.see(0, 0), scored).scores is None


@TRUNKS
def test_a_view_depends_on_seed_step_and_image_alone(detector: Detector, first_trained: str | None) -> None:
    def draws(views: Views, order: range) -> dict[int, tuple]:
        found = {}
        for step in order:
            torch.rand(3)  # the global generator must not matter
            view = views.see(step, step % 3)
            (feature_map,) = views.maps(view)
            found[step] = (view.mirrored, feature_map.tensor.shape[1], float(torch.rand(1, generator=view.generator)))
        return found

    views = [Views(detector, pixels(), targets(), settings_of(first_trained, seed=seed)) for seed in (0, 0, 1)]
    forwards = draws(views[0], range(12))
    assert draws(views[1], range(11, -1, -1)) == forwards
    assert draws(views[2], range(12)) != forwards
    assert len({after for *_, after in forwards.values()}) == 12  # no two views share their chances
    same_step = {float(torch.rand(1, generator=views[0].see(5, i).generator)) for i in range(3)}
    assert len(same_step) == 3


def test_half_of_the_views_are_mirrored_and_none_without_flip(detector: Detector) -> None:
    plain = Views(detector, pixels(), targets(), settings_of("all", flip=False))
    views = Views(detector, pixels(), targets(), SETTINGS)
    assert not any(plain.see(step, 0).mirrored for step in range(50))
    assert 160 < sum(views.see(step, 0).mirrored for step in range(400)) < 240


def test_scales_are_drawn_evenly_and_whatever_the_mirroring(detector: Detector) -> None:
    views, found = Views(detector, pixels(), targets(), SETTINGS), Counter()
    for step in range(240):
        view = views.see(step, 0)
        found[view.mirrored, views.maps(view)[0].tensor.shape[1]] += 1
    assert len(found) == 6
    assert min(found.values()) > 20


@TRUNKS
def test_maps_of_a_frozen_trunk_are_made_once(
    detector: Detector, first_trained: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, calls = Views(detector, pixels(), targets(), settings_of(first_trained)), []
    detector.encode.trunk.register_forward_pre_hook(lambda *_: calls.append(1))
    for step in range(30):
        (feature_map,) = views.maps(views.see(step, step % 3))
        assert feature_map.tensor.requires_grad == (first_trained is not None)
    assert len(calls) == (30 if first_trained else 3 * 2 * 3)  # images, mirrored or not, scales
