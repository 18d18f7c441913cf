"""lecture_lib.training.rpn: labels and loss against torchvision's and against equation 1, sampling, the RPN alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.rpn import RegionProposalNetwork as TorchvisionRPN

from lecture_lib.boxes import BoxCoder, iou
from lecture_lib.detectors import Detector, faster_rcnn
from lecture_lib.matching import IoURule, SampleRule
from lecture_lib.proposals import Anchors, ScoredAnchors, anchor_grid
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.joint import JointTraining
from lecture_lib.training.rpn import RPNLoss, RPNTraining, label_anchors, rpn_loss
from lecture_lib.training.views import Views
from tests.training.squares import SIZE as SMALL
from tests.training.squares import pixels, targets

SIZE = (96, 128)
EVERYWHERE = RPNTraining(ignore_crossing=False)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def target_of(boxes: Sequence, difficult: Sequence[bool] | None = None, size: tuple[int, int] = SIZE) -> Target:
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    difficult = torch.tensor(difficult or [False] * len(boxes), dtype=torch.bool)
    return Target(boxes, torch.arange(1, len(boxes) + 1), difficult, None, size)


def proposals_of(boxes: Sequence, size: tuple[int, int] = SIZE) -> Proposals:
    return Proposals(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), None, size)


def grid(size: tuple[int, int] = SIZE) -> Proposals:
    feature_map = FeatureMap(torch.zeros(1, size[0] // 8, size[1] // 8), (8.0, 8.0), size)
    return Proposals(anchor_grid(feature_map, Anchors((16, 32, 48), stride=8)), None, size)


def random_target(seed: int) -> Target:
    corner = torch.rand(4, 2, generator=seeded(seed)) * torch.tensor([90.0, 60.0])
    side = 6 + 30 * torch.rand(4, 2, generator=seeded(seed + 100))
    return target_of(torch.cat([corner, corner + side], dim=1).tolist())


def scored(anchors: Proposals, seed: int = 0, spread: float = 1.0, device: object = "cpu") -> ScoredAnchors:
    logits = torch.randn(len(anchors), generator=seeded(seed)).to(device).requires_grad_()
    deltas = (spread * torch.randn(len(anchors), 4, generator=seeded(seed + 1))).to(device).requires_grad_()
    return ScoredAnchors(anchors.to(device), logits, deltas)


def learned_from(level: ScoredAnchors, target: Target, settings: RPNTraining, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The rows whose logits are pushed up and those that are pushed down."""
    rpn_loss([level], target, settings, seeded(seed))["objectness"].backward()
    return (level.logits.grad < 0).nonzero().flatten(), (level.logits.grad > 0).nonzero().flatten()


def torchvisions(size: int, positive: float) -> TorchvisionRPN:
    return TorchvisionRPN(AnchorGenerator(), nn.Identity(), 0.7, 0.3, size, positive, {}, {}, 0.7)


def test_no_anchor_no_object(device: torch.device) -> None:
    none, nothing = Proposals.empty(SIZE).to(device), Target.empty(SIZE).to(device)
    assert label_anchors(none, target_of([[0, 0, 9, 9]]).to(device), RPNTraining()).labels.tolist() == []
    level = scored(none, device=device)
    losses = rpn_loss([level], nothing, RPNTraining(), seeded())
    assert {name: loss.item() for name, loss in losses.items()} == {"objectness": 0, "anchor deltas": 0}
    sum(losses.values()).backward()  # as the training does


def test_image_without_objects_is_background_alone(device: torch.device) -> None:
    level = scored(grid(), device=device)
    labelled = label_anchors(level.anchors, Target.empty(SIZE).to(device), RPNTraining())
    assert set(labelled.labels.tolist()) == {-1, 0}
    losses = rpn_loss([level], Target.empty(SIZE).to(device), RPNTraining(), seeded())
    sum(losses.values()).backward()
    assert losses["anchor deltas"].item() == 0
    assert int((level.logits.grad > 0).sum()) == 256
    assert not (level.logits.grad < 0).any()


def test_image_smaller_than_all_anchors_teaches_nothing() -> None:
    level = scored(grid((8, 8)))
    losses = rpn_loss([level], target_of([[0, 0, 8, 8]], size=(8, 8)), RPNTraining(), seeded())
    sum(losses.values()).backward()
    assert not level.logits.grad.any()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ignore_crossing", [False, True])
def test_labels_equal_torchvisions(seed: int, ignore_crossing: bool, device: torch.device) -> None:
    """Which leaves anchors that cross the border to its caller: it is given the others alone."""
    anchors, target = grid().to(device), random_target(seed).to(device)
    found = label_anchors(anchors, target, RPNTraining(ignore_crossing=ignore_crossing))
    x1, y1, x2, y2 = anchors.boxes.unbind(1)
    rows = torch.ones_like(x1, dtype=torch.bool)
    if ignore_crossing:
        rows = (x1 >= 0) & (y1 >= 0) & (x2 <= SIZE[1]) & (y2 <= SIZE[0])
        assert 0 < int(rows.sum()) < len(anchors)
        assert set(found.labels[~rows].tolist()) == {-1}
        assert set(found.matched[~rows].tolist()) == {-1}
    objects = [{"boxes": target.boxes}]
    (labels,), (boxes,) = torchvisions(256, 0.5).assign_targets_to_anchors([anchors.boxes[rows]], objects)
    assert torch.equal(found.labels[rows].clamp(max=1), labels.long())
    own = found.labels > 0
    assert 4 <= int(own.sum()) < 200
    assert torch.equal(target.boxes[found.matched[own]], boxes[labels > 0])
    assert torch.equal(found.labels[own], target.labels[found.matched[own]])
    torch.testing.assert_close(found.iou[own], iou(anchors.boxes, target.boxes).max(dim=1).values[own])


@pytest.mark.parametrize("seed", range(3))
def test_loss_equals_torchvisions_on_all_anchors(seed: int, device: torch.device) -> None:
    """Both terms; its smooth L1 turns at 1/9 as ours does, and of the errors some are smaller and some larger."""
    anchors, target = grid().to(device), random_target(seed).to(device)
    theirs = torchvisions(len(anchors), 1.0)
    labels, matched = theirs.assign_targets_to_anchors([anchors.boxes], [{"boxes": target.boxes}])
    sampled = int((labels[0] >= 0).sum())
    goals = theirs.box_coder.encode(matched, [anchors.boxes])
    level = scored(anchors, seed, device=device)
    level = replace(level, deltas=goals[0].nan_to_num(0, 0, 0) + level.deltas.detach() / 3)
    objectness, boxes = theirs.compute_loss(level.logits[:, None], level.deltas, labels, goals)
    settings = RPNTraining(anchors=SampleRule(sampled, 1.0), ignore_crossing=False)
    losses = rpn_loss([level], target, settings, seeded())
    torch.testing.assert_close(losses["objectness"], objectness)
    assert losses["anchor deltas"].item() == pytest.approx(boxes.item(), rel=1e-4)


@pytest.mark.parametrize(("box_weight", "beta"), [(1.0, 1.0), (10.0, 1 / 9), (0.0, 1 / 9)])
def test_loss_is_equation_1(box_weight: float, beta: float, device: torch.device) -> None:
    """By a slow loop over all anchors: p* log p and smooth L1 of the objects' deltas, each over N."""
    anchors, target = grid(), random_target(3)
    level = scored(anchors, spread=0.7, device=device)
    labelled = label_anchors(anchors, target, EVERYWHERE)
    size = 2000
    settings = RPNTraining(anchors=SampleRule(size, 1.0), box_weight=box_weight, beta=beta, ignore_crossing=False)
    assert int((labelled.labels >= 0).sum()) < size  # all are in the sample, which is not full: N stays its size
    objectness, boxes, kinds = 0.0, 0.0, set()
    for r, label in enumerate(labelled.labels.tolist()):
        p = 1 / (1 + math.exp(-level.logits[r].item()))
        if label >= 0:
            objectness -= math.log(p if label > 0 else 1 - p) / size
        if label > 0:
            (x1, y1, x2, y2), (u1, v1, u2, v2) = anchors.boxes[r].tolist(), target.boxes[labelled.matched[r]].tolist()
            w, h = x2 - x1, y2 - y1
            goal = ((u1 + u2 - x1 - x2) / 2 / w, (v1 + v2 - y1 - y2) / 2 / h)
            goal += (math.log((u2 - u1) / w), math.log((v2 - v1) / h))
            for t, t_star in zip(level.deltas[r].tolist(), goal, strict=True):
                x = abs(t - t_star)
                boxes += box_weight * (0.5 * x * x / beta if x < beta else x - 0.5 * beta) / size
                kinds.add(x < beta)
    losses = rpn_loss([level], target.to(device), settings, seeded())
    assert kinds == {True, False}
    assert losses["objectness"].item() == pytest.approx(objectness, rel=1e-4)
    assert losses["anchor deltas"].item() == pytest.approx(boxes, rel=1e-4)


def test_anchors_of_several_maps_are_one_batch() -> None:
    """Cut in two anywhere, the anchors of an image give the same loss."""
    whole, target = scored(grid()), random_target(1)
    parts = [
        ScoredAnchors(whole.anchors[rows], whole.logits[rows], whole.deltas[rows])
        for rows in (slice(0, 700), slice(700, None))
    ]
    for settings in (RPNTraining(), EVERYWHERE):
        together, apart = (rpn_loss(levels, target, settings, seeded()) for levels in ([whole], parts))
        assert {name: loss.item() for name, loss in together.items()} == {n: loss.item() for n, loss in apart.items()}


def test_thresholds_and_best_anchors_by_hand() -> None:
    """IoU 0.7 and above is an object, below 0.3 background; an object's best anchors are objects however low, all."""
    one = [[0, 0, 100, 10], [0, 0, 71, 10], [0, 0, 69, 10], [0, 0, 31, 10], [0, 0, 29, 10], [90, 60, 99, 69]]
    target = target_of([[0, 0, 100, 10], [40, 50, 60, 70]])
    tied = [[50, 50, 70, 65], [30, 50, 50, 65], [50, 55, 70, 65]]  # IoU with the second object: 3/11, 3/11, 1/5
    labels = label_anchors(proposals_of(one + tied), target, RPNTraining()).labels
    assert labels.tolist() == [1, 1, -1, -1, 0, 0, 2, 2, 0]
    plain = replace(RPNTraining(), rule=IoURule(0.7, (0.0, 0.3)))
    assert label_anchors(proposals_of(one + tied), target, plain).labels.tolist() == [1, 1, -1, -1, 0, 0, 0, 0, 0]


def test_best_anchor_is_looked_for_among_those_inside() -> None:
    """The one over the border fits better, but teaches nothing; the object is not left without an anchor for it."""
    target = target_of([[0, 0, 40, 40]])
    anchors = proposals_of([[-4, -4, 40, 40], [10, 10, 50, 50], [60, 60, 90, 90]])
    assert label_anchors(anchors, target, RPNTraining()).labels.tolist() == [-1, 1, 0]
    assert label_anchors(anchors, target, EVERYWHERE).labels.tolist() == [1, -1, 0]


def test_what_touches_the_border_is_inside() -> None:
    anchors = proposals_of([[0, 0, 128, 96], [0, 0, 128.5, 96], [0, -0.5, 128, 96]])
    assert label_anchors(anchors, target_of([[0, 0, 128, 96]]), RPNTraining()).labels.tolist() == [1, -1, -1]


def test_difficult_objects_teach_nothing() -> None:
    target = target_of([[0, 0, 40, 40], [60, 40, 100, 80]], [False, True])
    anchors = proposals_of([[0, 0, 40, 40], [60, 40, 100, 80], [110, 0, 120, 10]])
    assert label_anchors(anchors, target, RPNTraining()).labels.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("objects", "background", "expected"),
    [(300, 900, (128, 128)), (50, 900, (50, 206)), (300, 100, (128, 100)), (20, 60, (20, 60)), (0, 900, (0, 256))],
)
def test_256_anchors_up_to_one_to_one(
    objects: int, background: int, expected: tuple[int, int], device: torch.device
) -> None:
    """Missing objects are made up by background (section 3.1.3); of a class that is short there are no more."""
    boxes = [[0, 0, 50, 50]] * objects + [[60, 60, 90, 90]] * background
    level = scored(proposals_of(boxes), device=device)
    target = target_of([[0, 0, 50, 50]] if objects else []).to(device)
    up, down = learned_from(level, target, RPNTraining())
    assert (len(up), len(down)) == expected
    assert up.max().item() < objects if objects else not len(up)
    assert down.min().item() >= objects
    assert level.logits.grad.abs().max() <= 1 / 256
    rpn_loss([level], target, RPNTraining(), seeded())["anchor deltas"].backward()
    assert torch.equal(level.deltas.grad.any(dim=1).nonzero().flatten(), up)  # boxes are learned of the same objects


def test_other_generator_other_anchors_same_generator_the_same() -> None:
    boxes = [[0, 0, 50, 50]] * 300 + [[60, 60, 90, 90]] * 900
    target = target_of([[0, 0, 50, 50]])
    drawn = [torch.cat(learned_from(scored(proposals_of(boxes)), target, RPNTraining(), seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_only_the_deltas_of_sampled_objects_learn() -> None:
    anchors, target = grid(), random_target(5)
    level = scored(anchors)
    rpn_loss([level], target, RPNTraining(), seeded())["anchor deltas"].backward()
    assert torch.equal(level.deltas.grad.any(dim=1), label_anchors(anchors, target, RPNTraining()).labels > 0)


def test_perfect_deltas_and_sure_scores_cost_nothing() -> None:
    anchors, target = grid(), random_target(2)
    labelled = label_anchors(anchors, target, RPNTraining())
    own = labelled.labels > 0
    deltas, logits = torch.zeros(len(anchors), 4), torch.where(own, 20.0, -20.0)
    deltas[own] = BoxCoder().encode(anchors.boxes[own], target.boxes[labelled.matched[own]])
    losses = rpn_loss([ScoredAnchors(anchors, logits, deltas)], target, RPNTraining(), seeded())
    assert losses["objectness"].item() < 1e-6
    assert losses["anchor deltas"].item() < 1e-10


@pytest.fixture
def detector(small_backbone: Callable) -> Detector:
    """An untrained Faster R-CNN whose anchors fit the squares."""
    return faster_rcnn(("red", "green"), small_backbone(), seeded(), scales=(40,), sides=(16, 24))


def test_alone_it_is_the_images_share_of_the_views_loss(detector: Detector, device: torch.device) -> None:
    """Of the same view, mirrored or not: objects and maps are the view's."""
    detector, settings = detector.to(device), JointTraining(scales=(32, 40))
    views = Views(detector, pixels(), targets(), settings)
    loss, mirrored = RPNLoss(detector, views, RPNTraining(), images=4), set()
    for step in range(8):
        view = views.see(step, 1)
        scores = detector.propose.score(views.maps(view))
        expected = rpn_loss(scores, view.target, RPNTraining(), view.generator)
        found = loss((step, 1))
        assert {n: 4 * part.item() for n, part in found.items()} == pytest.approx(
            {n: part.item() for n, part in expected.items()}, rel=1e-6
        )
        mirrored.add(view.mirrored)
    assert mirrored == {True, False}
    assert set(found) == {"objectness", "anchor deltas"}


def test_gradients_reach_the_trunk(detector: Detector) -> None:
    views = Views(detector, pixels(), targets(), JointTraining(scales=(40,)))
    for name in ("objectness", "anchor deltas"):
        detector.encode.zero_grad()
        RPNLoss(detector, views, RPNTraining(), 1)((0, 0))[name].backward()
        assert all(p.grad.any() for p in detector.encode.trunk.conv1.parameters())
    assert views.see(0, 0).target.image_size == SMALL
