"""Figures of the fifth notebook: windows and their rounding, the gradient of pooling, ranks, differences of mAP."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor, nn

from lecture_lib.plotting.costs import HALO
from lecture_lib.plotting.ratios import NAMES
from lecture_lib.plotting.style import BLUE, INK, ORANGE, PAPER, PROPOSAL
from lecture_lib.pooling import bins, covered_windows, roi_pool, rounded_windows
from lecture_lib.structures import FeatureMap
from lecture_lib.training import variants
from lecture_lib.training.one_pass_ablation import BASES


def both_windows(feature_map: FeatureMap, boxes: Float[Tensor, "r 4"]) -> dict[str, Int[Tensor, "r 4"]]:
    """The windows of cells (both ends included) of boxes by SPPnet's rule and by Fast R-CNN's."""
    size = (feature_map.tensor.shape[1], feature_map.tensor.shape[2])
    return {
        "SPPnet": covered_windows(boxes, feature_map.stride, size),
        "Fast R-CNN": rounded_windows(boxes, feature_map.stride),
    }


def show_rounding(feature_map: FeatureMap, box: Float[Tensor, "4"], grid: tuple[int, int] = (7, 7)) -> Figure:
    """One box on the cells of the map, the window that each paper's rule makes of it, and its bins as bars."""
    figure, row = plt.subplots(1, 2, figsize=(10, 4.9))
    scale = box.new_tensor([feature_map.stride[1], feature_map.stride[0]] * 2)
    x1, y1, x2, y2 = (box / scale).tolist()
    for axes, (name, windows) in zip(row, both_windows(feature_map, box[None]).items(), strict=True):
        _show_cells(axes, feature_map.tensor.mean(0), (x1, y1, x2, y2))
        left, top, right, bottom = windows[0].tolist()
        place = (left - 0.5, top - 0.5), right - left + 1, bottom - top + 1
        axes.add_patch(Rectangle(*place, fc=ORANGE, ec=ORANGE, alpha=0.35))
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=PROPOSAL, lw=3))
        _show_bins(axes, bins(windows, *grid)[0], (left, top))
        axes.set_title(f"{name}: {right - left + 1} × {bottom - top + 1} cells in {grid[1]} × {grid[0]} bins")
    return figure


def _show_bins(axes: Axes, edges: Int[Tensor, "rows columns 4"], corner: tuple[int, int]) -> None:
    """A bar for each column and each row of bins, above and left of the window, every second one farther out."""
    left, top = corner
    style = {"lw": 5, "solid_capstyle": "butt", "clip_on": False}
    style["path_effects"] = [withStroke(linewidth=8, foreground=PAPER)]
    for i, (start, end) in enumerate(edges[0][:, [0, 2]].tolist()):
        out = top - 0.95 - 0.5 * (i % 2)
        axes.plot([start - 0.4, end - 0.6], [out, out], color=(BLUE, INK)[i % 2], **style)
    for i, (start, end) in enumerate(edges[:, 0][:, [1, 3]].tolist()):
        out = left - 0.95 - 0.5 * (i % 2)
        axes.plot([out, out], [start - 0.4, end - 0.6], color=(BLUE, INK)[i % 2], **style)


def _show_cells(axes: Axes, values: Tensor, around: tuple[float, float, float, float]) -> None:
    """Cells of a map in grey; cell i is centred on i. Two cells more than the box on every side are in view."""
    axes.imshow(values.detach().cpu().numpy(), cmap="Greys_r")
    x1, y1, x2, y2 = around
    height, width = values.shape
    axes.set(xlim=(max(-0.5, x1 - 2), min(width - 0.5, x2 + 2)), ylim=(min(height - 0.5, y2 + 2), max(-0.5, y1 - 2)))
    axes.set_axis_off()


def pooling_gradient(
    feature_map: FeatureMap, boxes: Float[Tensor, "r 4"], grid: tuple[int, int] = (7, 7)
) -> Float[Tensor, "c h w"]:
    """The gradient of the sum of all pooled values: how often each cell is the greatest of a bin (Fast R-CNN, eq. 4).

    A cell that wins in several bins, or in several regions, gets the sum.
    """
    features = feature_map.tensor.detach().requires_grad_()
    with torch.enable_grad():
        pooled = roi_pool(features, boxes, feature_map.stride, grid)
    return torch.autograd.grad(pooled.sum(), features)[0]


def show_gradient(
    feature_map: FeatureMap, box: Float[Tensor, "4"], channel: int, grid: tuple[int, int] = (7, 7)
) -> Figure:
    """Left a channel of the map and the cells of it that get a gradient, right the mean gradient of all channels."""
    gradient = pooling_gradient(feature_map, box[None], grid)
    scale = box.new_tensor([feature_map.stride[1], feature_map.stride[0]] * 2)
    around = tuple((box / scale).tolist())
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.9))
    _show_cells(left, feature_map.tensor[channel], around)
    for y, x in gradient[channel].nonzero().tolist():
        wins = int(gradient[channel, y, x])
        left.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, ec=ORANGE, lw=2.5))
        left.text(x, y, str(wins), ha="center", va="center", weight="bold", fontsize=9.5, path_effects=HALO)
    _show_cells(right, gradient.mean(0), around)
    won = int((gradient[channel] > 0).sum())
    left.set_title(f"channel {channel}, cells that win: {won}; numbers: bins won")
    right.set_title(f"the gradient, mean of {len(gradient)} channels")
    return figure


def kept_share(layer: nn.Linear) -> Float[Tensor, " n"]:
    """The share of the squared weights of a layer that its first 1, 2, .. n singular values hold."""
    weight = layer.weight.detach()
    small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    squares = torch.linalg.eigvalsh(small).flip(0).clamp(min=0)  # squared singular values, faster than by svdvals
    return squares.cumsum(0) / squares.sum()


def show_kept(layers: Mapping[str, tuple[nn.Linear, nn.Linear]]) -> Figure:
    """`kept_share` against the rank, for each layer as it was trained and, dashed, as it was drawn at random."""
    figure, axes = plt.subplots(figsize=(8.2, 3.4))
    for color, (name, pair) in zip((BLUE, ORANGE), layers.items(), strict=False):
        for layer, said, dashes in zip(pair, ("trained", "random"), ("-", "--"), strict=True):
            share = kept_share(layer)
            axes.plot(range(1, len(share) + 1), share, dashes, color=color, label=f"{name}, {said}")
    axes.set(xlabel="rank", ylabel="share of the squared weights", ylim=(0, 1.03), xlim=(0, None))
    axes.legend(loc="lower right")
    return figure


def rank_curves(deals: Sequence[Mapping[str, Any]], live: Mapping[int | None, float] | None = None) -> Figure:
    """The rank of fc6 against mAP (thin: one deal, thick: the mean) and against milliseconds; dotted: not cut.

    deals: each with its "svd" rows of rank (None: not cut), map and ms. live: milliseconds measured now, by rank.
    """
    tables = [{row["rank"]: row for row in deal["svd"]} for deal in deals]
    ranks = sorted(rank for rank in tables[0] if rank)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 3.7))
    for axes, key, digits in ((left, "map", ".3f"), (right, "ms", ".0f")):
        average = {rank: mean(table[rank][key] for table in tables) for rank in (*ranks, None)}
        _draw_ranks(axes, ranks, average, BLUE, "stored: 300 regions")
        text, place = f"not cut: {average[None]:{digits}}", (ranks[0], average[None])
        axes.annotate(text, place, (0, 4), textcoords="offset points", color=BLUE)
        axes.set(xscale="log", xlabel="rank of fc6")
        axes.set_xticks(ranks, [str(rank) for rank in ranks])
        axes.minorticks_off()
    for table in tables:
        left.plot(ranks, [table[rank]["map"] for rank in ranks], color=BLUE, lw=0.8, alpha=0.6)
    if live:
        _draw_ranks(right, [rank for rank in ranks if rank in live], live, ORANGE, "here: 300 regions")
    right.legend()
    left.set_title("mAP")
    right.set(title="milliseconds of the FC layers", ylim=(0, None))
    return figure


def _draw_ranks(axes: Axes, ranks: Sequence[int], values: Mapping[int | None, float], color: str, label: str) -> None:
    axes.plot(ranks, [values[rank] for rank in ranks], "o-", color=color, label=label)
    axes.axhline(values[None], color=color, ls=":", lw=1.6)


def difference(deals: Sequence[Mapping[str, Any]], name: str) -> str:
    """A sentence: what a variant's mAP is beside what it is compared with, and whether that is an effect."""
    base = BASES[name]
    less, spread, effect = variants.compare(deals, name, base)
    measured = [deal["variants"] for deal in deals if {name, base} <= deal["variants"].keys()]
    values = [mean(found[n] for found in measured) for n in (name, base)]
    said = "more than the deviation" if effect else "no effect beyond the deviation"
    name, base = (NAMES.get(n, n) for n in (name, base))
    return (
        f"{name}: mAP **{values[0]:.3f}**, {base}: **{values[1]:.3f}**. Difference {less:+.3f} ± {spread:.3f}, {said}."
    )
