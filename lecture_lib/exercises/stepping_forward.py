"""Checks of the eighth notebook's exercises: a value between cells, the level of a box, the loss of a mask."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_lib.exercises.cases import Case, check
from lecture_lib.pooling import bilinear, choose_levels
from lecture_lib.structures import FeatureMap


def check_between(function: Callable[[Tensor, float, float], Tensor]) -> str:
    """Judge `function(values, x, y)`: the bilinear value of a map [h, w] at column x and row y, one number.

    The point lies inside the map: 0 <= x < w - 1 and 0 <= y < h - 1.
    """
    values = torch.tensor([[0.0, 4, 8, 2], [8, 12, 0, 6], [4, 0, 4, 10]])
    on_cell = "On a cell all of the weight is that cell's; values[row, column], so x is the second index."
    along_x = "Along x: the left cell counts 1 - (x - left), the right one x - left. The nearer one counts more."
    along_y = "Along y just the same, with the row above and the row below."
    both = "Four cells, each with the product of its two weights; the weights sum to 1. No rounding, no maximum."
    calls = (
        (0.0, 0.0, on_cell),
        (2.0, 1.0, on_cell),
        (1.0, 0.0, on_cell),
        (0.25, 0.0, along_x),
        (1.75, 1.0, along_x),
        (0.0, 0.75, along_y),
        (0.5, 0.5, both),
        (1.25, 0.75, both),
        (2.1, 1.6, both),
    )
    cases = [Case((values, x, y), bilinear(values[None], torch.tensor([x, y]))[0], hint) for x, y, hint in calls]
    return check(function, cases)


def check_level(function: Callable[[float, float, float, int], int]) -> str:
    """Judge `function(width, height, side, levels)`: the level of a box in pixels, 0 the finest, a whole number.

    side: a square of that many pixels is the smallest that belongs on level 1; each level's cells are twice as large.
    """
    middle = "A box of side x side pixels is on level 1: k = 1 + log2(sqrt(width height) / side), rounded down."
    down = "Round down (math.floor), not to the nearest: a box stays on its level until it is twice as large."
    area = "What counts is the square root of the area, not the longer side."
    ends = "There are only levels 0 to levels - 1: smaller boxes take the finest, larger ones the coarsest."
    none = "A box without area has no logarithm; it takes the finest level."
    calls = (
        (112.0, 112.0, 112.0, 4, middle),
        (224.0, 224.0, 112.0, 4, middle),
        (60.0, 60.0, 112.0, 4, down),
        (210.0, 210.0, 112.0, 4, down),
        (448.0, 28.0, 112.0, 4, area),
        (50.0, 800.0, 64.0, 4, area),
        (10.0, 10.0, 112.0, 3, ends),
        (900.0, 900.0, 112.0, 3, ends),
        (0.0, 40.0, 112.0, 3, none),
    )
    cases = [Case((w, h, side, n), _level(w, h, side, n), hint) for w, h, side, n, hint in calls]
    return check(function, cases)


def _level(width: float, height: float, side: float, levels: int) -> int:
    """By the library: its finest cells are one pixel, and `side` cells of level 1 are twice as many of level 0."""
    maps = tuple(FeatureMap(torch.zeros(1, 1, 1), (2.0**k, 2.0**k), (1, 1)) for k in range(levels))
    return int(choose_levels(maps, torch.tensor([[0.0, 0, width, height]]), side / 2))


def check_mask_loss(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Judge `function(logits, labels, goals)`: the mask loss of some regions, one number.

    logits [R, K, m, m], labels [R] of 1 to K, goals [R, m, m] of 0 and 1.
    """
    pixel = "Each pixel costs -log(sigmoid(z)) where the goal is 1, and -log(1 - sigmoid(z)) where it is 0."
    own = "Only the mask of the region's own class counts: logits[r, label - 1], for class 1 is the first."
    compete = "No softmax over the classes: what the masks of other classes say must not matter."
    average = "The mean over the pixels of a region, the sum over regions."
    calls = ((1, 1, 2, [1], pixel), (1, 1, 3, [1], pixel), (1, 3, 2, [1], compete), (1, 3, 2, [3], own))
    calls += (
        (1, 4, 3, [2], own),
        (3, 2, 3, [1, 2, 1], average),
        (4, 3, 2, [3, 1, 2, 2], average),
        (0, 3, 2, [], average),
    )
    cases = []
    for number, (regions, classes, size, labels, hint) in enumerate(calls):
        generator = torch.Generator().manual_seed(number)
        logits = (4 * torch.randn(regions, classes, size, size, generator=generator)).round() / 4
        goals = (torch.rand(regions, size, size, generator=generator) > 0.5).float()
        arguments = (logits, torch.tensor(labels, dtype=torch.long), goals)
        cases.append(Case(arguments, _loss(*arguments), hint))
    return check(function, cases)


def _loss(logits: Tensor, labels: Tensor, goals: Tensor) -> Tensor:
    """`masks.mask_loss` for masks of any size: 28 x 28 numbers could not be read in a message."""
    own = logits[torch.arange(len(labels)), labels - 1]
    return F.binary_cross_entropy_with_logits(own, goals, reduction="none").mean(dim=(1, 2)).sum()
