"""Figures of how R-CNN is trained: live losses, clobbered weights, counts, hard negatives, few samples, lambda."""

import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from lecture_lib.boxes import BoxCoder, iou
from lecture_lib.detectors import Detector
from lecture_lib.plotting.costs import label_ends
from lecture_lib.plotting.style import BLUE, CYCLE, GREEN, MUTED, ORANGE, PAPER, PURPLE, RED
from lecture_lib.structures import Proposals
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import LabelledRegions, Pixels
from lecture_lib.training.ridge import RegressionPairs
from lecture_lib.training.svm import MiningStep

REDRAW = 2.0  # seconds between two drawings of a training that runs


class LiveLosses:
    """Runs trainings and draws their losses while they run, all in one figure; without IPython nothing is drawn.

    runs: losses of earlier trainings by name, to be drawn too.
    step_seconds: what one step of each training took (the median), without the drawing.
    """

    def __init__(self, runs: Mapping[str, list[float]] | None = None) -> None:
        self.runs = dict(runs or {})
        self.step_seconds: dict[str, float] = {}
        self._screen, self._drawn = None, 0.0

    def follow(self, name: str, records: Iterable[Step]) -> None:
        """Run a training to its end; afterwards `runs[name]` has its losses."""
        losses, seconds = [], []
        self.runs[name] = losses
        for record in records:
            losses.append(record.loss)
            seconds.append(record.seconds)
            if len(losses) > 1 and time.perf_counter() - self._drawn > REDRAW:
                self._draw(record.steps)
        if losses:
            self.step_seconds[name] = median(seconds)
            self._draw(len(losses))

    def _draw(self, steps: int) -> None:
        self._screen = self._screen or display_area()
        if self._screen:
            figure = loss_curves(self.runs, steps)
            self._screen.update(figure)
            plt.close(figure)  # else it would be shown a second time at the end of the cell
        self._drawn = time.perf_counter()


def display_area() -> Any:
    """A place on the page that can be drawn again; None outside IPython."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    return display(display_id=True) if get_ipython() else None


def loss_curves(runs: Mapping[str, Sequence[float]], steps: int) -> Figure:
    """The loss of every mini-batch of some runs, logarithmic, named at its end; `steps` is the full length."""
    figure, axes = plt.subplots(figsize=(8.6, 3.6))
    ends = []
    for color, (name, losses) in zip((BLUE, ORANGE, RED, PURPLE, GREEN), runs.items(), strict=False):
        axes.plot(range(1, len(losses) + 1), losses, color=color)
        ends.append((name, color, float(len(losses)), losses[-1]))
    longest = max(steps, 2, *(len(losses) for losses in runs.values()))
    axes.set(xlabel="step", ylabel="loss of a mini-batch", xlim=(1, 1.3 * longest), yscale="log")
    low, high = axes.get_ylim()
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low <= t <= high]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.xaxis.get_major_locator().set_params(integer=True)
    label_ends(axes, ends)
    return figure


def region_squares(
    detector: Detector, regions: LabelledRegions, pixels: Pixels | Sequence[Tensor], rows: Int[Tensor, " b"]
) -> list[Float[Tensor, "3 s s"]]:
    """The warped squares of some regions of a set, in the order of `rows`: what the network gets to see."""
    squares = []
    for row in rows.tolist():
        image = pixels[int(regions.image[row])]
        part = Proposals(regions.boxes[row : row + 1], None, tuple(image.shape[1:]))
        squares.append(detector.pool(detector.encode(image), part)[0])
    return squares


@torch.no_grad()
def region_logits(
    detector: Detector, regions: LabelledRegions, pixels: Pixels | Sequence[Tensor], rows: Int[Tensor, " b"]
) -> tuple[Float[Tensor, "b k_1"], Int[Tensor, " b"]]:
    """What the network's softmax layer says of some regions, and their labels; both sorted by image."""
    classifier = detector.embed.classifier
    logits, labels = [], []
    for i in regions.image[rows].unique().tolist():
        here = rows[regions.image[rows] == i]
        image = pixels[i]
        part = Proposals(regions.boxes[here], None, tuple(image.shape[1:]))
        logits.append(classifier(detector.features(detector.encode(image), part).fc7))
        labels.append(regions.labels[here])
    return torch.cat(logits), torch.cat(labels)


def judge_logits(logits: Float[Tensor, "b k_1"], labels: Int[Tensor, " b"]) -> dict[str, float]:
    """Shares of the objects and of the background that are named rightly, and the loss."""
    right = logits.argmax(1) == labels
    return {
        "objects named rightly": float(right[labels > 0].float().mean()),
        "background named rightly": float(right[labels == 0].float().mean()),
        "loss": float(F.cross_entropy(logits, labels)),
    }


def distance_moved(now: nn.Module, before: nn.Module) -> float:
    """How far the weights of a network have moved, relative to their length: |w - w0| / |w0|."""
    pairs = list(zip(now.parameters(), before.parameters(), strict=True))
    moved = sum(float((a.detach() - b.detach()).square().sum()) for a, b in pairs)
    return (moved / sum(float(b.detach().square().sum()) for _, b in pairs)) ** 0.5


def clobbered(judged: Mapping[str, Mapping[str, float]], moved: Mapping[str, float]) -> Figure:
    """For each run: the share of held-out objects and background named rightly, and how far the weights have moved."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 0.9 + 0.72 * len(judged)), width_ratios=(3, 2))
    names = list(judged)
    for offset, (kind, color) in enumerate((("objects named rightly", BLUE), ("background named rightly", MUTED))):
        values = [judged[name][kind] for name in names]
        places = [row + 0.36 * offset - 0.18 for row in range(len(names))]
        bars = left.barh(places, values, 0.34, color=color, label=kind.split()[0])
        left.bar_label(bars, [f"{kind.split()[0]} {value:.0%}" for value in values], padding=4, color=color, fontsize=9)
    bars = right.barh(range(len(names)), [moved[name] for name in names], 0.6, color=ORANGE)
    right.bar_label(bars, [f"{moved[name]:.1%}" for name in names], padding=4, weight="bold")
    left.set(xlim=(0, 1.35), title="regions of the validation set named rightly")
    right.set(xlim=(0, 1.3 * max(moved.values())), title="pre-trained weights moved by")
    left.set_yticks(range(len(names)), names)
    right.set_yticks(range(len(names)), [""] * len(names))
    for axes in (left, right):
        axes.set_ylim(len(names) - 0.5, -0.5)
        bare(axes)
    return figure


def bare(axes: Axes) -> None:
    """Take the scale away from bars that carry their numbers."""
    axes.grid(False)
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)


def count_bars(
    rows: Sequence[tuple[str, float | int]], colors: Sequence[str] = CYCLE, scale: str = "log", title: str = ""
) -> Figure:
    """Named numbers as bars, on a logarithmic scale or a "linear" one."""
    figure, axes = plt.subplots(figsize=(9, 0.5 + 0.55 * len(rows)))
    values = [value for _, value in rows]
    bars = axes.barh(
        [name for name, _ in rows], values, 0.64, color=[colors[i % len(colors)] for i in range(len(rows))]
    )
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=5, weight="bold", fontsize=11)
    lowest, highest = max(1, min(values)), max(1, max(values))
    limits = (lowest / 5, highest * 8) if scale == "log" else (0, 1.15 * highest)
    axes.set(xscale=scale, xlim=limits, title=title)
    axes.invert_yaxis()
    axes.minorticks_off()
    bare(axes)
    axes.set_xlabel("logarithmic scale" if scale == "log" else "")
    return figure


def share_bars(
    rows: Mapping[str, tuple[float | int, float | int]], names: tuple[str, str] = ("positive", "background")
) -> Figure:
    """Two parts of a whole in percent, a bar for each row."""
    figure, axes = plt.subplots(figsize=(9, 0.5 + 0.6 * len(rows)))
    for y, parts in enumerate(rows.values()):
        share = parts[0] / sum(parts)
        axes.barh(y, share, 0.66, color=BLUE)
        axes.barh(y, 1 - share, 0.66, left=share, color=RED)
        inside = share > 0.15
        style = {"va": "center", "color": PAPER, "weight": "bold"}
        axes.text(
            share / 2 if inside else share + 0.01,
            y,
            f"{share:.0%} {names[0]}",
            ha="center" if inside else "left",
            **style,
        )
        axes.text(0.99, y, f"{1 - share:.0%} {names[1]}", ha="right", **style)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=10.5)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    bare(axes)
    return figure


def class_counts(columns: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Figure:
    """How many examples every class has by each way of counting, side by side on a logarithmic scale."""
    figure, axes = plt.subplots(figsize=(10, 3.4))
    width = 0.8 / len(columns)
    for i, (color, (name, counts)) in enumerate(zip((GREEN, BLUE, ORANGE), columns.items(), strict=False)):
        places = [k + (i - (len(columns) - 1) / 2) * width for k in range(len(classes))]
        bars = axes.bar(places, counts, width * 0.94, color=color, label=name)
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=2, fontsize=8.5)
    axes.set_xticks(range(len(classes)), classes, fontsize=10.5)
    axes.set(yscale="log", ylim=(max(0.5, axes.get_ylim()[0]), axes.get_ylim()[1] * 3), ylabel="examples (logarithmic)")
    axes.minorticks_off()
    axes.grid(False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(columns))
    return figure


def mining_rounds(steps: Sequence[MiningStep], classes: Sequence[str]) -> Figure:
    """Hard negatives that each round found, a line a class, and the negatives that the SVMs keep after it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    images = [step.images for step in steps]
    panels = ((left, "hard", "hard negatives that a round found"), (right, "negatives", "negatives kept after it"))
    for axes, field, title in panels:
        for k in range(len(classes)):
            axes.plot(images, [getattr(step, field)[k] for step in steps], "o-", color=CYCLE[k % len(CYCLE)], lw=1.8)
        axes.set(title=title, xlabel="training pictures scanned")
        axes.set_xticks(images)
    left.set_ylim(0, None)
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.5 * (high - low))  # room for the names, which are moved apart upwards
    right.set_xlim(images[0], images[0] + 1.35 * max(1, images[-1] - images[0]))
    last = [float(count) for count in steps[-1].negatives]
    ends = [(name, CYCLE[k % len(CYCLE)], float(images[-1]), last[k]) for k, name in enumerate(classes)]
    label_ends(right, ends)
    return figure


def few_samples(curves: Mapping[str, Mapping[int, float]], ylabel: str) -> Figure:
    """A measure against the number of positive examples a class, a line for each classifier."""
    figure, axes = plt.subplots(figsize=(8.2, 3.5))
    ends = []
    for color, (name, points) in zip((BLUE, ORANGE, GREEN), curves.items(), strict=False):
        x, y = list(points), list(points.values())
        axes.plot(x, y, "o-", color=color)
        ends.append((name, color, float(x[-1]), y[-1]))
    ticks = sorted({n for points in curves.values() for n in points})
    axes.set(xscale="log", xlabel="positive examples of each class", ylabel=ylabel, ylim=(0, 1))
    axes.set_xlim(0.85 * ticks[0], ticks[-1] * (ticks[-1] / ticks[0]) ** 0.35)
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    label_ends(axes, ends)
    return figure


@torch.no_grad()
def overlap_moved(
    regressors: nn.Linear, features: Float[Tensor, "n p"], boxes: Float[Tensor, "n 4"], pairs: RegressionPairs
) -> tuple[float, float]:
    """Mean IoU of the boxes of some pairs with their objects, before and after the regressor of their class."""
    coder, own = BoxCoder(), torch.arange(len(boxes))
    objects = coder.decode(boxes, pairs.deltas)  # the targets lead to the objects, by definition
    deltas = regressors(features).unflatten(1, (-1, 4))[own, pairs.labels - 1]
    overlaps = [iou(some, objects).diagonal().mean() for some in (boxes, coder.decode(boxes, deltas))]
    return float(overlaps[0]), float(overlaps[1])


def ridge_curves(curves: Mapping[str, Mapping[float, float]], before: float) -> Figure:
    """Mean IoU after box regression against lambda, a line for each kind of features; dotted: before it."""
    figure, axes = plt.subplots(figsize=(8.6, 3.6))
    ends = []
    for color, (name, points) in zip((BLUE, ORANGE, GREEN), curves.items(), strict=False):
        x, y = list(points), list(points.values())
        axes.plot(x, y, "o-", color=color)
        ends.append((name, color, x[-1], y[-1]))
    x = [ridge for points in curves.values() for ridge in points]
    axes.plot([min(x) / 2, max(x)], [before, before], color=MUTED, ls=":", lw=1.6)
    axes.set(xscale="log", xlabel="λ", ylabel="mean IoU with the object", xlim=(min(x) / 2, max(x) * 60))
    axes.set_xticks(sorted(set(x)))
    axes.minorticks_off()
    label_ends(axes, [*ends, ("before regression", MUTED, max(x), before)])
    return figure
