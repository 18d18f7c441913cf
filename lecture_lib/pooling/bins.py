"""From a box on the image to cells of a feature map, and from a window of cells to bins: the papers' rounding, slowly.

Cell i of a map stands for the pixels around i S, where S is the stride: trunks are padded so that it is (`encoders`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.structures import check_boxes


def covered_windows(
    boxes: Float[Tensor, "r 4"], stride: tuple[float, float], map_size: tuple[int, int]
) -> Int[Tensor, "r 4"]:
    """SPPnet's windows: the cells of a map of (rows, columns) whose centres lie inside the box.

    left, top = floor(x / S) + 1        right, bottom = ceil(x / S) - 1        (SPPnet, appendix A)

    Both ends belong to the window. A box between the centres has none and gets the cell nearest to its own centre;
    windows end at the map's border. Raises `ValueError` for boxes that are no boxes.
    """
    check_boxes(boxes)
    scaled = boxes / _scale(boxes, stride)
    first, last = scaled[:, :2].floor().long() + 1, scaled[:, 2:].ceil().long() - 1
    nearest = _round((scaled[:, :2] + scaled[:, 2:]) / 2)
    empty = last < first  # column by column, row by row: a thin box may miss the centres in one direction only
    limit = torch.tensor([map_size[1] - 1, map_size[0] - 1], device=boxes.device)
    ends = [torch.where(empty, nearest, end).clamp(min=0).minimum(limit) for end in (first, last)]
    return torch.cat(ends, dim=1)


def rounded_windows(boxes: Float[Tensor, "r 4"], stride: tuple[float, float]) -> Int[Tensor, "r 4"]:
    """Fast R-CNN's windows: both corners x / S rounded to the nearest cell, halves away from zero (the release).

    Both ends belong to the window, which is at least one cell; it may leave the map, whose cells end at its border.
    Raises `ValueError` for boxes that are no boxes.
    """
    check_boxes(boxes)
    return _round(boxes / _scale(boxes, stride))


def bins(windows: Int[Tensor, "r 4"], rows: int, columns: int) -> Int[Tensor, "r rows columns 4"]:
    """Divide every window into a grid of bins (x1, y1, x2, y2), the last two not included.

    Bin i of n covers the cells from floor(i w / n) to before ceil((i + 1) w / n) of a window of w cells (SPPnet,
    appendix A): neighbours share a cell where w is no multiple of n, and repeat cells where w < n.
    """
    x1, x2 = _divide(windows[:, 0], windows[:, 2], columns)  # [R, columns]
    y1, y2 = _divide(windows[:, 1], windows[:, 3], rows)  # [R, rows]
    corners = (x1[:, None, :], y1[:, :, None], x2[:, None, :], y2[:, :, None])
    return torch.stack(torch.broadcast_tensors(*corners), dim=-1)


def pool_bins(
    features: Float[Tensor, "c h w"], cells: Int[Tensor, "r rows columns 4"]
) -> Float[Tensor, "r c rows columns"]:
    """The greatest value of every channel in every bin, one bin after the other; 0 for a bin beyond the border.

    To be read and to be drawn; `roi_pool` and `spatial_pyramid_pool` give the same a thousand times faster.
    """
    height, width = features.shape[1:]
    pooled = features.new_zeros(*cells.shape[:3], len(features))
    limit = cells.new_tensor([width, height, width, height])
    for place in torch.cartesian_prod(*(torch.arange(n) for n in cells.shape[:3])):
        r, row, column = place.tolist()
        x1, y1, x2, y2 = cells[r, row, column].clamp(min=0).minimum(limit).tolist()
        if x1 < x2 and y1 < y2:
            pooled[r, row, column] = features[:, y1:y2, x1:x2].amax(dim=(1, 2))
    return pooled.permute(0, 3, 1, 2)


def _scale(boxes: Tensor, stride: tuple[float, float]) -> Tensor:
    """The stride in the order of a box's columns: (x, y, x, y)."""
    return boxes.new_tensor([stride[1], stride[0]] * 2)


def _round(x: Tensor) -> Tensor:
    """Round to the nearest integer, halves away from zero as in C; torch.round sends them to the even one."""
    whole = x.abs().floor()  # x + 0.5 would itself be rounded: up to 1 for the number just below 0.5
    return (x.sign() * (whole + (x.abs() - whole >= 0.5))).long()


def _divide(first: Tensor, last: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Start and end of n bins of the cells from first to last, both included: two [R, n]."""
    i = torch.arange(n, device=first.device)
    cells = (last - first + 1)[:, None]
    return first[:, None] + i * cells // n, first[:, None] - (-(i + 1) * cells // n)  # -(-a // n) = ceil(a / n)
