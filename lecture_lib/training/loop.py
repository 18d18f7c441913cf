"""The training loop of the whole course: a generator of one record a step, for a progress bar, a plot or a test."""

import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Step:
    """What one step of gradient descent did."""

    step: int  # 1 .. steps
    steps: int
    loss: float  # the sum that was minimised
    parts: dict[str, float]  # its terms by name, e.g. classification and localisation
    learning_rate: float  # of the optimiser's last parameter group, the head's by the custom of this course
    seconds: float


def train(
    compute_losses: Callable[[Batch], dict[str, Tensor]],
    batches: Collection[Batch],
    optimizer: Optimizer,
    schedule: LRScheduler | None = None,
) -> Iterator[Step]:
    """Take one optimiser step per batch on the sum of the losses; nothing happens until the generator is iterated.

    The caller puts the network into train mode and keeps it: it may stop early, evaluate between steps, or draw.
    Raises FloatingPointError as soon as the loss is not finite, before the weights are spoilt.
    """
    for number, batch in enumerate(batches, start=1):
        start = time.perf_counter()
        learning_rate = optimizer.param_groups[-1]["lr"]
        losses = compute_losses(batch)
        total = sum(losses.values())
        parts = {name: float(value.detach()) for name, value in losses.items()}
        _check_finite(parts, number, learning_rate)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        yield Step(number, len(batches), sum(parts.values()), parts, learning_rate, time.perf_counter() - start)


def _check_finite(parts: dict[str, float], step: int, learning_rate: float) -> None:
    """Raise FloatingPointError that names the losses that are NaN or infinite."""
    bad = {name: value for name, value in parts.items() if not math.isfinite(value)}
    if bad:
        named = ", ".join(f"{name} = {value}" for name, value in bad.items())
        raise FloatingPointError(
            f"Training diverged at step {step}: {named} at learning rate {learning_rate:g}. Lower the learning rate "
            "(10 times is a good first try), or look for NaN in the images and boxes."
        )
