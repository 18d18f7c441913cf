"""Figures of what R-CNN costs and what each of its parts is worth: seconds by slot, precision, the ablation."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lecture_lib.detectors import SLOTS
from lecture_lib.files import data_root
from lecture_lib.plotting.costs import HALO
from lecture_lib.plotting.rcnn_training import bare
from lecture_lib.plotting.search import duration
from lecture_lib.plotting.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, RED, SKY, YELLOW, ink_on
from lecture_lib.training.rcnn_ablation import BASES, COMPLETE, compare
from lecture_lib.training.results import read_json


def precision_bars(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Mean average precision of some methods, a panel for each measurement; of more values mean ± deviation."""
    figure, row = plt.subplots(1, len(panels), figsize=(5.3 * len(panels), 2.6), squeeze=False)
    for axes, (title, methods) in zip(row[0], panels.items(), strict=True):
        centers = [mean(values) for values in methods.values()]
        spreads = [stdev(values) if len(values) > 1 else 0 for values in methods.values()]
        axes.barh(list(methods), centers, 0.6, color=[BLUE, ORANGE, GREEN, PURPLE][: len(methods)])
        for y, (center, spread) in enumerate(zip(centers, spreads, strict=True)):
            if spread:
                axes.errorbar(center, y, xerr=spread, color=INK, capsize=4, lw=1.4)
            text = f"{center:.3f}" + (f" ± {spread:.3f}" if spread else "")
            axes.text(center + spread + 0.02, y, text, va="center", weight="bold")
        axes.set(xlim=(0, 1.25), ylim=(len(methods) - 0.5, -0.5))
        axes.set_title(title, fontsize=10)
        bare(axes)
    return figure


def slot_seconds(rows: Mapping[str, Mapping[str, float]], said: Callable[[float], str] = duration) -> Figure:
    """Seconds of each slot as one stacked bar for every row, the large ones named inside, the sum at the end.

    said: how a number is written; with another one the bars may be of something else than seconds.
    """
    figure, axes = plt.subplots(figsize=(11, 0.9 + 0.75 * len(rows)))
    order = list(dict.fromkeys(slot for seconds in rows.values() for slot in seconds))
    palette = (MUTED, SKY, GREEN, BLUE, ORANGE, RED, PURPLE, YELLOW)
    colors = dict(zip(dict.fromkeys((*SLOTS, *order)), palette, strict=False))
    longest = max(sum(seconds.values()) for seconds in rows.values())
    for y, seconds in enumerate(rows.values()):
        left = 0.0
        for slot in order:
            width = seconds.get(slot, 0.0)
            axes.barh(y, width, 0.66, left=left, color=colors[slot])
            if width > 0.13 * longest:  # wide enough for its name
                style = {"color": ink_on(colors[slot]), "weight": "bold", "fontsize": 9.5}
                axes.text(left + width / 2, y, f"{slot} {said(width)}", ha="center", va="center", **style)
            left += width
        axes.text(left + 0.01 * longest, y, said(left), va="center", weight="bold", fontsize=11)
    small = [f"{slot} {said(max(s.get(slot, 0.0) for s in rows.values()))}" for slot in order]
    parts = [Patch(color=colors[slot]) for slot in order]
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": len(order), "fontsize": 9.5, "handlelength": 1}
    axes.legend(parts, small, title="longest of each slot" if len(rows) > 1 else None, alignment="left", **above)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlim=(0, 1.15 * longest), ylim=(len(rows) - 0.5, -0.5))
    bare(axes)
    return figure


def seconds_bars(rows: Sequence[tuple[str, float]], said: tuple[str, float]) -> Figure:
    """Named seconds as bars, and a dashed line for what somebody else says, (text, seconds)."""
    figure, axes = plt.subplots(figsize=(10, 0.9 + 0.55 * len(rows)))
    for y, (_, seconds) in enumerate(rows):
        axes.barh(y, seconds, 0.6, color=BLUE)
        axes.text(seconds, y, f"  {duration(seconds)}", va="center", weight="bold", path_effects=HALO, zorder=3)
    text, seconds = said
    axes.axvline(seconds, color=RED, ls="--", lw=1.6)
    axes.text(seconds, -0.62, text, color=RED, ha="center", va="bottom", weight="bold", fontsize=9.5)
    longest = max(seconds, *(s for _, s in rows))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set(xlim=(0, 1.2 * longest), ylim=(len(rows) - 0.5, -0.55))
    bare(axes)
    return figure


def stored_result() -> dict[str, Any]:
    """What `python -m lecture_lib.training.rcnn_ablation --save` measured; FileNotFoundError before it was run."""
    return read_json(data_root() / "results" / "rcnn.json")


def variant(result: Mapping[str, Any], name: str) -> list[float]:
    """Mean average precision of a variant in every deal of a stored result that has it."""
    return [deal["variants"][name] for deal in result["deals"] if name in deal["variants"]]


def ablation(result: Mapping[str, Any]) -> Figure:
    """What each part is worth: the paired difference of every variant, with its deviation; grey is "no effect".

    Variants of lambda have the panel on the right, against lambda.
    """
    names = list(result["deals"][0]["variants"])
    lambdas = {float(name.removeprefix("lambda ")): name for name in names if name.startswith("lambda ")}
    parts = [name for name in names if name != COMPLETE and name not in lambdas.values()]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 0.9 + 0.46 * max(6, len(parts))), width_ratios=(3, 2))
    _draw_parts(left, [compare(result["deals"], name) for name in parts])
    against = [f"{name}\n(against: {BASES[name]})" if name in BASES else name for name in parts]
    left.set_yticks(range(len(parts)), against, fontsize=9.5)
    left.set(ylim=(len(parts) - 0.4, -0.8), title=f"mAP minus that of the {COMPLETE} detector")
    _draw_lambdas(right, result, lambdas)
    return figure


def _draw_parts(axes: Axes, measured: Sequence[tuple[float, float, bool]]) -> None:
    """A point with its deviation and its number a row; an arrow at the edge where it is off the scale."""
    limit = _limit([center for center, _, _ in measured])
    for y, (center, spread, effect) in enumerate(measured):
        color, inside = BLUE if effect else MUTED, abs(center) <= limit
        shown = max(-limit, min(limit, center))
        mark = "o" if inside else "<" if center < 0 else ">"
        axes.errorbar(shown, y, xerr=spread if inside else None, fmt=mark, color=color, capsize=4, ms=8)
        number = f"{center:+z.3f}".replace("-", "−")
        text = number + ("" if effect else "  no effect") + ("" if inside else "  (off the scale)")
        side = "center" if inside else "left" if center < 0 else "right"
        axes.annotate(text, (shown, y), (0, 7), textcoords="offset points", ha=side, color=color, weight="bold")
    axes.axvline(0, color=MUTED, lw=1.2)
    axes.margins(x=0.2)  # room for the numbers


def _limit(centers: Sequence[float]) -> float:
    """The largest difference to draw to scale: not one that dwarfs all others, which would press them together."""
    sizes = sorted(map(abs, centers), reverse=True)
    dwarfs = len(sizes) > 2 and sizes[0] > 5 * sizes[1] > 0
    return 2 * sizes[1] if dwarfs else max(sizes, default=1.0)


def _draw_lambdas(axes: Axes, result: Mapping[str, Any], lambdas: Mapping[float, str]) -> None:
    points = [(ridge, *compare(result["deals"], lambdas[ridge])) for ridge in sorted(lambdas)]
    for ridge, center, spread, effect in points:
        axes.errorbar(ridge, center, yerr=spread, fmt="o", color=BLUE if effect else MUTED, capsize=4)
    axes.plot([p[0] for p in points], [p[1] for p in points], color=MUTED, lw=1.2, zorder=0)
    axes.set(xscale="log", xlabel="λ of the box regressors", title="the same for other λ")
    axes.minorticks_off()
