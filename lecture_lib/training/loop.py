"""The training loop of the whole course: a generator of one record a step, for a progress bar, a plot or a test."""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import torch
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
    *,
    done: int = 0,
    parts: Callable[[Batch], Iterable[Batch]] | None = None,
) -> Iterator[Step]:
    """Take one optimiser step per batch on the sum of the losses; nothing happens until the generator is iterated.

    done: steps that an earlier run took; their batches are skipped.
    parts: cuts a batch into smaller ones whose losses add up to the batch's, so that memory holds a part at a time.

    The caller puts the network into train mode and keeps it: it may stop early, evaluate between steps, or draw.
    Raises FloatingPointError as soon as the loss is not finite, before the weights are spoilt.
    """
    for number, batch in enumerate(islice(batches, done, None), start=done + 1):
        start = time.perf_counter()
        learning_rate = optimizer.param_groups[-1]["lr"]
        optimizer.zero_grad(set_to_none=True)
        losses = Counter()
        for part in parts(batch) if parts else [batch]:
            terms = compute_losses(part)
            losses.update(dict(zip(terms, torch.stack([t.detach() for t in terms.values()]).tolist(), strict=True)))
            _check_finite(losses, number, learning_rate)
            sum(terms.values()).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        yield Step(number, len(batches), sum(losses.values()), dict(losses), learning_rate, time.perf_counter() - start)


def _check_finite(parts: dict[str, float], step: int, learning_rate: float) -> None:
    """Raise FloatingPointError that names the losses that are NaN or infinite."""
    bad = {name: value for name, value in parts.items() if not math.isfinite(value)}
    if bad:
        named = ", ".join(f"{name} = {value}" for name, value in bad.items())
        raise FloatingPointError(
            f"Training diverged at step {step}: {named} at learning rate {learning_rate:g}. Lower the learning rate "
            "(10 times is a good first try), or look for NaN in the images and boxes."
        )
