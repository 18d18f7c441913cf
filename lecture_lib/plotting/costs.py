"""What networks cost: bars of multiply-adds and milliseconds, curves of the multipliers, the search's trade-off."""

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from lecture_lib.mobile import Cost, Latency, mnasnet_reward
from lecture_lib.plotting.style import (
    BLUE,
    CYCLE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    as_text,
    ink_on,
    label_line,
)

HALO = [withStroke(linewidth=3, foreground=PAPER)]  # keeps a label readable where it crosses a line
PART_COLORS = {"depthwise": ORANGE, "pointwise": BLUE, "expand": BLUE, "project": PURPLE}  # as in show_wiring


def show_costs(costs: Mapping[str, tuple[Cost, Latency]]) -> Figure:
    """Draw multiply-adds, parameters and milliseconds of a few networks or blocks, side by side."""
    panels = {
        "million multiply-adds": [c.multiply_adds / 1e6 for c, _ in costs.values()],
        "thousand parameters": [c.parameters / 1e3 for c, _ in costs.values()],
        "milliseconds, measured here": [t.milliseconds for _, t in costs.values()],
    }
    figure, row = plt.subplots(1, 3, figsize=(9.5, 0.75 + 0.52 * len(costs)), sharey=True)
    for axes, (title, values) in zip(row, panels.items(), strict=True):
        bars = axes.barh(list(costs), values, color=CYCLE[: len(costs)], height=0.66)
        axes.bar_label(bars, [f"{v:,.3g}" if v < 1000 else f"{v:,.0f}" for v in values], padding=4, weight="bold")
        axes.set_title(title, weight="normal", fontsize=10)
        axes.set_xlim(0, 1.3 * max(values))
        _bare(axes)
    row[0].invert_yaxis()
    return figure


def show_shares(shares: Mapping[str, Mapping[str, int | float]]) -> Figure:
    """Draw what each row is made of, in percent of the row: e.g. multiply-adds and milliseconds of a block's layers."""
    figure, axes = plt.subplots(figsize=(8.5, 0.4 + 0.6 * len(shares)))
    for row, (name, parts) in enumerate(shares.items()):
        left = 0.0
        for part, value in parts.items():
            width = value / sum(parts.values())
            axes.barh(
                name, width, left=left, color=PART_COLORS.get(part, MUTED), height=0.72, edgecolor=PAPER, linewidth=1.5
            )
            wide = width > 0.17
            label = f"{part} {width:.0%}" if wide else f"{width:.0%}"
            color = PART_COLORS.get(part, MUTED)
            style = {"ha": "center", "va": "center", "color": ink_on(color), "weight": "bold", "fontsize": 9.5}
            axes.text(left + width / 2, row, label, **style)
            if not wide:  # no room inside: the name stands below its part
                axes.text(left, row + 0.38, part, va="top", color=as_text(color), weight="bold", fontsize=8.5)
            left += width
    axes.set(xlim=(0, 1), ylim=(len(shares) - 0.3, -0.5))
    _bare(axes)
    return figure


def _bare(axes: Axes) -> None:
    """Bars that carry their numbers need no scale."""
    axes.grid(False)
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)


def show_multipliers(panels: Mapping[str, Mapping[int | float, tuple[Cost, Latency]]]) -> Figure:
    """Draw how multiply-adds, parameters and milliseconds follow a multiplier, as fractions of the largest setting's.

    A panel maps a multiplier's settings to (Cost, Latency); the dashed curve is the square of the setting.
    """
    figure, row = plt.subplots(1, len(panels), figsize=(4.7 * len(panels), 3.6), sharey=True, squeeze=False)
    for axes, (name, settings) in zip(row[0], panels.items(), strict=True):
        top = max(settings)
        x = sorted(settings)
        series = {
            "multiply-adds": (BLUE, [settings[v][0].multiply_adds for v in x]),
            "parameters": (GREEN, [settings[v][0].parameters for v in x]),
            "milliseconds": (ORANGE, [settings[v][1].milliseconds for v in x]),
        }
        square = torch.linspace(0, top, 60)
        axes.plot(square, (square / top) ** 2, "--", color=MUTED, lw=1.4, label="square of the setting")
        for label, (color, values) in series.items():
            axes.plot(x, [v / values[-1] for v in values], "o-", color=color, label=label)
        axes.set(xlabel=name, xticks=x, ylim=(0, 1.08), xlim=(0, 1.05 * top))
    row[0][0].set_ylabel("fraction of the full network")
    row[0][0].legend(loc="upper left")
    return figure


def show_manifold(
    curves: Mapping[str, Float[Tensor, "2 p"]], lost: Mapping[str, Bool[Tensor, " p"]] | None = None
) -> Figure:
    """Draw curves in the plane side by side, each filling its panel, points that are `lost` as thin grey ones.

    Any other point keeps its colour from panel to panel.
    """
    figure, row = plt.subplots(1, len(curves), figsize=(1.65 * len(curves), 1.95), squeeze=False)
    for axes, (title, curve) in zip(row[0], curves.items(), strict=True):
        limit = 1.15 * curve.abs().max().item() or 1.0
        kept = ~(lost or {}).get(title, torch.zeros(curve.shape[1], dtype=torch.bool))
        axes.scatter(*curve[:, ~kept].tolist(), color=MUTED, s=2, lw=0, zorder=3)
        color = torch.linspace(0, 1, curve.shape[1])[kept]
        axes.scatter(*curve[:, kept].tolist(), c=color, cmap="plasma", vmin=0, vmax=1, s=9, lw=0)
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_title(title, loc="center", fontsize=9.5)
    return figure


def worst_ranked(sampled: Sequence[tuple[Cost, Latency]]) -> tuple[int, int]:
    """Return the rows (i, j) where i has fewer multiply-adds than j and yet is slower, the most wrongly.

    Returns (0, 0) where multiply-adds and milliseconds agree on every order.
    """
    best, score = (0, 0), 1.0
    for i, (cost_i, time_i) in enumerate(sampled):
        for j, (cost_j, time_j) in enumerate(sampled):
            slower = (time_i.milliseconds - time_i.spread) / (time_j.milliseconds + time_j.spread)  # beyond the noise
            ratios = cost_j.multiply_adds / cost_i.multiply_adds, slower
            if min(ratios) > 1 and ratios[0] * ratios[1] > score:
                best, score = (i, j), ratios[0] * ratios[1]
    return best


def show_latencies(
    sampled: Sequence[tuple[Cost, Latency]], named: Mapping[str, tuple[Cost, Latency]] | None = None
) -> Figure:
    """Draw multiply-adds against measured milliseconds; red joins the two that multiply-adds rank most wrongly."""
    figure, axes = plt.subplots(figsize=(8.2, 4.3))
    points = [(cost.multiply_adds / 1e6, latency.milliseconds) for cost, latency in sampled]
    bars = {
        "yerr": [t.spread for _, t in sampled],
        "ecolor": MUTED,
        "label": "drawn at random; bar: spread of its runs",
    }
    axes.errorbar(*zip(*points, strict=True), fmt="o", color=BLUE, lw=1, ms=7, **bars)
    pair = [points[i] for i in worst_ranked(sampled)]
    axes.plot(*zip(*pair, strict=True), "o-", color=RED, ms=9, lw=1.6, zorder=4)
    axes.text(
        0.02, 0.97, "left red network: less to compute, yet slower", color=RED, transform=axes.transAxes, va="top"
    )
    for marker, (name, (cost, latency)) in zip("Ds^v", (named or {}).items(), strict=False):
        point = cost.multiply_adds / 1e6, latency.milliseconds
        axes.plot(*point, marker, color=ORANGE, mec=INK, ms=9, zorder=5, label=name)
    axes.legend(loc="lower right")
    axes.set(xlabel="million multiply-adds", ylabel="milliseconds, measured here", xlim=(0, None), ylim=(0, None))
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    return figure


def show_rewards(
    accuracy: Mapping[str, float], milliseconds: Mapping[str, float], target: float, weight: float = -0.07
) -> Figure:
    """Draw networks over the lines of equal reward ACC * (LAT / T)^w; the best one is marked."""
    figure, axes = plt.subplots(figsize=(8.2, 4.3))
    x, y = list(milliseconds.values()), [accuracy[name] for name in milliseconds]
    across = torch.logspace(math.log10(0.7 * min(x)), math.log10(1.9 * max(x)), 100)
    bottom, top = min(y) - 4, max(y) + 5
    for reward in range(20, 100, 4):
        line = reward * (across / target) ** -weight
        axes.plot(across, line, color=GRID, lw=1.4, zorder=0)
        if bottom < line[-1] < top:
            axes.text(across[-1], line[-1], f" reward {reward}", color=MUTED, fontsize=8.5, va="center")
    best = max(milliseconds, key=lambda name: mnasnet_reward(accuracy[name], milliseconds[name], target, weight))
    for name, latency in milliseconds.items():
        color = RED if name == best else INK
        axes.plot(latency, accuracy[name], "o", color=color, ms=9 if name == best else 7)
        label_line(axes, name, color, latency, accuracy[name])
    peak = (milliseconds[best], accuracy[best])
    axes.annotate("best reward", peak, xytext=(0, 8), textcoords="offset points", color=RED, ha="center", fontsize=9)
    axes.axvline(target, color=GREEN, lw=1.4, ls="--", zorder=0)
    axes.text(target, top, f" target {target:.3g} ms", color=GREEN, weight="bold", va="top")
    axes.set(xlabel="milliseconds, measured here", ylabel="ImageNet top-1 in the papers, %", xscale="log")
    axes.set(xlim=(across[0], across[-1]), ylim=(bottom, top))
    axes.grid(False)
    ticks = [t for t in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200) if across[0] <= t <= across[-1]]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    return figure


def show_scaling(growth: Mapping[str, Mapping[float, float]]) -> Figure:
    """Draw how the multiply-adds grow when depth, width, resolution or all three are scaled, both axes doubling."""
    figure, axes = plt.subplots(figsize=(8.2, 4.2))
    ends = []
    for color, (name, curve) in zip((GREEN, ORANGE, BLUE, RED), growth.items(), strict=False):
        x, y = list(curve), list(curve.values())
        axes.plot(x, y, "o-", color=color)
        ends.append((name, color, x[-1], y[-1]))
    axes.set(xlabel="scale factor", ylabel="multiply-adds, times the baseline's", xscale="log", yscale="log")
    factors, costs = (1, 1.5, 2, 3), (1, 2, 4, 8)
    axes.set_xticks(factors, [f"×{f:g}" for f in factors])
    axes.set_yticks(costs, [f"×{c}" for c in costs])
    axes.minorticks_off()
    axes.set_xlim(0.97, 4.0)
    label_ends(axes, ends)
    return figure


def label_ends(axes: Axes, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Name lines (text, color, x, y) beside their last points, moved apart where they end close together.

    Call it when the limits of the axes are final.
    """
    height = axes.get_position().height * axes.figure.get_figheight() * 72  # points
    last = -math.inf
    for text, color, x, y in sorted(ends, key=lambda end: end[3]):
        at = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1] * height
        moved = max(at, last + 13)
        offset = {"xytext": (8, moved - at), "textcoords": "offset points"}
        axes.annotate(text, (x, y), color=as_text(color), va="center", weight="bold", **offset)
        last = moved
