"""The eighth notebook's exercises: a value between cells, the level of a box, the loss of a mask."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_lib.exercises.record import Exercise
from lecture_lib.pooling import bilinear, choose_levels
from lecture_lib.structures import FeatureMap

NOTEBOOK = "08_stepping_forward"
IN_ONE_CALL = tuple(
    f"torch.{name}"
    for name in ("nn.functional.grid_sample", "nn.functional.interpolate", "grid_sampler", "grid_sampler_2d")
)


def _bilinear_calls() -> tuple:
    values = torch.tensor([[0.0, 4, 8, 2], [8, 12, 0, 6], [4, 0, 4, 10]])
    on_cell = "On a cell all of the weight is that cell's; values[row, column], so x is the second index."
    along_x = "Along x: the left cell counts 1 - (x - left), the right one x - left. The nearer one counts more."
    along_y = "Along y just the same, with the row above and the row below."
    both = "Four cells, each with the product of its two weights; the weights sum to 1. No rounding, no maximum."
    edge = (
        "Beyond the last column or row there is no cell. Its weight is 0: do not read it, or read the last one again."
    )
    points = (
        (0.0, 0.0, on_cell),
        (2.0, 1.0, on_cell),
        (1.0, 0.0, on_cell),
        (0.25, 0.0, along_x),
        (1.75, 1.0, along_x),
        (0.0, 0.75, along_y),
        (0.5, 0.5, both),
        (1.25, 0.75, both),
        (2.1, 1.6, both),
        (3.0, 0.5, edge),
        (1.5, 2.0, edge),
        (3.0, 2.0, edge),
    )
    return (*(((values, x, y), hint) for x, y, hint in points), ((values[1:2, 1:2], 0.0, 0.0), edge))


def _bilinear(values: Tensor, x: float, y: float) -> Tensor:
    return bilinear(values[None], torch.tensor([x, y], dtype=values.dtype))[0]


def _level_calls() -> tuple:
    middle = "A box of side x side pixels is on level 1: k = 1 + log2(sqrt(width height) / side), rounded down."
    down = "Round down (torch.floor), not to the nearest: a box stays on its level until it is twice as large."
    area = "What counts is the square root of the area, not the longer side."
    ends = "There are only levels 0 to levels - 1: smaller boxes take the finest, larger ones the coarsest."
    flat = "A box without area has no logarithm (it is -inf); it takes the finest level."
    lists = (
        ([(112.0, 112.0)], 112.0, 4, middle),
        ([(112.0, 112.0), (224.0, 224.0)], 112.0, 4, middle),
        ([(60.0, 60.0), (210.0, 210.0)], 112.0, 4, down),
        ([(60.0, 60.0), (60.0, 60.0)], 64.0, 4, down),
        ([(448.0, 28.0)], 112.0, 4, area),
        ([(50.0, 800.0), (100.0, 100.0)], 64.0, 4, area),
        ([(10.0, 10.0), (900.0, 900.0)], 112.0, 3, ends),
        ([(0.0, 40.0), (224.0, 224.0)], 112.0, 3, flat),
        ([], 112.0, 3, "No box has no level: an empty tensor of whole numbers."),
    )
    return tuple(((_placed(sizes), side, levels), hint) for sizes, side, levels, hint in lists)


def _placed(sizes: list[tuple[float, float]]) -> Tensor:
    """Boxes of these widths and heights, somewhere in the image."""
    size = torch.tensor(sizes).reshape(-1, 2)
    corner = torch.tensor([[8.0, 16.0]]).expand(len(sizes), 2)
    return torch.cat([corner, corner + size], dim=1)


def _levels(boxes: Tensor, side: float, levels: int) -> Tensor:
    """By the library: its finest cells are one pixel, and `side` cells of level 1 are twice as many of level 0."""
    maps = tuple(FeatureMap(torch.zeros(1, 1, 1), (2.0**k, 2.0**k), (1, 1)) for k in range(levels))
    return choose_levels(maps, boxes, side / 2)


def _mask_loss_calls() -> tuple:
    pixel = (
        "The own mask is logits[r, label - 1]: class 1 is the first. Each pixel costs -log(sigmoid(z)) where the goal "
        "is 1, and -log(1 - sigmoid(z)) where it is 0; a region costs their mean."
    )
    own = "Only the mask of the region's own class counts: logits[r, label - 1], for class 1 is the first."
    compete = "No softmax over the classes: what the masks of other classes say must not matter."
    average = "The mean over the pixels of a region, the sum over regions."
    sure = (
        "sigmoid(-200) is 0 and its logarithm -inf, where torch.nn.functional.logsigmoid(-200) is -200; "
        "and 1 - sigmoid(z) is sigmoid(-z)."
    )
    none = "No region costs nothing: 0, not the mean of nothing."
    lists = (
        (1, 1, 2, [1], 1.0, pixel),
        (1, 1, 3, [1], 1.0, pixel),
        (1, 3, 2, [1], 1.0, compete),
        (1, 3, 2, [3], 1.0, own),
        (1, 4, 3, [2], 1.0, own),
        (3, 2, 3, [1, 2, 1], 1.0, average),
        (4, 3, 2, [3, 1, 2, 2], 1.0, average),
        (1, 1, 3, [1], 50.0, sure),
        (0, 3, 2, [], 1.0, none),
    )
    calls = []
    for number, (regions, classes, size, labels, scale, hint) in enumerate(lists):
        generator = torch.Generator().manual_seed(number)
        logits = scale * (4 * torch.randn(regions, classes, size, size, generator=generator)).round() / 4
        goals = (torch.rand(regions, size, size, generator=generator) > 0.5).float()
        calls.append(((logits, torch.tensor(labels, dtype=torch.long), goals), hint))
    return tuple(calls)


def _mask_loss(logits: Tensor, labels: Tensor, goals: Tensor) -> Tensor:
    """`masks.mask_loss` for masks of any size: 28 x 28 numbers could not be read in a message."""
    own = logits[torch.arange(len(labels)), labels - 1]
    return F.binary_cross_entropy_with_logits(own, goals, reduction="none").mean(dim=(1, 2)).sum()


EXERCISES = (
    Exercise("bilinear", NOTEBOOK, "between", 3, _bilinear_calls(), _bilinear, forbidden=IN_ONE_CALL),
    Exercise("pyramid_level", NOTEBOOK, "levels_of", 2, _level_calls(), _levels),
    Exercise("mask_loss", NOTEBOOK, "loss_of_masks", 3, _mask_loss_calls(), _mask_loss),
)
