"""Checks of the fifth notebook's exercises: smooth L1 and its gradient, the multi-task loss, a truncated layer."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_lib.exercises.cases import Case, check
from lecture_lib.heads import truncated_svd
from lecture_lib.training.joint import multi_task_loss


def check_smooth_l1(function: Callable[[Tensor], tuple[Tensor, Tensor]]) -> str:
    """Judge `function(x)`: the smooth L1 of every number in x [n] and its gradient, as a pair of [n]."""
    at_zero = "No error: the loss is 0, and so is its gradient."
    inside = "Where |x| < 1 the loss is a parabola, half of x squared; its gradient is x."
    outside = "Where |x| >= 1 the loss is |x| - 0.5, not |x|: the two parts meet at 1. The gradient stays 1 there."
    sign = "Where |x| >= 1 the gradient is 1 or -1, the sign of x, however large the error."
    joint = "At |x| = 1 both parts are 0.5, and both slopes are 1: nothing jumps."
    calls = (
        ([0.0], at_zero),
        ([0.5, 0.1], inside),
        ([3.0, 100.0], outside),
        ([-0.5], inside),
        ([-2.0], sign),
        ([1.0, -1.0], joint),
        ([0.3, -4.0, 1.5, 0.0], "Every number by itself: use torch.where, not an if over the whole tensor."),
        ([], "No number gives no loss: two empty tensors."),
    )

    def stacked(x: Tensor) -> Any:
        answer = function(x)
        return answer if answer is None or answer is ... else torch.stack([*answer])

    stacked.__name__ = function.__name__
    cases = [Case((torch.tensor(x),), _smooth_l1(torch.tensor(x)), hint) for x, hint in calls]
    return check(stacked, cases)


def _smooth_l1(x: Tensor) -> Tensor:
    """Loss and gradient, [2, n]."""
    x = x.requires_grad_()
    loss = F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=1.0)
    return torch.stack([loss, torch.autograd.grad(loss.sum(), x)[0]]).detach()


def check_multi_task(function: Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Judge `function(logits, deltas, labels, targets, box_weight)`: the loss of all regions together, one number.

    logits [R, K + 1], deltas [R, K, 4], labels [R] with 0 for background, targets [R, 4].
    """
    alone = "Background has no box: its region costs -log p_0 and nothing else, whatever its deltas and targets are."
    own = "Only the deltas of the region's own class u count: row u - 1 of the K rows, for class 1 is the first."
    terms = "Sum over the four numbers and over the regions; do not take means."
    weighed = "lambda weighs the second term alone."
    shape = (
        "-log p_u is minus the log-softmax of the logits at column u (torch.log_softmax); column 0 is the background."
    )
    calls = (
        (1, [0], 0.0, shape),
        (1, [2], 0.0, shape),
        (1, [0], 1.0, alone),
        (1, [1], 1.0, own),
        (1, [3], 1.0, own),
        (4, [0, 2, 3, 0], 1.0, terms),
        (4, [1, 2, 0, 3], 0.5, weighed),
        (5, [0, 0, 0, 0, 0], 2.0, alone),
    )
    cases = []
    for number, (regions, labels, weight, hint) in enumerate(calls):
        arguments = _regions(regions, labels, number)
        expected = sum(multi_task_loss(*arguments, weight).values())
        cases.append(Case((*arguments, weight), expected, hint))
    return check(function, cases)


def _regions(count: int, labels: list[int], seed: int, classes: int = 3) -> tuple[Tensor, ...]:
    """Logits, deltas, labels and targets of some regions; round numbers, which can be read where one is wrong."""
    generator = torch.Generator().manual_seed(seed)
    logits, deltas, targets = (
        (4 * torch.randn(*shape, generator=generator)).round() / 4
        for shape in ((count, classes + 1), (count, classes, 4), (count, 4))
    )
    return logits, 2 * deltas, torch.tensor(labels), targets


def check_truncated(function: Callable[[Tensor, int], tuple[Tensor, Tensor, int]]) -> str:
    """Judge `function(weight, rank)`: weights of two layers that replace one, and how many numbers they hold.

    weight [u, v] -> first [rank, v], second [u, rank], count. Any pair whose product is the best approximation is
    right: the singular values may go to either of them, or half to each.
    """
    for u, v, rank in ((3, 3, 3), (6, 4, 2), (4, 9, 1), (5, 8, 3)):
        weight = torch.randn(u, v, generator=torch.Generator().manual_seed(u * v)).mul(4).round() / 4
        call = f"{function.__name__}(weight of {u} x {v}, {rank})"
        try:
            answer = function(weight.clone(), rank)
            if answer is None or answer is ...:
                return f"Not solved yet: {call} returned nothing. Replace the `...`."
            first, second, count = answer
            problem = _truncation_problem(weight, rank, first, second, count)
        except Exception as error:
            return f"Not yet: {call} raised {type(error).__name__}: {error}"
        if problem:
            return f"Not yet: {call}: {problem}"
    return f"Right: {function.__name__} passes 4 cases."


def _truncation_problem(weight: Tensor, rank: int, first: Tensor, second: Tensor, count: int) -> str:
    """What is wrong with an answer, or nothing."""
    (u, v) = weight.shape
    if (tuple(first.shape), tuple(second.shape)) != ((rank, v), (u, rank)):
        got = f"{list(first.shape)} and {list(second.shape)}"
        return f"the weights should be [{rank}, {v}] and [{u}, {rank}], got {got}. Keep the first {rank} columns of U."
    layer = nn.Linear(v, u)
    with torch.no_grad():
        layer.weight.copy_(weight)
    thin = truncated_svd(layer, rank)
    if not torch.allclose(second @ first, (thin[1].weight @ thin[0].weight).detach(), atol=1e-4):
        return (
            "second @ first is not the best approximation of that rank. Multiply the singular values in once, and "
            "note that torch.linalg.svd returns V transposed already."
        )
    if count != thin[0].weight.numel() + thin[1].weight.numel():
        return f"two layers hold rank × (u + v) = {rank * (u + v)} weights instead of u × v = {u * v}, got {count}"
    return ""
