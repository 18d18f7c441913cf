"""lecture_lib.training.loop: one record a step, plain gradient descent, and an early stop when the loss explodes."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from lecture_lib.training.loop import train


def quadratic(weight: nn.Parameter):
    """Losses of a parabola with its minimum at the batch's value, in two parts."""
    return lambda batch: {"near": 0.5 * (weight - batch).square().sum(), "constant": torch.tensor(2.0)}


def test_no_batches_no_steps() -> None:
    weight = nn.Parameter(torch.ones(1))
    assert list(train(quadratic(weight), [], SGD([weight], lr=0.1))) == []
    assert weight.item() == 1


def test_steps_are_those_of_gradient_descent() -> None:
    weight, by_hand = nn.Parameter(torch.tensor([4.0])), 4.0
    optimizer = SGD([weight], lr=0.5)
    schedule = StepLR(optimizer, step_size=1, gamma=0.5)
    for number, step in enumerate(train(quadratic(weight), [torch.zeros(1)] * 3, optimizer, schedule), start=1):
        rate = 0.5 * 0.5 ** (number - 1)
        assert (step.step, step.steps, step.learning_rate) == (number, 3, rate)
        assert step.parts == pytest.approx({"near": 0.5 * by_hand**2, "constant": 2.0})
        assert step.loss == pytest.approx(sum(step.parts.values()))
        assert step.seconds > 0
        by_hand -= rate * by_hand
        assert weight.item() == pytest.approx(by_hand)


def test_nothing_happens_before_it_is_iterated_and_it_can_stop_early() -> None:
    weight = nn.Parameter(torch.ones(1))
    steps = train(quadratic(weight), [torch.zeros(1)] * 9, SGD([weight], lr=0.5))
    assert weight.item() == 1
    next(steps)
    steps.close()
    assert weight.item() == 0.5


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(poison: float) -> None:
    weight = nn.Parameter(torch.ones(1))
    steps = train(quadratic(weight), [torch.zeros(1), torch.tensor([poison])], SGD([weight], lr=0.5))
    next(steps)
    with pytest.raises(FloatingPointError, match=r"diverged at step 2: near = (nan|inf).*Lower the learning rate"):
        next(steps)
    assert weight.item() == 0.5


def test_no_batch_is_left_after_as_many_are_done() -> None:
    weight = nn.Parameter(torch.ones(1))
    for done in (2, 3, 99):
        assert list(train(quadratic(weight), [torch.zeros(1)] * 2, SGD([weight], lr=0.5), done=done)) == []
    assert weight.item() == 1


@pytest.mark.parametrize("done", [0, 1, 3])
def test_batches_that_are_done_are_skipped(done: int) -> None:
    batches = [torch.full((1,), float(value)) for value in (3, -1, 4, 1, 5)]
    whole, rest = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    weights = []
    for _ in train(quadratic(whole), batches, SGD([whole], lr=0.5)):
        weights.append(whole.item())
    if done:
        rest.data.fill_(weights[done - 1])
    steps = list(train(quadratic(rest), batches, SGD([rest], lr=0.5), done=done))
    assert [(step.step, step.steps) for step in steps] == [(number, 5) for number in range(done + 1, 6)]
    assert rest.item() == weights[-1]


@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_parts_of_a_batch_take_the_step_of_the_whole(size: int, generator: torch.Generator) -> None:
    batches = [torch.randn(7, generator=generator) for _ in range(3)]
    seen, found = [], []

    def losses(weight: nn.Parameter, part: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(len(part))
        return {"near": (weight - part).square().sum() / 7, "large": weight.abs() * len(part) / 7}

    for parts in (None, lambda batch: batch.split(size)):
        weight = nn.Parameter(torch.tensor(2.0))
        seen.clear()
        steps = train(lambda part, w=weight: losses(w, part), batches, SGD([weight], lr=0.1, momentum=0.9), parts=parts)
        records = list(steps)
        found.append((weight.item(), [record.loss for record in records], [record.parts for record in records]))
    assert seen == [len(part) for part in batches[0].split(size)] * 3
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-5)
    for split, whole in zip(found[1][2], found[0][2], strict=True):
        assert split == pytest.approx(whole, rel=1e-5)


def test_a_part_that_is_not_finite_stops_before_the_step() -> None:
    weight = nn.Parameter(torch.ones(1))
    batch = torch.tensor([0.0, 0.0, math.nan])
    steps = train(quadratic(weight), [batch], SGD([weight], lr=0.5), parts=lambda b: b.split(1))
    with pytest.raises(FloatingPointError, match="diverged at step 1: near = nan"):
        next(steps)
    assert weight.item() == 1
