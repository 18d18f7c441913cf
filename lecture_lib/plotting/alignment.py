"""Figures of the eighth notebook: where RoIPool and RoIAlign look, and what they give while a box moves."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.sppnet import shade
from lecture_lib.plotting.style import BLUE, INK, MUTED, ORANGE, PAPER, PROPOSAL, as_text
from lecture_lib.pooling import align_points, bins, roi_align, roi_pool, rounded_windows
from lecture_lib.structures import FeatureMap

POOLS = {"RoIPool": (roi_pool, ORANGE), "RoIAlign": (roi_align, BLUE)}


def wanted_centers(boxes: Float[Tensor, "r 4"], grid: tuple[int, int] = (7, 7)) -> Float[Tensor, "r rows columns 2"]:
    """Where the parts (x, y) of a grid over each box are centred, in the box's own pixels."""
    rows, columns = ((torch.arange(n, device=boxes.device) + 0.5) / n for n in grid)
    x = boxes[:, :1] + columns * (boxes[:, 2:3] - boxes[:, :1])
    y = boxes[:, 1:2] + rows * (boxes[:, 3:] - boxes[:, 1:2])
    return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1)


def pooled_centers(
    feature_map: FeatureMap, boxes: Float[Tensor, "r 4"], grid: tuple[int, int] = (7, 7)
) -> Float[Tensor, "r rows columns 2"]:
    """Where the cells of RoIPool's bins are centred, in pixels; cell i of the map is centred on pixel i S."""
    cells = bins(rounded_windows(boxes, feature_map.stride), *grid).float()
    return (cells[..., :2] + cells[..., 2:] - 1) / 2 * _stride(feature_map)  # half-open: the last cell is not in it


def displacement(
    feature_map: FeatureMap, boxes: Float[Tensor, "r 4"], grid: tuple[int, int] = (7, 7)
) -> dict[str, Float[Tensor, "r rows columns 2"]]:
    """By how many pixels (x, y) each method looks beside every part of the boxes: the quantisation error."""
    wanted = wanted_centers(boxes, grid)
    looked = align_points(boxes, feature_map.stride, grid).mean(-2) * _stride(feature_map)
    return {"RoIPool": pooled_centers(feature_map, boxes, grid) - wanted, "RoIAlign": looked - wanted}


def _stride(feature_map: FeatureMap) -> Tensor:
    """(x, y) pixels a cell."""
    return torch.tensor([feature_map.stride[1], feature_map.stride[0]], device=feature_map.tensor.device)


def show_displacement(
    image: Float[Tensor, "3 h w"], feature_map: FeatureMap, box: Float[Tensor, "4"], grid: tuple[int, int] = (7, 7)
) -> Figure:
    """One box on the picture: from the middle of each part (dot) an arrow to where the method looks for its value."""
    figure, row = plt.subplots(1, 2, figsize=(11, 5.4))
    wanted = wanted_centers(box[None], grid)[0].flatten(0, 1)
    for axes, (name, error) in zip(row, displacement(feature_map, box[None], grid).items(), strict=True):
        moved, color = error[0].flatten(0, 1), POOLS[name][1]
        show_image(0.45 + 0.55 * image, axes=axes)  # lighter, so that the arrows stand out
        _cell_centers(axes, feature_map)
        draw_boxes(axes, box[None], PROPOSAL, width=3.0)
        for (x, y), (dx, dy) in zip(wanted.tolist(), moved.tolist(), strict=True):
            arrow = {"arrowstyle": "-|>", "color": color, "lw": 2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
            if max(abs(dx), abs(dy)) > 0.2:
                axes.annotate("", (x + dx, y + dy), (x, y), arrowprops=arrow)
        axes.scatter(*wanted.T, s=16, color=INK, zorder=3)
        _look_at(axes, box, 1.2 * max(feature_map.stride))
        axes.set_title(
            f"{name}: misses its parts by {moved.norm(dim=1).mean():.1f} pixels on average", color=as_text(color)
        )
    return figure


def _cell_centers(axes: Axes, feature_map: FeatureMap) -> None:
    """A small square on every pixel that a cell is centred on."""
    y, x = (torch.arange(n) * s for n, s in zip(feature_map.tensor.shape[1:], feature_map.stride, strict=True))
    points = torch.cartesian_prod(y, x)
    axes.scatter(points[:, 1], points[:, 0], s=9, marker="s", color=MUTED, lw=0)


def _look_at(axes: Axes, box: Float[Tensor, "4"], margin: float) -> None:
    x1, y1, x2, y2 = box.tolist()
    axes.set(xlim=(x1 - margin, x2 + margin), ylim=(y2 + margin, y1 - margin))


def moved_right(box: Float[Tensor, "4"], shifts: Float[Tensor, " n"]) -> Float[Tensor, "n 4"]:
    """The box, moved to the right by each of the shifts in pixels."""
    return box + shifts[:, None] * box.new_tensor([1.0, 0.0, 1.0, 0.0])


def glide(
    feature_map: FeatureMap, box: Float[Tensor, "4"], shifts: Float[Tensor, " n"], grid: tuple[int, int] = (7, 7)
) -> dict[str, Float[Tensor, "n c rows columns"]]:
    """What both methods pool while the box moves to the right."""
    boxes = moved_right(box, shifts)
    return {name: pool(feature_map.tensor, boxes, feature_map.stride, grid) for name, (pool, _) in POOLS.items()}


def largest_change(pooled: Float[Tensor, "n *c"]) -> float:
    """The largest change of any pooled value from one place of the box to the next."""
    return float((pooled[1:] - pooled[:-1]).abs().max())


def show_glide(
    feature_map: FeatureMap, box: Float[Tensor, "4"], shifts: Float[Tensor, " n"], channel: int, part: tuple[int, int]
) -> Figure:
    """While a box moves: one pooled number, and by how many pixels the method misses its part along x."""
    row, column = part
    pooled, boxes = glide(feature_map, box, shifts), moved_right(box, shifts)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 3.6))
    for name, error in displacement(feature_map, boxes).items():
        color = POOLS[name][1]
        left.plot(shifts, pooled[name][:, channel, row, column], color=color, label=name)
        right.plot(shifts, error[:, row, column, 0], color=color, label=name)
    left.set(xlabel="pixels that the box has moved", title=f"pooled value of one part, channel {channel}")
    right.set(xlabel="pixels that the box has moved", title="pixels that it looks too far to the right")
    left.legend()
    right.axhline(0, color=MUTED, lw=1)
    return figure


def shift_cost(masks: Bool[Tensor, "g h w"], shifts: Sequence[int]) -> dict[int, float]:
    """Mean IoU of masks with themselves moved to the right by some whole pixels."""
    cost = {}
    for shift in shifts:
        moved = torch.zeros_like(masks)
        moved[:, :, shift:] = masks[:, :, : masks.shape[2] - shift]
        together, either = (masks & moved).sum((1, 2)), (masks | moved).sum((1, 2))
        cost[shift] = float((together / either.clamp(min=1)).mean())
    return cost


def show_points(
    feature_map: FeatureMap, box: Float[Tensor, "4"], part: tuple[int, int], grid: tuple[int, int] = (7, 7)
) -> Figure:
    """On the cells of the map: a box's parts with RoIAlign's points, and the orange part closely, with four weights."""
    stride = _stride(feature_map).repeat(2)
    points = align_points(box[None], feature_map.stride, grid)[0]
    x1, y1, x2, y2 = (box / stride).tolist()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2))
    for axes in (left, right):
        axes.imshow((0.35 + 0.65 * shade(feature_map)[0]).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
        for i in range(grid[1] + 1):
            axes.plot([x1 + i * (x2 - x1) / grid[1]] * 2, [y1, y2], color=PROPOSAL, lw=1.4)
        for j in range(grid[0] + 1):
            axes.plot([x1, x2], [y1 + j * (y2 - y1) / grid[0]] * 2, color=PROPOSAL, lw=1.4)
        shown, size = (points.flatten(0, 2), 20) if axes is left else (points[part], 110)
        axes.scatter(*shown.T, s=size, color=BLUE, ec=PAPER, lw=0.6, zorder=3)
        axes.set_axis_off()
    width, height = (x2 - x1) / grid[1], (y2 - y1) / grid[0]
    corner = (x1 + part[1] * width, y1 + part[0] * height)
    left.add_patch(Rectangle(corner, width, height, fill=False, ec=ORANGE, lw=3, zorder=2.5))
    left.set(xlim=(x1 - 1.5, x2 + 1.5), ylim=(y2 + 1.5, y1 - 1.5))
    left.set_title(f"{grid[1]} × {grid[0]} parts, {points.shape[2]} points each, on cells of {stride[0]:.0f} px")
    _show_weights(right, points[part], feature_map)
    return figure


def _show_weights(axes: Axes, points: Float[Tensor, "s 2"], feature_map: FeatureMap) -> None:
    """Around the points of one part: the four cells about the first of them, with the weights that they have."""
    x, y = points[0].tolist()
    total = 0.0
    for j in (int(y), int(y) + 1):
        for i in (int(x), int(x) + 1):
            weight = (1 - abs(x - i)) * (1 - abs(y - j))
            value = float(feature_map.tensor.mean(0)[j, i])
            total += weight * value
            axes.add_patch(Rectangle((i - 0.5, j - 0.5), 1, 1, fill=False, ec=ORANGE, lw=2))
            axes.plot([x, i], [y, j], color=ORANGE, lw=1 + 8 * weight)
            axes.plot(i, j, "s", color=INK, ms=7)
            text = f"{weight:.2f} × {value:.2f}"
            box = {"facecolor": PAPER, "edgecolor": ORANGE, "pad": 2}
            place = (i, j + (0.62 if j > y else -0.62))  # beyond the cell, where none of the points is
            axes.text(*place, text, ha="center", va="center", fontsize=9, weight="bold", color=INK, bbox=box)
    axes.set(xlim=(x - 1.6, x + 2.1), ylim=(y + 1.9, y - 1.8))
    axes.set_title(f"one of the points: {total:.2f}, from the four cells about it")
