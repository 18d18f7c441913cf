"""lecture_lib.training.joint, its loss: against the equations, and with image, boxes and targets mirrored together."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_lib.boxes import BoxCoder, iou
from lecture_lib.detectors import Detector, fast_rcnn
from lecture_lib.matching import FAST_RCNN, IoURule, SampleRule, label_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training import joint
from lecture_lib.training.joint import JointLoss, JointTraining, finished, multi_task_loss, target_coder
from lecture_lib.training.views import Views
from tests.training.squares import SIZE, pictures, pixels, regions, targets

SETTINGS = JointTraining(regions=SampleRule(16, 0.5), first_trained="conv2", scales=(32, 40, 48))


@pytest.fixture
def build(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained Fast R-CNN of two classes on a small backbone."""

    def build(seed: int = 0, **backbone: object) -> Detector:
        generator = torch.Generator().manual_seed(seed)
        return fast_rcnn(("red", "green"), small_backbone(seed=seed, **backbone), generator, scales=(40,))

    return build


def random_batch(count: int, classes: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    logits = 3 * torch.randn(count, classes + 1, generator=generator)
    deltas = 2 * torch.randn(count, classes, 4, generator=generator)
    labels = torch.randint(0, classes + 1, (count,), generator=generator)
    return logits, deltas, labels, 2 * torch.randn(count, 4, generator=generator)


def test_no_region_no_loss(device: torch.device) -> None:
    logits, deltas = torch.zeros(0, 4, device=device), torch.zeros(0, 3, 4, device=device)
    nothing = torch.zeros(0, dtype=torch.long, device=device)
    losses = multi_task_loss(logits, deltas, nothing, torch.zeros(0, 4, device=device), 1.0)
    assert {name: loss.item() for name, loss in losses.items()} == {"classification": 0, "localisation": 0}


@pytest.mark.parametrize("box_weight", [1.0, 0.5, 0.0])
def test_loss_is_equation_1_to_3(box_weight: float, device: torch.device, generator: torch.Generator) -> None:
    logits, deltas, labels, goals = random_batch(40, 3, generator)
    classification, localisation, kinds = 0.0, 0.0, set()
    for r, u in enumerate(labels.tolist()):
        powers = [math.exp(value) for value in logits[r].tolist()]
        classification -= math.log(powers[u] / sum(powers))
        for t, v in zip(deltas[r, u - 1].tolist(), goals[r].tolist(), strict=True) if u >= 1 else ():
            x = abs(t - v)
            localisation += 0.5 * x * x if x < 1 else x - 0.5
            kinds.add(x < 1)
    given = (part.to(device) for part in (logits, deltas, labels, goals))
    losses = multi_task_loss(*given, box_weight)
    assert kinds == {True, False}
    assert losses["classification"].item() == pytest.approx(classification, rel=1e-5)
    assert losses["localisation"].item() == pytest.approx(box_weight * localisation, rel=1e-5)


def test_only_the_own_classs_deltas_learn(generator: torch.Generator) -> None:
    logits, deltas, labels, goals = random_batch(30, 3, generator)
    goals[labels == 0] = math.nan  # not looked at
    deltas.requires_grad_()
    multi_task_loss(logits, deltas, labels, goals, 1.0)["localisation"].backward()
    for r, u in enumerate(labels.tolist()):
        for k in range(3):
            assert bool(deltas.grad[r, k].all()) == bool(deltas.grad[r, k].any()) == (k == u - 1)
    assert {0, 1, 2, 3} == set(labels.tolist())
    assert deltas.grad.abs().max() == 1  # the gradient of smooth L1 ends there; that of a square would not


def test_coder_gives_zero_mean_and_unit_variance() -> None:
    coder, found = target_coder(regions(), targets()), []
    plain = target_coder(regions(), targets(), IoURule(0.8, None))
    for part, target in zip(regions(), targets(), strict=True):
        labelled = label_proposals(part, target, FAST_RCNN)
        rows = labelled.labels > 0
        found.append(coder.encode(part.boxes[rows], target.boxes[labelled.matched[rows]]))
    deltas = torch.cat(found)
    torch.testing.assert_close(deltas.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(deltas.square().mean(0), torch.ones(4), atol=1e-4, rtol=0)
    assert min(map(abs, coder.mean[:3])) > 0.005  # so that the tests below would notice a mean left out
    assert plain.std[0] < coder.std[0]  # regions nearer to their objects


def test_coder_of_a_single_region_and_of_none() -> None:
    target = targets()[0]
    one = Proposals(target.boxes[:1] + 1, None, SIZE)
    coder = target_coder([one], [target])
    deltas = coder.encode(one.boxes, target.boxes[:1])
    torch.testing.assert_close(deltas, torch.zeros(1, 4), atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="nothing to learn"):
        target_coder([Proposals.empty(SIZE)], [target])


def test_finished_detector_moves_boxes_where_the_coder_does(build: Callable, device: torch.device) -> None:
    detector, coder = build(), target_coder(regions(), targets())
    nn.init.normal_(detector.predict.move.weight, generator=torch.Generator().manual_seed(1))
    detector.to(device)
    whole, proposals = pictures()[0].to(device), regions()[0]
    trained = detector.trace(whole, proposals)
    plain = finished(detector, coder).trace(whole, proposals)
    boxes = proposals.boxes.to(device)
    expected = coder.decode(boxes, trained.predictions.deltas)
    torch.testing.assert_close(BoxCoder().decode(boxes, plain.predictions.deltas), expected, atol=1e-2, rtol=1e-4)
    torch.testing.assert_close(plain.predictions.scores, trained.predictions.scores)
    assert (expected - BoxCoder().decode(boxes, trained.predictions.deltas)).abs().max() > 1


class Watched:
    """A JointLoss and what its parts were given: maps and proposals by the pooling, labels and targets by the loss."""

    def __init__(self, detector: Detector, settings: JointTraining, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(joint, "multi_task_loss", self.watch_loss)
        self.pool, self.coder = detector.pool, target_coder(regions(), targets())
        detector = replace(detector, pool=self.watch_pool)
        views = Views(detector, pixels(), targets(), settings)
        self.loss = JointLoss(detector, views, regions(), self.coder, settings)

    def watch_pool(self, maps: tuple, proposals: Proposals) -> Tensor:
        (self.map,), self.boxes = maps, proposals.boxes
        return self.pool(maps, proposals)

    def watch_loss(self, logits: Tensor, deltas: Tensor, labels: Tensor, goals: Tensor, weight: float) -> dict:
        self.logits, self.labels, self.goals = logits, labels, goals
        return multi_task_loss(logits, deltas, labels, goals, weight)


@pytest.mark.parametrize("first_trained", ["conv2", None])
def test_image_boxes_and_targets_are_mirrored_together(
    build: Callable, first_trained: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target is what the coder makes of the boxes that are pooled and the objects of the picture as it is encoded."""
    detector, seen, truth = build(), set(), targets()[0]
    watched = Watched(detector, replace(SETTINGS, first_trained=first_trained), monkeypatch)
    assert abs(watched.coder.mean[0]) > 0.02
    flipped = torch.stack([60 - truth.boxes[:, 2], truth.boxes[:, 1], 60 - truth.boxes[:, 0], truth.boxes[:, 3]], dim=1)
    for step in range(24):
        watched.loss((step, step % 3))
        image, (rows, columns) = pictures()[step % 3], watched.map.tensor.shape[1:]
        side = {8: 32, 10: 40, 12: 48}[rows]
        maps = [detector.encode.at_scale(picture, side).tensor for picture in (image, image.flip(2))]
        mirrored = bool((maps[1] - watched.map.tensor).abs().max() < (maps[0] - watched.map.tensor).abs().max())
        torch.testing.assert_close(watched.map.tensor, maps[mirrored], atol=2e-3, rtol=2e-3)
        objects = flipped if mirrored else truth.boxes
        overlap, matched = iou(watched.boxes, objects).max(dim=1)
        assert torch.equal(watched.labels, torch.where(overlap >= 0.5, matched + 1, 0))
        own = watched.labels > 0
        expected = watched.coder.encode(watched.boxes[own], objects[matched[own]])
        torch.testing.assert_close(watched.goals[own], expected, atol=1e-4, rtol=1e-4)
        assert (watched.map.image_size, columns) == (SIZE, rows * 3 // 2)
        seen.add((mirrored, side))
    assert seen == {(mirrored, side) for mirrored in (False, True) for side in SETTINGS.scales}


def test_without_flip_nothing_is_mirrored(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, all_boxes = Watched(build(), replace(SETTINGS, flip=False), monkeypatch), regions()
    for step in range(12):
        watched.loss((step, 0))
        assert (watched.boxes[:, None] == all_boxes[0].boxes).all(-1).any(1).all()


def test_loss_is_the_images_share_of_the_mini_batch(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(build(), SETTINGS, monkeypatch)
    loss = watched.loss((3, 1))["classification"].item()
    expected = F.cross_entropy(watched.logits, watched.labels, reduction="sum") / (2 * 16)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert len(watched.labels) == 16
    assert int((watched.labels > 0).sum()) == 8


def test_an_image_without_regions_to_learn_from_is_no_error(build: Callable) -> None:
    target = Target.empty(SIZE)
    detector = build()
    loss = JointLoss(detector, Views(detector, pixels(), [target] * 3, SETTINGS), regions(), BoxCoder(), SETTINGS)
    parts = loss((0, 0))  # no object: no IoU in [0.1, 0.5) either
    sum(parts.values()).backward()
    assert {name: part.item() for name, part in parts.items()} == {"classification": 0, "localisation": 0}
