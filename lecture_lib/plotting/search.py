"""Figures of the second notebook: where to look for objects, what looking costs, and what is found."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.style import (
    BLUE,
    CYCLE,
    DETECTION,
    GRID,
    GROUND_TRUTH,
    INK,
    MUTED,
    ORANGE,
    PROPOSAL,
    SKY,
    label_line,
)
from lecture_lib.proposals import SlidingWindow
from lecture_lib.structures import Proposals, Target

_UNITS = ((365.25 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"))


def duration(seconds: float) -> str:
    """A time as one says it: "40 ms", "2.5 s", "3.1 minutes", "52 days"."""
    if seconds < 0.1:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 90:
        return f"{seconds:.2g} s"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= 1.5 * size or unit == "minutes")
    return f"{seconds / size:,.0f} {unit}" if seconds >= 10 * size else f"{seconds / size:.2g} {unit}"


def row_of_pictures(images: Sequence[Float[Tensor, "c h w"]], width: float = 11.0, below: float = 0.4) -> list[Axes]:
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
    left, right = row_of_pictures([image, image], width=9)
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
    right.set_title(f"one of them, stride {window.stride}: {len(tops)} × {len(lefts)} = {len(centres)} places")
    return left.figure


def cost_ladder(rows: Sequence[tuple[str, int, float]]) -> Figure:
    """Bars of (name, number of boxes, seconds) on a scale where each line is a thousand times the one before."""
    figure, axes = plt.subplots(figsize=(9.5, 0.62 * len(rows) + 0.7))
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


def recall_curves(curves: dict[str, tuple[Sequence[float], Sequence[float], Sequence[float]]]) -> Figure:
    """Recall (left) and mean best overlap (right) against the boxes an image: name -> (boxes, recall, overlap)."""
    figure, grid = plt.subplots(1, 2, figsize=(11, 4.2), sharex=True)
    for axes, column, title in zip(grid, (1, 2), ("Recall at IoU ≥ 0.5", "Mean best overlap"), strict=True):
        for color, (name, curve) in zip((BLUE, ORANGE, MUTED), curves.items(), strict=False):
            axes.plot(curve[0], curve[column], marker="o", color=color)
            label_line(axes, name, color, curve[0][-1], curve[column][-1])
        axes.set(xscale="log", ylim=(0, 1.02), title=title, xlabel="boxes per picture")
        axes.xaxis.set_major_formatter(lambda boxes, _: f"{boxes:,.0f}")
        low, high = axes.get_xlim()
        axes.set_xlim(low, high * 6)
    return figure


def strategy_overlap(
    alone: Sequence[tuple[str, float, float]], together: Sequence[tuple[float, float]], measured: str
) -> Figure:
    """Strategies alone (name, boxes, value) as dots, and the path (boxes, value) as one after another is added."""
    figure, axes = plt.subplots(figsize=(9, 4.2))
    axes.scatter([n for _, n, _ in alone], [value for _, _, value in alone], s=70, color=ORANGE, zorder=3)
    axes.plot(*zip(*together, strict=True), marker="o", color=BLUE)
    boxes, value = together[-1]
    label_line(axes, f"all {len(together)} together\n{boxes:,.0f} boxes, {value:.2f}", BLUE, boxes, value)
    name, boxes, value = min(alone, key=lambda row: row[2])
    label_line(axes, f" one alone ({name})\n {boxes:,.0f} boxes, {value:.2f}", ORANGE, boxes, value)
    axes.set(xlabel="boxes per picture", title=measured, xlim=(0, together[-1][0] * 1.35))
    return figure


def pooled(parts: Sequence[Proposals]) -> Proposals:
    """The boxes of several searches of one image together, equal ones once; their order means nothing."""
    return Proposals(torch.cat([part.boxes for part in parts]).unique(dim=0), None, parts[0].image_size)


@dataclass(frozen=True)
class BestBox:
    """How well an object is covered: where it is (image, row in its target), its best box and their IoU."""

    image: int
    row: int
    box: Float[Tensor, " 4"]
    overlap: float


def best_boxes(proposals: Sequence[Proposals], targets: Sequence[Target]) -> list[BestBox]:
    """The best box of every object of a set of images, worst covered object first; difficult objects are left out."""
    found = []
    for image, (candidates, target) in enumerate(zip(proposals, targets, strict=True)):
        if not len(candidates) or not len(target):
            continue
        overlap, row = iou(target.boxes, candidates.boxes).max(dim=1)
        wanted = (~target.difficult).nonzero().flatten().tolist()
        found += [BestBox(image, g, candidates.boxes[row[g]], float(overlap[g])) for g in wanted]
    return sorted(found, key=lambda best: best.overlap)


def show_best_boxes(
    images: Sequence[Float[Tensor, "3 h w"]], targets: Sequence[Target], found: Sequence[BestBox], columns: int = 4
) -> Figure:
    """Some objects, each with its own picture and target: the object in green, its best box in orange, their IoU."""
    rows = max(1, -(-len(found) // columns))
    figure, grid = plt.subplots(rows, columns, figsize=(2.8 * columns, 2.4 * rows), squeeze=False)
    for index, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if index < len(found):
            best = found[index]
            show_image(images[index], f"IoU {best.overlap:.2f}", axes)
            draw_boxes(axes, targets[index].boxes[best.row][None], GROUND_TRUTH, width=2.6)
            draw_boxes(axes, best.box[None], DETECTION, width=2.0)
    return figure


def show_proposals(image: Float[Tensor, "3 h w"], proposals: Proposals, target: Target, title: str, axes: Axes) -> None:
    """All boxes as a fine web, and for every object (green) its best box on top (orange)."""
    show_image(image, title, axes)
    draw_boxes(axes, proposals.boxes, PROPOSAL, width=0.7, alpha=0.45)
    draw_boxes(axes, target.boxes, GROUND_TRUTH, width=2.6)
    best = best_boxes([proposals], [target])
    draw_boxes(axes, torch.stack([b.box for b in best]) if best else torch.zeros(0, 4), DETECTION, width=2.2)
    axes.text(0, -0.03, f"{len(proposals):,} boxes", transform=axes.transAxes, va="top", color=INK, fontsize=10)
