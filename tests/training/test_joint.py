"""lecture_lib.training.joint: what learns and what does not, and an interruption changes no bit."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lecture_lib.boxes import iou
from lecture_lib.detectors import Detector, fast_rcnn
from lecture_lib.matching import FAST_RCNN, SampleRule, label_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.joint import (
    JointTraining,
    finished,
    freeze_before,
    image_batches,
    target_coder,
    train_jointly,
)
from lecture_lib.training.resume import SAVE_EVERY
from tests.training.squares import pictures, pixels, regions, targets

QUICK = JointTraining(
    regions=SampleRule(16, 0.5), first_trained="conv2", steps=25, learning_rate=0.01, scales=(32, 40, 48)
)


@pytest.fixture
def build(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained Fast R-CNN of two classes on a small backbone."""

    def build(seed: int = 0, fresh_tail: bool = False, **about: object) -> Detector:
        backbone = small_backbone(seed=seed, **about)
        backbone.fresh_tail = fresh_tail
        return fast_rcnn(("red", "green"), backbone, torch.Generator().manual_seed(seed), scales=(40,))

    return build


def run(detector: Detector, settings: JointTraining, state: Path | None = None) -> list[float]:
    """Train to the end; the losses."""
    return [step.loss for step in train_jointly(detector, pixels(), regions(), targets(), settings, state)]


def weights(detector: Detector) -> dict[str, Tensor]:
    return {f"{slot}.{n}": t.clone() for slot, m in detector.modules().items() for n, t in m.state_dict().items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("first", "trained"),
    [("all", ("conv1", "conv2")), ("conv1", ("conv1", "conv2")), ("conv2", ("conv2",)), (None, ())],
    ids=str,
)
def test_frozen_stages_and_batch_norm_stay_bit_by_bit(build: Callable, first: str | None, trained: tuple) -> None:
    detector = build(batch_norm=True)
    before = weights(detector)
    run(detector, replace(QUICK, first_trained=first, steps=6))
    changed = moved(before, weights(detector))
    convolutions = {f"encode.trunk.{stage}.0.{name}" for stage in trained for name in ("weight", "bias")}
    assert {name for name in changed if name.startswith("encode")} == convolutions
    others = {name for name in before if not name.startswith("encode")}
    assert changed - convolutions == others
    assert len(others) == 8  # weight and bias of fc6, fc7, classify and move


def test_unknown_stage_is_a_clear_error(build: Callable) -> None:
    detector = build()
    with pytest.raises(ValueError, match=r"'conv3'; name one of .*\['conv1', 'conv2'\].*None"):
        freeze_before(detector.encode.trunk, "conv3")
    with pytest.raises(ValueError, match="'conv3'"):
        run(detector, replace(QUICK, first_trained="conv3"))


@pytest.mark.parametrize("fresh", [False, True])
def test_what_imagenet_trained_learns_at_a_tenth(build: Callable, fresh: bool) -> None:
    """AdamW's first step moves every weight that has a gradient by the learning rate, up or down."""
    detector = build(fresh_tail=fresh)
    before = weights(detector)
    settings = replace(QUICK, steps=1, weight_decay=0.0, first_trained="conv1", pretrained_rate=0.1)
    (record,) = train_jointly(detector, pixels(), regions(), targets(), settings)
    new = ("predict", *(("embed",) if fresh else ()))
    for name, tensor in weights(detector).items():
        rate = record.learning_rate if name.startswith(new) else record.learning_rate / 10
        assert float((tensor - before[name]).abs().max()) == pytest.approx(rate, rel=0.05)


def test_without_box_weight_the_boxes_do_not_learn(build: Callable) -> None:
    detector = build()
    before = weights(detector)
    settings = replace(QUICK, box_weight=0.0, weight_decay=0.0, steps=4)
    steps = list(train_jointly(detector, pixels(), regions(), targets(), settings))
    assert {step.parts["localisation"] for step in steps} == {0}
    changed = moved(before, weights(detector))
    assert {"predict.classify.weight", "predict.move.weight"} - changed == {"predict.move.weight"}


@pytest.mark.parametrize(
    ("stopped", "first_trained"), [(1, "conv1"), (20, "conv1"), (23, "conv1"), (25, "conv1"), (23, None)]
)
def test_interrupted_training_ends_bit_by_bit_where_the_whole_one_does(
    build: Callable, tmp_path: Path, stopped: int, first_trained: str | None
) -> None:
    settings, state, whole = replace(QUICK, first_trained=first_trained), tmp_path / "joint.pt", build(dropout=0.5)
    losses = run(whole, settings)
    steps = train_jointly(build(dropout=0.5), pixels(), regions(), targets(), settings, state)
    assert [step.loss for step in itertools.islice(steps, stopped)] == losses[:stopped]
    steps.close()
    torch.rand(99)  # the global generator must not matter
    done = 25 if stopped == 25 else stopped // SAVE_EVERY * SAVE_EVERY
    resumed = build(dropout=0.5, seed=1 if done else 0)  # another start shows that the weights come from the file
    assert run(resumed, settings, state) == losses[done:]
    assert moved(weights(whole), weights(resumed)) == set()
    assert not any(part.training for module in resumed.modules().values() for part in module.modules())


def test_state_of_other_settings_is_refused(build: Callable, tmp_path: Path) -> None:
    state = tmp_path / "joint.pt"
    run(build(), replace(QUICK, steps=2), state)
    for other in (replace(QUICK, steps=3), replace(QUICK, steps=2, seed=1)):
        with pytest.raises(ValueError, match=r"joint\.pt is of a training with other settings.*Delete it"):
            run(build(), other, state)


def test_same_seed_same_weights_and_the_global_generator_stays(build: Callable) -> None:
    found = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        detector = build(dropout=0.5)
        torch.manual_seed(global_seed)
        run(detector, replace(QUICK, steps=3, seed=seed))
        after = torch.rand(1)
        torch.manual_seed(global_seed)
        assert torch.equal(after, torch.rand(1))
        found.append(weights(detector))
    assert not moved(found[0], found[1])
    assert "predict.classify.weight" in moved(found[0], found[2])


def test_training_mode_is_left_also_where_it_is_stopped_early(build: Callable) -> None:
    detector = build(dropout=0.5, batch_norm=True)
    steps = train_jointly(detector, pixels(), regions(), targets(), QUICK)
    next(steps)
    assert detector.embed.layers.fc6[2].training
    assert not any(m.training for m in detector.encode.modules() if isinstance(m, nn.BatchNorm2d))
    steps.close()
    assert not any(part.training for module in detector.modules().values() for part in module.modules())


def test_one_tiny_image_is_learned_by_heart(build: Callable, device: torch.device) -> None:
    """Classes and boxes: in the end every region that was trained on is moved onto its object."""
    settings = replace(QUICK, images=1, steps=250, first_trained="conv1", pretrained_rate=1.0, weight_decay=0.0)
    settings = replace(settings, flip=False, scales=(40,), regions=SampleRule(64, 0.5))
    detector, part, target = build().to(device), regions()[:1], targets()[:1]
    steps = list(train_jointly(detector, pixels(), part, target, settings))
    assert steps[0].parts["classification"] == pytest.approx(math.log(3) * len_sampled(part[0], target[0]), rel=0.1)
    assert steps[-1].parts["classification"] < 0.05
    assert steps[-1].parts["localisation"] < 0.1 * steps[0].parts["localisation"]
    trace = finished(detector, target_coder(part, target)).trace(pictures()[0].to(device), part[0])
    labelled = label_proposals(part[0], target[0], FAST_RCNN)
    own = labelled.labels > 0
    scores = trace.predictions.scores.cpu()[own, labelled.labels[own] - 1]
    assert (scores > 0.5).all()
    found = trace.detections.to("cpu")
    for label in (1, 2):
        best = found[(found.labels == label) & (found.scores > 0.5)]
        assert float(iou(best.boxes, target[0].boxes[label - 1 : label]).max()) > 0.85


def len_sampled(part: Proposals, target: Target) -> float:
    """The share of a mini-batch of 64 that one image with few regions can fill."""
    labels = label_proposals(part, target, FAST_RCNN).labels
    own = min(32, int((labels > 0).sum()))
    return (own + min(64 - own, int((labels == 0).sum()))) / 64


@pytest.mark.parametrize(("images", "steps", "per_step"), [(5, 10, 2), (7, 3, 2), (3, 4, 1), (2, 5, 3)])
def test_every_image_is_used_once_a_round(images: int, steps: int, per_step: int) -> None:
    settings = replace(QUICK, steps=steps, images=per_step)
    batches = image_batches(images, settings)
    assert [len(batch) for batch in batches] == [per_step] * steps
    order = list(itertools.chain(*batches))
    rounds = [order[start : start + images] for start in range(0, len(order), images)]
    assert all(sorted(part) == list(range(images)) for part in rounds if len(part) == images)
    assert all(len(set(part)) == len(part) for part in rounds)
    assert image_batches(images, settings) == batches
    if len(rounds) > 2:
        assert len({tuple(part) for part in rounds}) > 1
        assert image_batches(images, replace(settings, seed=1)) != batches


def test_no_steps_leave_the_detector_alone(build: Callable) -> None:
    detector = build()
    before = weights(detector)
    assert run(detector, replace(QUICK, steps=0)) == []
    assert not moved(before, weights(detector))
