"""Figures of the second notebook: what to ask of a picture, where to look for objects, and what looking costs."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.plotting.pictures import class_color, draw_boxes, show_image
from lecture_lib.plotting.style import (
    BLUE,
    CYCLE,
    GRID,
    GROUND_TRUTH,
    ORANGE,
    SKY,
)
from lecture_lib.proposals import SlidingWindow
from lecture_lib.structures import Detections

_UNITS = ((365.25 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"))


def duration(seconds: float) -> str:
    """A time as one says it: "40 ms", "2.5 s", "3.1 minutes", "52 days"."""
    if seconds < 0.0995:  # above it two digits are 0.1 s
        return f"{seconds * 1000:.2g} ms"
    if seconds < 90:
        return f"{seconds:.2g} s"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= 1.5 * size or unit == "minutes")
    return f"{seconds / size:,.0f} {unit}" if seconds >= 10 * size else f"{seconds / size:.2g} {unit}"


def row_of_pictures(images: Sequence[Float[Tensor, "_ _ _"]], width: float = 11.0, below: float = 0.4) -> list[Axes]:
    """Axes of pictures side by side at equal heights, `width` inches together, with `below` inches left under them."""
    shapes = [image.shape[-1] / image.shape[-2] for image in images]
    height = (width - 0.15 * len(images)) / sum(shapes)
    figure = plt.figure(figsize=(width, height + below + 0.35))
    grid = figure.add_gridspec(1, len(images), width_ratios=shapes)
    return [show_image(image, axes=figure.add_subplot(grid[i])) for i, image in enumerate(images)]


def ladder(
    images: Sequence[Float[Tensor, "3 h w"]], boxes: Sequence[Float[Tensor, "_ 4"]], rungs: Sequence[tuple[str, str]]
) -> Figure:
    """Pictures under growing demands: the (assumption, question) of each, and the boxes that answer it."""
    axes = row_of_pictures(images, below=0.5)
    for panel, answer, (assumption, question) in zip(axes, boxes, rungs, strict=True):
        draw_boxes(panel, answer, GROUND_TRUTH, width=3)
        panel.set_title(assumption)
        panel.text(0, -0.05, question, transform=panel.transAxes, va="top", fontsize=11, color=BLUE, weight="bold")
    return axes[0].figure


def answers(
    images: Sequence[Float[Tensor, "3 h w"]], names: Sequence[Sequence[tuple[str, float]]], titles: Sequence[str] = ()
) -> Figure:
    """The middle square of pictures, and under each what a classifier calls it: bars of the most probable names."""
    columns = len(images)
    figure, grid = plt.subplots(2, columns, figsize=(2.4 * columns, 3.5), height_ratios=(2.7, 1), squeeze=False)
    for column, (image, best) in enumerate(zip(images, names, strict=True)):
        show_image(_middle_square(image), titles[column] if column < len(titles) else "", grid[0, column])
        _name_bars(grid[1, column], best)
    return figure


def _middle_square(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[:, top : top + side, left : left + side]


def _name_bars(axes: Axes, best: Sequence[tuple[str, float]]) -> None:
    probabilities = [probability for _, probability in best]
    axes.barh(range(len(best)), [1] * len(best), color=GRID, height=0.82)
    axes.barh(range(len(best)), probabilities, color=SKY, height=0.82)
    for row, (name, probability) in enumerate(best):
        axes.text(0.02, row, name, va="center", fontsize=9, weight="bold")
        axes.text(0.98, row, f"{probability:.0%}", va="center", ha="right", fontsize=9)
    axes.set(xlim=(0, 1), ylim=(len(best) - 0.5, -0.5))
    axes.set_axis_off()


def every_box(image_size: tuple[int, int], columns: int = 9) -> Figure:
    """Every box with whole-pixel corners of a tiny picture of (height, width), one small drawing each."""
    height, width = image_size
    boxes = [
        (x1, y1, x2, y2)
        for y1 in range(height)
        for y2 in range(y1 + 1, height + 1)
        for x1 in range(width)
        for x2 in range(x1 + 1, width + 1)
    ]
    rows = -(-len(boxes) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(columns * 1.1, rows * (1.1 * height / width + 0.12)))
    for index, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if index < len(boxes):
            _tiny_box(axes, image_size, boxes[index])
    return figure


def _tiny_box(axes: Axes, image_size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    height, width = image_size
    for y in range(height):
        for x in range(width):
            axes.add_patch(Rectangle((x, y), 1, 1, fc=GRID, ec="white", lw=1.5))
    x1, y1, x2, y2 = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fc=SKY, ec=BLUE, lw=2, alpha=0.75))
    axes.set(xlim=(-0.1, width + 0.1), ylim=(height + 0.1, -0.1), aspect="equal")


def window_shapes(image: Float[Tensor, "3 h w"], window: SlidingWindow) -> Figure:
    """Left the shapes of a sliding window, a colour for each size; right the centres of all windows of one shape."""
    left, right = row_of_pictures([image, image], width=9.0)
    height, width = image.shape[1:]
    left.set_title(f"{len(window.shapes)} shapes: {len(window.sizes)} sizes × {len(window.aspects)} aspects")
    for index, (h, w) in enumerate(window.shapes):
        box = torch.tensor([[(width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2]])
        draw_boxes(left, box, CYCLE[index // len(window.aspects)], width=2.5)
    h, w = window.shapes[len(window.shapes) // 2]
    tops, lefts = range(0, height - h + 1, window.stride), range(0, width - w + 1, window.stride)
    centres = [(x + w / 2, y + h / 2) for y in tops for x in lefts]
    right.scatter(*zip(*centres, strict=True), s=16, color=ORANGE, edgecolor="white", linewidth=0.6)
    draw_boxes(right, torch.tensor([[0.0, 0.0, w, h]]), ORANGE, width=2.5)
    right.set(xlim=(0, width), ylim=(height, 0))  # dots and box must not push the picture aside
    right.set_title(f"one of them: {len(tops)} × {len(lefts)} = {len(centres)} places")
    return left.figure


def cost_ladder(rows: Sequence[tuple[str, int, float]]) -> Figure:
    """Bars of (name, number of boxes, seconds) on a scale where each line is a thousand times the one before."""
    figure, axes = plt.subplots(figsize=(9.5, 0.62 * len(rows) + 0.9))
    shortest, longest = min(seconds for _, _, seconds in rows), max(seconds for _, _, seconds in rows)
    for row, (_, _, seconds) in enumerate(rows):
        last = row == len(rows) - 1
        axes.barh(row, seconds, left=0, color=BLUE if last else SKY, height=0.62)
        axes.text(seconds * 1.5, row, duration(seconds), va="center", weight="bold", fontsize=13)
    names = [f"{name}\n{boxes:,} boxes" for name, boxes, _ in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=10.5)
    axes.set(xscale="log", xlim=(shortest / 5, longest * 60), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xticks([10.0**power for power in range(-3, 12, 3) if shortest / 5 <= 10.0**power <= longest * 60])
    axes.xaxis.set_major_formatter(lambda seconds, _: duration(seconds))
    axes.set_xlabel("time to classify them all")
    axes.minorticks_off()
    axes.grid(axis="y", visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure


def heat(boxes: Float[Tensor, "r 4"], scores: Float[Tensor, " r"], image_size: tuple[int, int]) -> Float[Tensor, "h w"]:
    """For every pixel the mean score of the boxes that cover it (0 where none does)."""
    total, count = torch.zeros(image_size), torch.zeros(image_size)
    for (x1, y1, x2, y2), score in zip(boxes.round().int().tolist(), scores.tolist(), strict=True):
        total[y1:y2, x1:x2] += score
        count[y1:y2, x1:x2] += 1
    return total / count.clamp(min=1)


def show_heat(image: Float[Tensor, "3 h w"], values: Float[Tensor, "h w"], title: str, axes: Axes) -> Axes:
    """A map of values glowing over the darkened grey picture: bright where they are high, nothing where they are 0."""
    show_image(image.mean(0, keepdim=True).expand(3, -1, -1) * 0.55, title, axes)
    height, width = values.shape
    share = (values / values.max().clamp(min=1e-6)).numpy()
    axes.imshow(share, cmap="hot", alpha=0.75 * share, extent=(0, width, height, 0), vmin=0, vmax=1.2)
    return axes


def show_found(image: Float[Tensor, "3 h w"], found: Detections, classes: Sequence[str], axes: Axes) -> Axes:
    """Every detection in the colour of its class; only the surest of a class is named, so that no captions collide."""
    labels = found.labels.tolist()
    order = found.scores.argsort(stable=True).tolist()  # the surest is drawn last, on top
    show_image(image, axes=axes)
    surest = {labels[row]: row for row in order}
    for row in order:
        caption = [f"{classes[labels[row] - 1]} {found.scores[row]:.2f}"] if surest[labels[row]] == row else []
        draw_boxes(axes, found.boxes[row : row + 1], class_color(labels[row]), caption, width=2.4 if caption else 1.2)
    return axes
