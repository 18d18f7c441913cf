"""Figures of how well proposals cover objects: curves over many pictures, and the objects that are covered worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.style import BLUE, DETECTION, GROUND_TRUTH, MUTED, ORANGE, label_line
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.results import when_and_where


def recall_curves(curves: dict[str, tuple[Sequence[float], Sequence[float], Sequence[float]]]) -> Figure:
    """Recall (left) and mean best overlap (right) against the boxes an image: name -> (boxes, recall, overlap)."""
    figure, grid = plt.subplots(1, 2, figsize=(11, 4.2), sharex=True)
    for axes, column, title in zip(grid, (1, 2), ("Recall at IoU ≥ 0.5", "Mean best overlap"), strict=True):
        heights = spread([curve[column][-1] for curve in curves.values()], gap=0.07)
        for color, height, (name, curve) in zip((BLUE, ORANGE, MUTED), heights, curves.items(), strict=False):
            axes.plot(curve[0], curve[column], marker="o", color=color)
            label_line(axes, f" {name}", color, curve[0][-1], height)
        axes.set(xscale="log", ylim=(0, 1.1), title=title, xlabel="boxes per picture")
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axes.xaxis.set_major_formatter(lambda boxes, _: f"{boxes:,.0f}")
        axes.minorticks_off()
    low, high = grid[0].get_xlim()
    grid[0].set_xlim(low, high * 6)
    return figure


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights for labels, in the given order, moved up just enough to be at least `gap` apart."""
    placed, floor = dict.fromkeys(range(len(heights)), 0.0), float("-inf")
    for row in sorted(placed, key=lambda row: heights[row]):
        floor = placed[row] = max(heights[row], floor + gap)
    return [placed[row] for row in range(len(heights))]


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
    label_line(axes, f" the worst alone ({name})\n {boxes:,.0f} boxes, {value:.2f}", ORANGE, boxes, value)
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


def comparison(result: dict) -> str:
    """A Markdown table of one saved result of `tests.benchmarks.selective_search`, with its date and machine."""
    columns = range(len(result["counts"]))
    lines = [
        f"{result['images']} pictures of {result['set']}, measured on {when_and_where(result)}; "
        f"ours was {result['faster']} times as fast.\n",
        "| | | " + " | ".join(f"{count:,} boxes" for count in result["counts"]) + " |",
        "|---|---|" + "---:|" * len(columns),
    ]
    for key, name in (("recall_at_0.5", "recall, IoU ≥ 0.5"), ("mean_best_overlap", "mean best overlap")):
        for who, figures in result["searches"].items():
            lines.append(f"| {name} | {who} | " + " | ".join(f"{figures[key][i]:.3f}" for i in columns) + " |")
    return "\n".join(lines)
