"""Figures of how Fast R-CNN is trained: losses and their targets, mini-batches, both terms drawn live, stages."""

import time
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.matching import IoURule, label_proposals, sample
from lecture_lib.plotting.costs import label_ends
from lecture_lib.plotting.pictures import draw_boxes
from lecture_lib.plotting.rcnn_training import REDRAW, bare, display_area
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.style import BLUE, IGNORED, MUTED, NEGATIVE, ORANGE, POSITIVE, PURPLE, RED, as_text
from lecture_lib.plotting.transfer import short_number
from lecture_lib.structures import RegionFeatures, concatenate
from lecture_lib.training.examples import Examples
from lecture_lib.training.joint import JointTraining, freeze_before, multi_task_loss
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import with_ground_truth

PART_COLORS = {"classification": BLUE, "localisation": ORANGE}


def loss_shapes(limit: float = 4.0) -> Figure:
    """L2, L1 and smooth L1 of one number, and their gradients (Fast R-CNN, eq. 3)."""
    x = torch.linspace(-limit, limit, 401)
    smooth = torch.where(x.abs() < 1, x**2 / 2, x.abs() - 0.5)
    curves = {"L2: ½x²": (x**2 / 2, x), "L1": (x.abs(), x.sign()), "smooth L1": (smooth, x.clamp(-1, 1))}
    figure, row = plt.subplots(1, 2, figsize=(10.5, 3.6))
    for axes, part, title in ((row[0], 0, "loss"), (row[1], 1, "its gradient")):
        for color, width, (_, lines) in zip((RED, MUTED, BLUE), (2.2, 1.4, 3.0), curves.items(), strict=True):
            axes.plot(x, lines[part], color=color, lw=width)
        axes.set(title=title, xlabel="error x", xlim=(-limit, 1.75 * limit))
        ends = zip((RED, MUTED, BLUE), curves.items(), strict=True)
        label_ends(axes, [(name, color, limit, float(lines[part][-1])) for color, (name, lines) in ends])
    return figure


def gradient_shares(errors: Float[Tensor, " n"]) -> dict[str, Float[Tensor, " n"]]:
    """By L2 and by smooth L1: the share of the whole gradient that the 1, 2, .. n largest errors make."""
    size = errors.abs().sort(descending=True).values
    gradients = {"L2": size, "smooth L1": size.clamp(max=1)}
    return {name: g.cumsum(0) / g.sum() for name, g in gradients.items()}


def show_shares(errors: Float[Tensor, " n"], at: float = 0.05) -> Figure:
    """`gradient_shares` as curves, and the shares of the largest part `at` of the errors in words."""
    figure, axes = plt.subplots(figsize=(8.2, 3.6))
    x, said = torch.arange(1, len(errors) + 1) / len(errors), []
    for (name, share), color, place, side in zip(
        gradient_shares(errors).items(), (RED, BLUE), ((-8, 6), (8, -10)), ("right", "left"), strict=True
    ):
        axes.plot(x, share, color=color)
        y = float(share[max(1, round(at * len(errors))) - 1])
        axes.plot(at, y, "o", color=color, ms=8)
        said.append(f"{y:.0%} with {name}")
        middle = (0.35, float(share[int(0.35 * len(share))]))
        axes.annotate(name, middle, place, textcoords="offset points", color=color, weight="bold", ha=side)
    axes.set(xlabel="share of the errors, largest first", ylabel="share of the gradient", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title(f"The largest {at:.0%} of the errors: {', '.join(said)}")
    return figure


def target_histograms(deltas: Float[Tensor, "n 4"], coder: BoxCoder) -> Figure:
    """The four targets of all foreground regions, above as they are, below normalised by the coder."""
    normalised = (deltas - deltas.new_tensor(coder.mean)) / deltas.new_tensor(coder.std)
    figure, grid = plt.subplots(2, 4, figsize=(11.5, 4.4), sharex="row")
    for row, color, values, limit in ((grid[0], MUTED, deltas, 0.8), (grid[1], BLUE, normalised, 4.0)):
        for i, axes in enumerate(row):
            edges = torch.linspace(-limit, limit, 41).tolist()
            axes.hist(values[:, i].clamp(-limit, limit).tolist(), edges, color=color)
            center, spread = round(float(values[:, i].mean()), 2) + 0.0, float(values[:, i].std())
            name = ("$t_x$", "$t_y$", "$t_w$", "$t_h$")[i]
            axes.set_title(f"{name}: {center:+.2f} ± {spread:.2f}", fontsize=10)
            axes.set_yticks([])
    grid[0, 0].set_ylabel("as they are")
    grid[1, 0].set_ylabel("normalised")
    return figure


def loss_table(
    logits: Float[Tensor, "r k_1"],
    deltas: Float[Tensor, "r k 4"],
    labels: Int[Tensor, " r"],
    targets: Float[Tensor, "r 4"],
    classes: Sequence[str],
) -> str:
    """Markdown: the multi-task loss of some regions, a row each, with both of its terms at lambda = 1."""
    names = ("background", *classes)
    rows = ["| region | class $u$ | $p_u$ | $-\\log p_u$ | smooth L1 | sum |", "|---|---|---|---|---|---|"]
    for r, label in enumerate(labels.tolist()):
        one = slice(r, r + 1)
        terms = multi_task_loss(logits[one], deltas[one], labels[one], targets[one], 1.0)
        first, second = (float(terms[name]) for name in PART_COLORS)
        probability = float(logits[r].softmax(0)[label])
        moved = f"{second:.3f}" if label else "0 (background)"
        rows.append(
            f"| {r + 1} | {names[label]} | {probability:.3f} | {first:.3f} | {moved} | **{first + second:.3f}** |"
        )
    return "\n".join(rows)


def iou_bands(overlaps: Float[Tensor, " n"], rule: IoURule) -> Figure:
    """How many regions have which best IoU: foreground blue, background red, never drawn grey."""
    low = rule.background[0]
    kinds = (
        ("never drawn", overlaps[overlaps < low], IGNORED),
        ("background", overlaps[(overlaps >= low) & (overlaps < rule.foreground)], NEGATIVE),
        ("foreground", overlaps[overlaps >= rule.foreground], POSITIVE),
    )
    figure, axes = plt.subplots(figsize=(9, 3.0))
    edges = torch.linspace(0, 1, 41).tolist()
    drawn = [axes.hist(values.tolist(), edges, color=color)[0] for _, values, color in kinds]
    axes.set(yscale="log", ylim=(0.7, 40 * max(1, *(float(max(d)) for d in drawn))), xlim=(0, 1))
    axes.set(xlabel="IoU with the best object", ylabel="regions")
    for x, (name, values, color) in zip((0.01, (low + rule.foreground) / 2, 0.75), kinds, strict=True):
        text, side = f"{len(values):,}\n{name}", "left" if x < 0.05 else "center"
        axes.text(x, 0.96, text, color=color, weight="bold", va="top", ha=side, transform=axes.get_xaxis_transform())
    return figure


def mini_batch(
    images: Sequence[Float[Tensor, "3 h w"]],
    boxes: Sequence[Float[Tensor, "_ 4"]],
    labels: Sequence[Int[Tensor, " _"]],
) -> Figure:
    """The regions of a mini-batch in their pictures: objects blue, background red."""
    row = row_of_pictures(images)
    for axes, image, some, kinds in zip(row, images, boxes, labels, strict=True):
        axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy(), extent=(0, image.shape[2], image.shape[1], 0))
        axes.set_axis_off()
        draw_boxes(axes, some[kinds == 0], NEGATIVE, width=1.0, alpha=0.85)
        draw_boxes(axes, some[kinds > 0], POSITIVE, width=1.8)
        axes.set_title(f"{int((kinds > 0).sum())} foreground, {int((kinds == 0).sum())} background", fontsize=10)
    return row[0].figure


class LiveParts:
    """Runs a training and draws the terms of its loss while it runs; without IPython nothing is drawn.

    Interrupting the kernel ends the training and nothing else: what was learned stays, and the next cell runs.
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}
        self.interrupted = False

    def follow(self, records: Iterable[Step]) -> None:
        """Run the training to its end; afterwards `parts[name]` has the values of each term."""
        screen, drawn, total = display_area(), 0.0, 2
        try:
            for record in records:
                total = record.steps
                for name, value in record.parts.items():
                    self.parts.setdefault(name, []).append(value)
                if screen and record.step > 1 and time.perf_counter() - drawn > REDRAW:
                    self._draw(screen, total)
                    drawn = time.perf_counter()
        except KeyboardInterrupt:
            self.interrupted = True
        if screen and self.parts:
            self._draw(screen, total)

    def _draw(self, screen: Any, total: int) -> None:
        figure = part_curves(self.parts, total)
        screen.update(figure)
        plt.close(figure)  # else it would be shown a second time at the end of the cell


def part_curves(parts: Mapping[str, Sequence[float]], total: int, smooth: int = 10) -> Figure:
    """The terms of a loss by step: every mini-batch thin, the mean of the last `smooth` of them thick."""
    figure, row = plt.subplots(1, len(parts), figsize=(11, 3.2), squeeze=False)
    for axes, (name, values) in zip(row[0], parts.items(), strict=True):
        color, steps = PART_COLORS.get(name, PURPLE), range(1, len(values) + 1)
        trend = [mean(values[max(0, i - smooth) : i]) for i in steps]
        axes.plot(steps, values, color=color, lw=0.8, alpha=0.5)
        axes.plot(steps, trend, color=color, lw=2.6)
        axes.set(xlabel="step", xlim=(1, max(total, 2)), ylim=(0, 1.05 * max(values)))
        axes.set_title(f"{name}: {trend[-1]:.3f} after {len(values)} of {total}", color=as_text(color))
    return figure


def trained_stages(trunk: nn.Sequential, first_trained: str | None) -> Figure:
    """The stages of a trunk with their weights: those that learn orange, those that stay as ImageNet left them grey."""
    as_trained = deepcopy(trunk).requires_grad_(True)
    freeze_before(as_trained, first_trained)
    names = [name for name, _ in trunk.named_children()]
    learns = [any(p.requires_grad for p in stage.parameters()) for stage in as_trained.children()]
    counts = [sum(p.numel() for p in stage.parameters()) for stage in trunk.children()]
    figure, axes = plt.subplots(figsize=(9, 0.6 + 0.42 * len(names)))
    axes.barh(names, counts, 0.66, color=[ORANGE if learning else MUTED for learning in learns])
    for y, (count, learning) in enumerate(zip(counts, learns, strict=True)):
        axes.text(count, y, f"  {short_number(count)}, {'learns' if learning else 'frozen'}", va="center")
    axes.set(xlim=(0, 1.35 * max(counts)), ylim=(len(names) - 0.5, -0.5), title="weights of the trunk, by stage")
    bare(axes)
    return figure


@torch.no_grad()
def sampled_regions(
    detector: Detector, examples: Examples, images: Sequence[int], settings: JointTraining
) -> tuple[RegionFeatures, Int[Tensor, " r"], Float[Tensor, "r 4"]]:
    """Regions drawn from some images as for a mini-batch: their features, classes and plain deltas (background: 0)."""
    generator = torch.Generator().manual_seed(settings.seed)
    parts, labels, goals = [], [], []
    for i in images:
        regions = with_ground_truth(examples.proposals[i], examples.targets[i])
        found = label_proposals(regions, examples.targets[i], settings.rule)
        rows = sample(found.labels, settings.regions, generator)
        objects = found.labels[rows] > 0
        goal = torch.zeros(len(rows), 4)
        own = examples.targets[i].boxes[found.matched[rows][objects]]
        goal[objects] = BoxCoder().encode(regions.boxes[rows][objects], own)
        parts.append(detector.features(detector.encode(examples.dataset.image(i)), regions[rows]))
        labels.append(found.labels[rows])
        goals.append(goal)
    return concatenate(parts), torch.cat(labels), torch.cat(goals)
