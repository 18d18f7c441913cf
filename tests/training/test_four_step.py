"""lecture_lib.training.four_step: the table of the turns, checked on the weights themselves."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lecture_lib.detectors import Detector, faster_rcnn
from lecture_lib.matching import SampleRule
from lecture_lib.proposals import ProposalRule, choose_proposals
from lecture_lib.structures import Proposals, Target
from lecture_lib.training import four_step
from lecture_lib.training.end_to_end import NORMALISED, EndToEnd
from lecture_lib.training.four_step import TURNS, FourSteps, propose_all
from lecture_lib.training.joint import JointLoss, JointTraining, finished
from lecture_lib.training.resume import SAVE_EVERY
from lecture_lib.training.rpn import RPNTraining
from tests.training.squares import SIZE, pictures, pixels, targets

REGIONS = JointTraining(
    regions=SampleRule(16, 0.5), first_trained="conv2", steps=3, learning_rate=0.01, scales=(32, 40, 48)
)
QUICK = EndToEnd(REGIONS, RPNTraining(anchors=SampleRule(64, 0.5)), ProposalRule(40, 100))
LONGER = replace(QUICK, regions=replace(REGIONS, steps=23))
LEARNS = (("encode", "propose"), ("encode", "embed", "predict"), ("propose",), ("embed", "predict"))  # section 3.2
LAYERS = {
    "encode": ("trunk.conv2.0",),
    "propose": ("window", "objectness", "deltas"),
    "embed": ("layers.fc6.0", "layers.fc7.0"),
    "predict": ("classify", "move"),
}


@pytest.fixture
def build(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained Faster R-CNN of two classes on a small backbone, whose anchors fit the squares."""

    def build(seed: int = 0, sides: tuple[int, ...] = (16, 24), **about: object) -> Detector:
        generator = torch.Generator().manual_seed(seed)
        return faster_rcnn(("red", "green"), small_backbone(seed=seed, **about), generator, (40,), sides=sides)

    return build


def steps_of(detector: Detector, settings: EndToEnd = QUICK, folder: Path | None = None) -> FourSteps:
    return FourSteps(detector, pixels(), targets(), settings, folder)


def run(training: FourSteps, turns: range = range(1, 5)) -> list[list[float]]:
    """Take turns; the losses of each."""
    return [[step.loss for step in training.take(number)] for number in turns]


def weights(detector: Detector) -> dict[str, Tensor]:
    return {f"{slot}.{n}": t.clone() for slot, m in detector.modules().items() for n, t in m.state_dict().items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def learned(slots: tuple[str, ...]) -> set[str]:
    """The names of all weights of these slots that may learn; conv1 is frozen, BatchNorm keeps ImageNet's."""
    return {f"{slot}.{layer}.{n}" for slot in slots for layer in LAYERS[slot] for n in ("weight", "bias")}


def same(one: object, other: object) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("number", [0, 5])
def test_another_step_is_a_clear_error(build: Callable, number: int) -> None:
    with pytest.raises(ValueError, match=f"steps 1 to 4, not {number}"):
        next(FourSteps(build(), pixels(), targets(), EndToEnd()).take(number))


def test_no_steps_and_no_objects(build: Callable, device: torch.device) -> None:
    detector = build()
    before = weights(detector)
    assert run(steps_of(detector, replace(QUICK, regions=replace(REGIONS, steps=0)))) == [[], [], [], []]
    assert not moved(before, weights(detector))
    empty = FourSteps(build().to(device), pixels(), [Target.empty(SIZE)] * 3, QUICK)
    for number in range(1, 5):  # background of the second stage has an IoU of 0.1 at least: there is none
        assert {step.loss > 0 for step in empty.take(number)} == {"propose" in LEARNS[number - 1]}


def test_the_table_is_the_papers() -> None:
    assert tuple(turn.learns for turn in TURNS) == LEARNS
    assert [turn.trunk for turn in TURNS] == ["ImageNet", "ImageNet", "step 2", "step 2"]


def test_every_turn_changes_its_slots_and_nothing_else(build: Callable) -> None:
    """Bit by bit, in both networks: the first one's, of which only step 1 makes use, and the detector's."""
    detector = build(batch_norm=True)
    start, training = weights(detector), steps_of(detector)
    assert same(training.first.encode, detector.encode)
    for number, learns in enumerate(LEARNS, start=1):
        own, other = (training.first, detector) if number == 1 else (detector, training.first)
        before, resting = weights(own), weights(other)
        if number == 2:  # its trunk is ImageNet's again, not the one that step 1 has changed
            assert {name for name in moved(before, start) if name.startswith("encode")} == set()
            assert moved(start, weights(training.first)) == learned(("encode", "propose"))
        if number == 3:  # the RPN goes on from step 1's layers
            before |= {f"propose.{name}": t.clone() for name, t in training.first.propose.state_dict().items()}
        kinds = {frozenset(step.parts) for step in training.take(number)}
        stage = ("objectness", "anchor deltas") if "propose" in learns else ("classification", "localisation")
        assert kinds == {frozenset(stage)}
        shared = learned(("embed", "predict")) if own.embed is other.embed else set()
        assert moved(before, weights(own)) == learned(learns)
        assert moved(resting, weights(other)) - shared == set()
    assert detector.modules().keys() == {"encode", "propose", "embed", "predict"}  # one trunk serves both stages
    assert not any(part.training for module in detector.modules().values() for part in module.modules())


def test_step_3_starts_from_the_layers_of_step_1(build: Callable) -> None:
    detector = build()
    training, untrained = steps_of(detector), weights(detector)
    run(training, range(1, 3))
    assert not {name for name in moved(untrained, weights(detector)) if name.startswith("propose")}
    steps = training.take(3)
    assert same(detector.propose, training.first.propose)
    first = next(steps)  # AdamW's first step moves nothing further than its rate
    steps.close()
    for name, tensor in detector.propose.state_dict().items():
        distance = (tensor - training.first.propose.state_dict()[name]).abs().max()
        assert 0 < float(distance) < 1.5 * first.learning_rate


def test_trunk_of_the_end_is_step_2s_and_serves_both_stages(build: Callable) -> None:
    detector = build()
    training = steps_of(detector)
    run(training, range(1, 3))
    trunk = {name: tensor.clone() for name, tensor in detector.encode.state_dict().items()}
    for number in (3, 4):
        learning = [any(p.requires_grad for p in detector.encode.parameters()) for _ in training.take(number)]
        assert learning == [False] * 3  # its maps are kept, and nothing is computed for gradients that nobody needs
    assert all(torch.equal(tensor, trunk[name]) for name, tensor in detector.encode.state_dict().items())
    assert not same(detector.encode, training.first.encode)
    done = finished(detector, NORMALISED)
    trace = done.trace(pictures()[0])
    maps = detector.encode(pictures()[0])
    assert torch.equal(trace.proposals.boxes, detector.propose(pictures()[0], maps).boxes)
    assert len(trace.detections) > 0


def test_regions_are_the_proposals_of_the_step_before_and_the_objects(
    build: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 2 learns on what step 1's network proposes, with its own trunk; step 4 on what the detector's does."""
    given = []

    class Watched(JointLoss):
        def __init__(self, detector: Detector, views: object, regions: list, *about: object) -> None:
            given.append((regions, *about))
            super().__init__(detector, views, regions, *about)

    monkeypatch.setattr(four_step, "JointLoss", Watched)
    detector = build()
    training = steps_of(detector)
    run(training, range(1, 2))
    expected = [proposed(training.first, i) for i in range(3)]
    run(training, range(2, 4))
    expected_at_last = [proposed(detector, i) for i in range(3)]
    run(training, range(4, 5))
    assert len(given) == 2
    for (regions, coder, settings), boxes in zip(given, (expected, expected_at_last), strict=True):
        assert all(torch.equal(part.boxes, own) for part, own in zip(regions, boxes, strict=True))
        assert coder == NORMALISED
        assert settings.steps == 3
    assert not torch.equal(expected[0], expected_at_last[0])


def proposed(detector: Detector, i: int) -> Tensor:
    """What the RPN proposes for picture i by the rule of the training, then the picture's objects."""
    with torch.no_grad():
        found = choose_proposals(detector.propose.score(detector.encode(pictures()[i])), QUICK.proposals)
    assert 2 < len(found) <= 40
    return torch.cat([found.boxes, targets()[i].boxes])


def test_propose_all_follows_the_rule_not_the_detectors(build: Callable, device: torch.device) -> None:
    detector = build().to(device)
    made = propose_all(detector, pixels(), 2, ProposalRule(count=5))
    assert [len(part) for part in made] == [5, 5]
    assert all(isinstance(part, Proposals) and part.boxes.device.type == "cpu" for part in made)
    assert not made[0].boxes.requires_grad
    assert propose_all(detector, pixels(), 0, ProposalRule()) == []
    graphs = []
    detector.encode.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
    propose_all(detector, pixels(), 2, ProposalRule())
    assert graphs == [False, False]  # a graph of every image would stay in memory


@pytest.mark.parametrize("turn", [1, 2, 3, 4])
def test_interrupted_turn_goes_on_and_done_ones_are_loaded(build: Callable, tmp_path: Path, turn: int) -> None:
    whole = build(dropout=0.5)
    losses = run(steps_of(whole, LONGER))
    training = steps_of(build(dropout=0.5), LONGER, tmp_path)
    run(training, range(1, turn))
    steps = training.take(turn)
    assert [step.loss for step in itertools.islice(steps, 22)] == losses[turn - 1][:22]
    steps.close()
    torch.rand(99)  # the global generator must not matter
    resumed = build(dropout=0.5)
    again = run(steps_of(resumed, LONGER, tmp_path))
    assert again == [[]] * (turn - 1) + [losses[turn - 1][SAVE_EVERY:], *losses[turn:]]
    assert moved(weights(whole), weights(resumed)) == set()
    assert {path.name for path in tmp_path.iterdir()} == {f"step-{number}.pt" for number in range(1, 5)}


@pytest.mark.parametrize(
    ("other", "sides"),
    [
        (replace(QUICK, regions=replace(REGIONS, seed=1)), (16, 24)),
        (replace(QUICK, anchors=replace(QUICK.anchors, box_weight=2.0)), (16, 24)),
        (replace(QUICK, proposals=replace(QUICK.proposals, nms_threshold=0.6)), (16, 24)),
        (QUICK, (16, 32)),
    ],
    ids=["seed", "anchors", "proposals", "sides"],
)
@pytest.mark.parametrize("turn", [1, 2, 3, 4])
def test_state_of_other_settings_is_refused(
    build: Callable, tmp_path: Path, turn: int, other: EndToEnd, sides: tuple[int, ...]
) -> None:
    """Every turn's: what it learns from depends on all that was before it."""
    run(steps_of(build(), QUICK, tmp_path))
    with pytest.raises(ValueError, match=rf"step-{turn}\.pt is of a training with other settings.*Delete it"):
        run(steps_of(build(sides=sides), other, tmp_path), range(turn, turn + 1))


def test_same_seed_same_weights(build: Callable) -> None:
    found = []
    for seed in (0, 0, 1):
        detector = build(dropout=0.5)
        run(steps_of(detector, replace(QUICK, regions=replace(REGIONS, seed=seed))))
        found.append(weights(detector))
        torch.rand(3)
    assert not moved(found[0], found[1])
    assert {"predict.classify.weight", "propose.objectness.weight"} <= moved(found[0], found[2])
