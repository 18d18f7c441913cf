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
