"""lecture_lib.training.end_to_end: four terms, no gradient through the proposals, an interruption changes no bit."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lecture_lib.boxes import iou
from lecture_lib.detectors import Detector, faster_rcnn
from lecture_lib.matching import IoURule, SampleRule
from lecture_lib.proposals import ProposalRule, RegionProposalNetwork
from lecture_lib.structures import Proposals, Target
from lecture_lib.training import end_to_end
from lecture_lib.training.end_to_end import NORMALISED, EndToEnd, EndToEndLoss, train_end_to_end
from lecture_lib.training.joint import JointTraining, finished, region_loss, sample_regions
from lecture_lib.training.resume import SAVE_EVERY
from lecture_lib.training.rpn import RPNTraining, rpn_loss
from lecture_lib.training.views import Views
from tests.training.squares import SIZE, pictures, pixels, targets

REGIONS = JointTraining(
    regions=SampleRule(16, 0.5), first_trained="conv2", steps=25, learning_rate=0.01, scales=(32, 40, 48)
)
ANCHORS = RPNTraining(anchors=SampleRule(64, 0.5))
QUICK = EndToEnd(REGIONS, ANCHORS, ProposalRule(40, 100))
TERMS = {"objectness", "anchor deltas", "classification", "localisation"}


def with_steps(steps: int, **changed: object) -> EndToEnd:
    return replace(QUICK, regions=replace(REGIONS, steps=steps, **changed))


@pytest.fixture
def build(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained Faster R-CNN of two classes on a small backbone, whose anchors fit the squares."""

    def build(seed: int = 0, sides: tuple[int, ...] = (16, 24), **about: object) -> Detector:
        generator = torch.Generator().manual_seed(seed)
        return faster_rcnn(("red", "green"), small_backbone(seed=seed, **about), generator, (40,), sides=sides)

    return build


def run(detector: Detector, settings: EndToEnd, state: Path | None = None) -> list[float]:
    """Train to the end; the losses."""
    return [step.loss for step in train_end_to_end(detector, pixels(), targets(), settings, state)]


def weights(detector: Detector) -> dict[str, Tensor]:
    return {f"{slot}.{n}": t.clone() for slot, m in detector.modules().items() for n, t in m.state_dict().items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_no_steps_leave_the_detector_alone(build: Callable) -> None:
    detector = build()
    before = weights(detector)
    assert run(detector, with_steps(0)) == []
    assert not moved(before, weights(detector))


def test_images_without_objects_teach_the_background(build: Callable, device: torch.device) -> None:
    steps = list(train_end_to_end(build().to(device), pixels(), [Target.empty(SIZE)] * 3, with_steps(3)))
    for step in steps:
        assert set(step.parts) == TERMS
        assert (step.parts["anchor deltas"], step.parts["localisation"]) == (0, 0)
        assert step.parts["objectness"] > 0


def test_all_slots_learn_but_frozen_stages_and_batch_norm(build: Callable) -> None:
    detector = build(batch_norm=True)
    before = weights(detector)
    (step,) = train_end_to_end(detector, pixels(), targets(), with_steps(1))
    assert set(step.parts) == TERMS
    assert all(value > 0 for value in step.parts.values())
    assert step.loss == pytest.approx(sum(step.parts.values()))
    changed = moved(before, weights(detector))
    layers = ("propose.window", "propose.objectness", "propose.deltas", "embed.layers.fc6.0", "embed.layers.fc7.0")
    layers = ("encode.trunk.conv2.0", *layers, "predict.classify", "predict.move")
    assert changed == {f"{layer}.{name}" for layer in layers for name in ("weight", "bias")}


def test_new_layers_learn_faster_than_imagenets(build: Callable) -> None:
    """AdamW's first step moves every weight that has a gradient by the learning rate; the RPN's layers are new."""
    detector = build()
    before = weights(detector)
    (step,) = train_end_to_end(detector, pixels(), targets(), with_steps(1, weight_decay=0.0, pretrained_rate=0.1))
    for name, tensor in weights(detector).items():
        if not name.startswith("encode.trunk.conv1"):
            rate = step.learning_rate * (1 if name.startswith(("propose", "predict")) else 0.1)
            assert float((tensor - before[name]).abs().max()) == pytest.approx(rate, rel=0.05)


class Watched:
    """An EndToEndLoss and the proposals that its second stage was given, before they are sampled."""

    def __init__(self, detector: Detector, settings: EndToEnd, monkeypatch: pytest.MonkeyPatch) -> None:
        self.views = Views(detector, pixels(), targets(), settings.regions)
        self.loss = EndToEndLoss(detector, self.views, settings)
        monkeypatch.setattr(end_to_end, "sample_regions", self.watch)

    def watch(self, regions: Proposals, target: Target, *about: object) -> object:
        self.regions, self.target, self.coder = regions, target, about[0]
        return sample_regions(regions, target, *about)


def test_no_gradient_flows_through_the_proposals(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second stage's loss moves the trunk, and no layer of the RPN, though it made the regions."""
    detector = build()
    watched = Watched(detector, QUICK, monkeypatch)
    losses = watched.loss((0, 0))
    assert not watched.regions.boxes.requires_grad
    (losses["classification"] + losses["localisation"]).backward(retain_graph=True)
    assert all(p.grad is None for p in detector.propose.parameters())
    assert all(p.grad.any() for p in detector.encode.trunk.parameters())
    assert all(p.grad.any() for p in detector.predict.parameters())
    detector.encode.zero_grad()
    detector.predict.zero_grad()
    (losses["objectness"] + losses["anchor deltas"]).backward()
    assert all(p.grad.any() for p in detector.propose.parameters())
    assert all(p.grad.any() for p in detector.encode.trunk.parameters())
    assert all(p.grad is None for p in detector.predict.parameters())


def test_loss_is_both_stages_share_of_the_mini_batch(build: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same chances, term by term: the RPN's loss, then the head's on its proposals of now, and the truth."""
    detector, settings = build(), replace(QUICK, regions=replace(REGIONS, images=3))
    nn.init.normal_(detector.propose.deltas.weight, std=0.1, generator=torch.Generator().manual_seed(5))
    watched, mirrored = Watched(detector, settings, monkeypatch), set()
    for step in range(6):
        found = watched.loss((step, 2))
        view = watched.views.see(step, 2)
        maps = watched.views.maps(view)
        first = rpn_loss(detector.propose.score(maps), view.target, ANCHORS, view.generator)
        detector.propose.rule = QUICK.proposals
        proposals = detector.propose(pictures()[2], maps).boxes
        regions = Proposals(torch.cat([proposals, view.target.boxes]), None, SIZE)
        assert 2 < len(proposals) <= 40
        assert torch.equal(watched.regions.boxes, regions.boxes)
        sampled = sample_regions(regions, view.target, NORMALISED, settings.regions, view.generator)
        second = region_loss(detector, maps, sampled, settings.regions, view.generator)
        expected = {name: part.item() / 3 for name, part in first.items()} | {n: p.item() for n, p in second.items()}
        assert {name: part.item() for name, part in found.items()} == pytest.approx(expected, rel=1e-5)
        mirrored.add(view.mirrored)
    assert mirrored == {True, False}
    assert watched.coder.std == (0.1, 0.1, 0.2, 0.2)


@pytest.mark.parametrize(("stopped", "first_trained"), [(1, "conv1"), (23, "conv1"), (25, "conv1"), (23, None)])
def test_interrupted_training_ends_bit_by_bit_where_the_whole_one_does(
    build: Callable, tmp_path: Path, stopped: int, first_trained: str | None
) -> None:
    settings, state, whole = with_steps(25, first_trained=first_trained), tmp_path / "state.pt", build(dropout=0.5)
    losses = run(whole, settings)
    steps = train_end_to_end(build(dropout=0.5), pixels(), targets(), settings, state)
    assert [step.loss for step in itertools.islice(steps, stopped)] == losses[:stopped]
    steps.close()
    torch.rand(99)  # the global generator must not matter
    done = 25 if stopped == 25 else stopped // SAVE_EVERY * SAVE_EVERY
    resumed = build(dropout=0.5, seed=1 if done else 0)  # another start shows that the weights come from the file
    assert run(resumed, settings, state) == losses[done:]
    assert moved(weights(whole), weights(resumed)) == set()
    assert not any(part.training for module in resumed.modules().values() for part in module.modules())


@pytest.mark.parametrize(
    "other",
    [
        with_steps(3),
        with_steps(2, seed=1),
        replace(with_steps(2), anchors=replace(ANCHORS, rule=IoURule(0.6, (0.0, 0.3)))),
        replace(with_steps(2), anchors=replace(ANCHORS, box_weight=2.0)),
        replace(with_steps(2), proposals=replace(QUICK.proposals, nms_threshold=0.6)),
    ],
    ids=["steps", "seed", "IoU", "weight", "proposals"],
)
def test_state_of_other_settings_is_refused(build: Callable, tmp_path: Path, other: EndToEnd) -> None:
    state = tmp_path / "state.pt"
    run(build(), with_steps(2), state)
    assert run(build(), with_steps(2), state) == []
    with pytest.raises(ValueError, match=r"state\.pt is of a training with other settings.*Delete it"):
        run(build(), other, state)


@pytest.mark.parametrize("sides", [(16, 32), (16,)])
def test_state_of_other_anchors_is_refused(build: Callable, tmp_path: Path, sides: tuple[int, ...]) -> None:
    """As many others fit the layers and would be trained on, or tested, in silence."""
    state = tmp_path / "state.pt"
    run(build(), with_steps(2), state)
    with pytest.raises(ValueError, match=r"state\.pt is of a training with other settings.*Delete it"):
        run(build(sides=sides), with_steps(2), state)


def test_same_seed_same_weights_and_the_global_generator_stays(build: Callable) -> None:
    found = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        detector = build(dropout=0.5)
        torch.manual_seed(global_seed)
        run(detector, with_steps(3, seed=seed))
        after = torch.rand(1)
        torch.manual_seed(global_seed)
        assert torch.equal(after, torch.rand(1))
        found.append(weights(detector))
    assert not moved(found[0], found[1])
    assert {"predict.classify.weight", "propose.objectness.weight"} <= moved(found[0], found[2])


@pytest.mark.parametrize("slot", ["encode", "propose", "embed", "predict"])
def test_weights_that_are_no_numbers_stop_the_training(build: Callable, slot: str) -> None:
    detector = build()
    next(iter(detector.modules()[slot].parameters())).data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match=r"diverged at step 1: .* = nan.*Lower the learning rate"):
        run(detector, with_steps(2))


def test_one_tiny_image_is_learned_by_heart(build: Callable, device: torch.device) -> None:
    """The RPN proposes both objects, and the second stage names each of them and knows its box.

    All that is not an object is background here, at the border too: what nobody learns from would say anything. The
    second stage is asked about the objects' own boxes: of a proposal at the threshold's edge it may say either.
    """
    regions = replace(REGIONS, images=1, steps=600, first_trained="conv1", pretrained_rate=1.0, weight_decay=0.0)
    regions = replace(regions, rule=IoURule(0.5, (0.0, 0.5)), regions=SampleRule(64, 0.5), learning_rate=0.01)
    settings = replace(QUICK, anchors=replace(ANCHORS, ignore_crossing=False, beta=1.0))
    settings = replace(settings, regions=replace(regions, flip=False, scales=(40,)))
    detector, target, image = build(seed=2), targets()[0], pictures()[0].to(device)
    wide = RegionProposalNetwork(6, detector.propose.anchors, width=256, generator=torch.Generator().manual_seed(2))
    detector = replace(detector, propose=wide).to(device)
    steps = list(train_end_to_end(detector, pixels(), [target], settings))
    first, last = steps[0].parts, steps[-1].parts
    assert first["objectness"] == pytest.approx(math.log(2), rel=0.01)
    assert last["objectness"] < 0.05 * first["objectness"]
    assert last["classification"] < 0.3 * first["classification"]
    detector = finished(detector, NORMALISED)
    proposed = detector.trace(image).proposals.to("cpu")[:10]
    assert (iou(proposed.boxes, target.boxes).max(dim=0).values > 0.8).all()
    found = detector.detect(image, Proposals(target.boxes, None, SIZE)).to("cpu")
    for label in (1, 2):
        own = found[found.labels == label]
        assert own.scores[0] > 0.5
        assert float(iou(own.boxes[:1], target.boxes[label - 1 : label])) > 0.7
