"""Figures of transfer learning: names of photographs, what is trainable, learning curves, features by depth."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor, nn

from lecture_lib.backbones import Backbone
from lecture_lib.files import data_root
from lecture_lib.plotting.costs import label_ends
from lecture_lib.plotting.pictures import show_image
from lecture_lib.plotting.style import BLUE, CYCLE, GREEN, GRID, INK, MUTED, ORANGE, PAPER, PURPLE, RED, ink_on
from lecture_lib.training.results import read_json
from lecture_lib.training.transfer import RESULT

METHOD_COLORS = {"scratch": MUTED, "frozen": ORANGE, "fine-tuned": BLUE}


def show_named(images: Sequence[Float[Tensor, "3 h w"]], names: Sequence[list[tuple[str, float]]]) -> Figure:
    """Draw each photograph above its most probable names, a bar for each probability, two rows of three."""
    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    figure = plt.figure(figsize=(3.3 * columns, 3.5 * rows))
    cells = figure.add_gridspec(2 * rows, columns, height_ratios=[2.2, 1.2] * rows)
    for i, (image, named) in enumerate(zip(images, names, strict=True)):
        row, column = divmod(i, columns)
        show_image(image, axes=figure.add_subplot(cells[2 * row, column]))
        _draw_names(figure.add_subplot(cells[2 * row + 1, column]), named)
    return figure


def _draw_names(axes: Axes, named: list[tuple[str, float]]) -> None:
    colors = [BLUE, *[GRID] * (len(named) - 1)]
    axes.barh(range(len(named)), [p for _, p in named], color=colors, height=0.8)
    for y, (name, probability) in enumerate(named):
        inside = y == 0 and probability > 0.75
        x, color = (0.02, PAPER) if inside else (max(probability, 0) + 0.02, INK)
        text = f"{name}  {probability:.0%}"
        axes.text(x, y, text, va="center", fontsize=9, color=color, weight="bold" if y == 0 else "normal")
    axes.set(xlim=(0, 1), ylim=(len(named) - 0.4, -0.6))
    axes.set_axis_off()


def show_trainable(networks: Mapping[str, Backbone]) -> Figure:
    """Draw the stages of each network with their parameters: orange where they learn, grey where they are frozen."""
    figure, rows = plt.subplots(len(networks), 1, figsize=(9.5, 1.25 * len(networks)), squeeze=False)
    for axes, (name, network) in zip(rows[:, 0], networks.items(), strict=True):
        for x, (stage, module) in enumerate(network.stages().items()):
            _draw_stage(axes, x, stage, module)
        learn = sum(p.numel() for p in network.parameters() if p.requires_grad)
        total = sum(p.numel() for p in network.parameters())
        axes.set_title(f"{name}: {learn:,} of {total:,} parameters learn", fontsize=10, pad=4)
        axes.set(xlim=(-0.1, len(network.stages())), ylim=(-0.05, 1.05))
        axes.set_axis_off()
    return figure


def _draw_stage(axes: Axes, x: int, name: str, module: nn.Module) -> None:
    learns = any(p.requires_grad for p in module.parameters())
    numbers = sum(p.numel() for p in module.parameters())
    face, text = (ORANGE, ink_on(ORANGE)) if learns else (GRID, MUTED)
    box = FancyBboxPatch((x, 0), 0.9, 1, boxstyle="round,pad=0,rounding_size=0.06", fc=face, ec="none")
    axes.add_patch(box)
    style = {"ha": "center", "va": "center", "color": text}
    axes.text(x + 0.45, 0.65, name, fontsize=9, weight="bold", **style)
    axes.text(x + 0.45, 0.3, short_number(numbers), fontsize=9, **style)


def short_number(number: int) -> str:
    """Write 928 as 928, 11664 as 11.7 k and 4652008 as 4.65 M."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:,.0f}"


def draw_learning_curves(axes: Axes, curves: Mapping[str, Mapping[int, Sequence[float]]], chance: float) -> None:
    """Draw accuracy in % against images per class: the mean over the runs of a point, and a band of one deviation.

    `curves[method][images]` are the accuracies (0..1) of one or more seeds.
    """
    ends = []
    for index, (method, points) in enumerate(curves.items()):
        color = METHOD_COLORS.get(method, CYCLE[index % len(CYCLE)])
        x = sorted(points)
        runs = [100 * torch.tensor(points[n], dtype=torch.float64) for n in x]
        mean = torch.stack([r.mean() for r in runs])
        spread = torch.stack([r.std(correction=0) for r in runs])
        if max(len(r) for r in runs) > 1:
            axes.fill_between(x, mean - spread, mean + spread, color=color, alpha=0.2, lw=0)
        axes.plot(x, mean, "o-", color=color)
        ends.append((method, color, float(x[-1]), mean[-1].item()))
    axes.axhline(100 * chance, color=MUTED, lw=1.2, ls=":")
    axes.text(2.5 * x[-1], 100 * chance - 1, "guessing", color=MUTED, va="top", ha="right", fontsize=9)
    axes.set(xscale="log", xlabel="training images per class", ylim=(0, 100), xlim=(0.9 * x[0], 2.6 * x[-1]))
    axes.set_xticks(x, [str(n) for n in x])
    axes.minorticks_off()
    label_ends(axes, ends)


def show_learning_curves(panels: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]], classes: int) -> Figure:
    """Draw one panel of learning curves for each entry of `panels`, e.g. this run beside a stored one, at one scale."""
    size = (5.1 * len(panels), 4.0)
    figure, row = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for axes, (title, curves) in zip(row[0], panels.items(), strict=True):
        draw_learning_curves(axes, curves, 1 / classes)
        axes.set_title(title, fontsize=10)
    row[0][0].set_ylabel("accuracy on unseen objects, %")
    return figure


def show_training(runs: Mapping[str, Sequence[float]], ylabel: str = "loss of a batch") -> Figure:
    """Draw one curve of a quantity against the training step for each run, named at its end."""
    figure, axes = plt.subplots(figsize=(8.2, 3.9))
    ends = []
    for color, (name, values) in zip((BLUE, ORANGE, RED, PURPLE, GREEN), runs.items(), strict=False):
        axes.plot(range(1, len(values) + 1), values, color=color)
        ends.append((name, color, float(len(values)), values[-1]))
    longest = max((len(values) for values in runs.values()), default=1)
    axes.set(xlabel="training step", ylabel=ylabel, xlim=(1, 1.28 * longest), ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    label_ends(axes, ends)
    return figure


def channel_mosaic(maps: Float[Tensor, "c h w"], columns: int = 3) -> Float[Tensor, "H W"]:
    """Put the `columns`^2 channels that vary most over the map into one square picture, each stretched to 0..1."""
    strongest = maps.flatten(1).std(1).topk(min(columns**2, len(maps))).indices.sort().values
    chosen = maps[strongest]
    low, high = chosen.amin((1, 2), keepdim=True), chosen.amax((1, 2), keepdim=True)
    stretched = (chosen - low) / (high - low).clamp(min=1e-6)
    edge = max(1, maps.shape[-1] // 28)
    framed = torch.nn.functional.pad(stretched, (edge, edge, edge, edge), value=float("nan"))
    empty = framed.new_full((columns**2 - len(framed), *framed.shape[1:]), float("nan"))
    rows = torch.cat([framed, empty]).unflatten(0, (columns, columns))
    return rows.permute(0, 2, 1, 3).reshape(columns * framed.shape[1], columns * framed.shape[2])


def show_depth(image: Float[Tensor, "3 h w"], maps: Mapping[str, Float[Tensor, "_ _ _"]]) -> Figure:
    """Draw a photograph and, beside it, nine channels of each feature map, from shallow to deep."""
    figure, row = plt.subplots(1, len(maps) + 1, figsize=(1.95 * (len(maps) + 1), 2.35), squeeze=False)
    show_image(image, "input", row[0][0])
    for axes, (name, features) in zip(row[0][1:], maps.items(), strict=True):
        axes.imshow(channel_mosaic(features).numpy(), cmap="magma", vmin=0, vmax=1)
        axes.set_title(f"{name}: {features.shape[0]} × {features.shape[-2]}×{features.shape[-1]}")
        axes.set_axis_off()
    for axes in row[0]:
        axes.set_title(axes.get_title(loc="left"), fontsize=8.5, pad=5)
    return figure


def show_probes(accuracy: Mapping[str, float], chance: float) -> Figure:
    """Draw, for each depth, the accuracy of a linear classifier that reads the features there."""
    figure, axes = plt.subplots(figsize=(8.2, 3.4))
    values = [100 * v for v in accuracy.values()]
    bars = axes.bar(list(accuracy), values, color=BLUE, width=0.72)
    axes.bar_label(bars, [f"{v:.0f}" for v in values], padding=3, weight="bold")
    axes.hlines(100 * chance, -0.5, len(values) - 0.5, color=RED, lw=1.4, ls="--")
    axes.text(len(values) - 0.42, 100 * chance, "guessing", color=RED, fontsize=9, weight="bold", va="center")
    axes.set(ylabel="accuracy of a linear probe, %", ylim=(0, 105))
    axes.grid(False, axis="x")
    return figure


def collect_curves(points: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, list[float]]]:
    """Sort points with "method", "images_per_class" and "accuracy" into what `draw_learning_curves` takes."""
    curves: dict[str, dict[int, list[float]]] = {}
    for point in points:
        runs = curves.setdefault(point["method"], {}).setdefault(point["images_per_class"], [])
        runs.append(point["accuracy"])
    return curves


def stored_curves(path: Path | None = None) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Read the learning curves that `python -m lecture_lib.training.transfer` measured, under a title that dates them.

    Returns an empty dict where the command has not been run.
    """
    path = path or data_root() / "results" / RESULT
    if not path.is_file():
        return {}
    result = read_json(path)
    seeds = len({point["seed"] for point in result["points"]})
    return {f"{seeds} seeds, {result['date']}: mean ± deviation": collect_curves(result["points"])}
