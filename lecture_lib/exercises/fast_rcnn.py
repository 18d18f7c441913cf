"""The fifth notebook's exercises: smooth L1 and its gradient, the multi-task loss, a truncated layer, RoI pooling."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_lib.exercises.differences import difference
from lecture_lib.exercises.record import Exercise
from lecture_lib.exercises.sppnet import ADAPTIVE
from lecture_lib.pooling import bins, pool_bins, rounded_windows
from lecture_lib.training.joint import multi_task_loss

NOTEBOOK = "05_fast_rcnn"
SMOOTH = tuple(f"torch.nn.{name}" for name in ("functional.smooth_l1_loss", "functional.huber_loss"))
SMOOTH += ("torch.nn.SmoothL1Loss", "torch.nn.HuberLoss")


def _smooth_calls() -> tuple:
    at_zero = "No error: the loss is 0, and so is its gradient."
    inside = "Where |x| < 1 the loss is a parabola, half of x squared; its gradient is x."
    outside = "Where |x| >= 1 the loss is |x| - 0.5, not |x|: the two parts meet at 1. The gradient stays 1 there."
    sign = "Where |x| >= 1 the gradient is 1 or -1, the sign of x, however large the error."
    joint = "At |x| = 1 both parts are 0.5, and both slopes are 1: nothing jumps."
    calls = (
        ([0.0], at_zero),
        ([0.5], inside),
        ([3.0], outside),
        ([-0.5], inside),
        ([-2.0], sign),
        ([1.0, -1.0], joint),
        ([0.3, -4.0, 1.5, 0.0], "Every number by itself: use torch.where, not an if over the whole tensor."),
        ([], "No number gives no loss: two empty tensors."),
    )
    return tuple(((torch.tensor(x),), hint) for x, hint in calls)


def _smooth(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.requires_grad_()
    loss = F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=1.0)
    return loss.detach(), torch.autograd.grad(loss.sum(), x)[0]


def _loss_calls() -> tuple:
    alone = "Background has no box: its region costs -log p_0 and nothing else, whatever its deltas and targets are."
    own = "An object's second term takes the deltas of its own class u alone: row u - 1 of K, for class 1 is the first."
    terms = "Sum over the four numbers and over the regions; do not take means."
    shape = (
        "-log p_u is minus the log-softmax of the logits at column u (torch.log_softmax); column 0 is the background."
    )
    sure = "A probability may be so small that its log is infinite: use torch.log_softmax, not the log of the softmax."
    calls = (
        ([0], 0.0, shape),
        ([2], 0.0, shape),
        ([0], 1.0, alone),
        ([1], 1.0, own),
        ([3], 1.0, own),
        ([0, 2, 3, 0], 1.0, terms),
        ([1, 2, 0, 3], 0.5, "lambda weighs the second term alone."),
        ([0, 0, 0, 0, 0], 2.0, alone),
        ([], 1.0, "No region costs nothing: 0."),
    )
    made = [((*_regions(labels, seed), weight), hint) for seed, (labels, weight, hint) in enumerate(calls)]
    _, *rest = _regions([1, 0], 9)
    return (*made, ((torch.tensor([[300.0, 0, 0, 0], [0, 0, 300, 0]]), *rest, 1.0), sure))


def _regions(labels: list[int], seed: int) -> tuple[Tensor, ...]:
    """Logits, deltas, labels and targets of regions of 3 classes; round numbers, to be read where one is wrong."""
    generator, count = torch.Generator().manual_seed(seed), len(labels)
    logits, deltas, targets = (
        (4 * torch.randn(*shape, generator=generator)).round() / 4 for shape in ((count, 4), (count, 3, 4), (count, 4))
    )
    return logits, 2 * deltas, torch.tensor(labels, dtype=torch.long), targets


def _loss(logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor, box_weight: float) -> Tensor:
    return sum(multi_task_loss(logits, deltas, labels, targets, box_weight).values())


def _truncated_calls() -> tuple:
    generator = torch.Generator().manual_seed(3)
    wide, tall = ((4 * torch.randn(size, generator=generator)).round() / 4 for size in ((3, 5), (4, 2)))
    calls = (
        (torch.tensor([[3.0, 0], [0, 1]]), 1, "Of rank 1, nothing is nearer than [[3, 0], [0, 0]]."),
        (torch.tensor([[1.0, 0, 0], [0, 0, 4]]), 1, "Of rank 1, nothing is nearer than [[0, 0, 0], [0, 0, 4]]."),
        (torch.tensor([[1.0, 2], [2, 4], [0, 0]]), 1, "This weight has rank 1: nothing is lost."),
        (wide, 2, "This weight is wide: u = 3, v = 5."),
        (tall, 1, "This weight is tall: u = 4, v = 2."),
        (wide, 3, "At the full rank `second @ first` is the weight itself; there are more numbers than before."),
    )
    return tuple(((weight, rank), hint) for weight, rank, hint in calls)


def _least_error(weight: Tensor, rank: int) -> float:
    """The distance of a weight from the nearest one of that rank (Eckart and Young)."""
    return float(torch.linalg.svdvals(weight.double())[rank:].norm())


def _truncated_problem(arguments: tuple, got: Any, least: float) -> str | None:
    """Any pair is right whose product is as near as can be: the singular values may go to either, or half to each."""
    weight, rank = arguments[0].double(), arguments[1]
    u, v = weight.shape
    try:
        first, second, count = got
        first, second = (torch.as_tensor(layer).detach().double() for layer in (first, second))
    except (TypeError, ValueError, RuntimeError):
        return "not three things: the weights of two layers, and how many numbers they hold"
    if first.shape != (rank, v) or second.shape != (u, rank):
        return (
            "other shapes than [rank, v] and [u, rank]: keep the first columns of U, and the first rows of V transposed"
        )
    if not (weight - second @ first).norm() <= least + 1e-4 * weight.norm():
        return "not the best approximation of that rank: multiply the largest values in, once; V is transposed already"
    if difference(count, rank * (u + v)):
        return "another number of weights than both layers hold, rank × (u + v)"
    return None


def _roi_calls() -> tuple:
    both = "A bin gives its greatest value. Both corners' cells belong to the window: it is x2 - x1 + 1 cells wide."
    most = "A bin gives its greatest value, for each channel by itself, also where all are below 0."
    near = "Divide by the stride, then take the nearest cell: not the one below, and not SPPnet's cells inside the box."
    half = "Halves are rounded up: torch.floor(x + 0.5). torch.round takes them to the even number."
    shape = "x and columns go with the width of the map, y and rows with its height."
    share = "Bin i of n covers the cells from floor(i * size / n) to before ceil((i + 1) * size / n) of the window."
    few = "With fewer cells than bins, cells are used again."
    edge = "The window is divided as it is, though it leaves the map; a bin that has no cell of the map is 0."
    counted, generator = torch.arange(36.0).reshape(1, 6, 6), torch.Generator().manual_seed(5)
    signed = torch.randint(-9, 9, (2, 3, 4), generator=generator).float()
    calls = (
        (counted[:, :4, :4], [0.0, 0, 3, 3], 1.0, 2, both),
        (signed - 9, [0.0, 0, 3, 2], 1.0, 1, most),
        (counted, [20.0, 9, 70, 60], 16.0, 2, near),
        (counted, [0.0, 0, 20, 4], 4.0, 2, shape),
        (counted, [8.0, 24, 56, 72], 16.0, 2, half),
        (counted, [0.0, 0, 32, 40], 8.0, 3, share),
        (counted, [6.0, 6, 12, 6], 6.0, 3, few),
        (counted[:, :4, :4] - 40, [32.0, 0, 64, 48], 16.0, 2, edge),
        (counted[:, :4, :4] - 40, [32.0, 0, 64, 48], 16.0, 3, edge),
        (signed, [0.0, 0, 2, 1, 1, 1, 3, 2], 1.0, 2, "Row r of the result [R, C, n, n] belongs to box r."),
        (signed, [], 16.0, 2, "No box gives a result of shape [0, C, n, n]."),
    )
    return tuple(((f, torch.tensor(b).reshape(-1, 4), stride, n), hint) for f, b, stride, n, hint in calls)


def _roi_pool(features: Tensor, boxes: Tensor, stride: float, n: int) -> Tensor:
    return pool_bins(features, bins(rounded_windows(boxes, (stride, stride)), n, n))


EXERCISES = (
    Exercise("smooth_l1", NOTEBOOK, "smooth_l1", 2, _smooth_calls(), _smooth, forbidden=SMOOTH),
    Exercise("multi_task_loss", NOTEBOOK, "loss_of_regions", 3, _loss_calls(), _loss, needs=("smooth_l1",)),
    Exercise("truncated_svd", NOTEBOOK, "cut_to_rank", 2, _truncated_calls(), _least_error, _truncated_problem),
    Exercise("roi_pool", NOTEBOOK, "pooled_of", 3, _roi_calls(), _roi_pool, forbidden=ADAPTIVE),
)
