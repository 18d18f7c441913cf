"""How many times faster, beside how many times the lecture says: for notebooks 4 and 5, from one measurement."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lecture_lib.files import data_root
from lecture_lib.plotting.rcnn_training import bare
from lecture_lib.plotting.search import duration
from lecture_lib.plotting.style import BLUE, BROWN, GREEN, MUTED, ORANGE, PAPER, PURPLE, RED, SKY, YELLOW, ink_on
from lecture_lib.training.results import read_json

Number = float | int
NAMES = {
    "rcnn": "R-CNN",
    "sppnet": "SPPnet",
    "fast_rcnn": "Fast R-CNN",
    "faster_rcnn": "Faster R-CNN",
    "mask_rcnn": "Mask R-CNN",
}
CLAIMS = {  # the lecture's slides: (slower, faster) -> what -> how many times faster, from ... to ...
    ("rcnn", "sppnet"): {"inference": (10, 100), "training": (3, 3)},
    ("sppnet", "fast_rcnn"): {"inference": (10, 10), "training": (3, 3)},
}
SLACK = 1.5  # a claim of "3 times" is a round number: from 2 to 4.5 we call it reproduced
PARTS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, BROWN, MUTED)


def stored(name: str) -> dict[str, Any]:
    """A result in `data/results`: "one_pass" or "one_pass_map"; FileNotFoundError before its command was run."""
    return read_json(data_root() / "results" / f"{name}.json")


def times_faster(result: Mapping[str, Any], slower: str, faster: str) -> dict[str, float]:
    """How many times faster one detector is than another: inference by number of regions, and training.

    result: that of `python -m tests.benchmarks.one_pass`. Inference twice: as the papers count it, without the
    proposals, and with the Selective Search that both have to wait for.
    """
    ratios, wait = {}, result["propose"]
    for regions, seconds in result["inference"].items():
        a, b = (sum(seconds[name].values()) for name in (slower, faster))
        ratios[f"inference, {int(regions):,} regions"] = a / b
        ratios[f"inference, {int(regions):,} regions, proposals counted"] = (a + wait) / (b + wait)
    a, b = (sum(result["training"][name].values()) for name in (slower, faster))
    return ratios | {"training": a / b}


def ratio_table(result: Mapping[str, Any], slower: str = "rcnn", faster: str = "sppnet") -> str:
    """Markdown: how many times faster one detector is than another, what the lecture says, and whether it holds."""
    claims = CLAIMS[slower, faster]
    rows = [f"| {NAMES[faster]} against {NAMES[slower]} | the lecture | measured | |", "|---|---|---|---|"]
    for what, measured in times_faster(result, slower, faster).items():
        low, high = claims[what.partition(",")[0]]
        counted = what.endswith("counted")  # the papers leave the proposals out: no claim to be judged
        said = "" if counted else f"{low}×" if low == high else f"{low} to {high}×"
        judged = "" if counted else verdict(measured, low, high)
        rows.append(f"| {what} | {said} | **{measured:.2g}×** | {judged} |")
    return "\n".join(rows)


def verdict(measured: Number, low: Number, high: Number) -> str:
    """In words, whether a measured ratio bears out a claim of `low` to `high` times, round numbers allowed for.

    Raises `ValueError` for ratios that are not positive and for `low` above `high`.
    """
    if measured <= 0 or not 0 < low <= high:
        raise ValueError(f"verdict: ratios are positive and low <= high, got {measured}, {low} and {high}")
    if low / SLACK <= measured <= high * SLACK:
        return "as the lecture says"
    if measured > high:
        return "more than the lecture says"
    if measured >= 1.1:
        return "faster, but less than the lecture says"
    return "no difference here" if measured > 1 / 1.1 else "slower here: not as the lecture says"


def quickest(runs: Sequence[Mapping[str, Number]]) -> Mapping[str, Number]:
    """Of several measurements of the same thing the one with the smallest sum: the least disturbed one."""
    return min(runs, key=lambda seconds: sum(seconds.values()))


def largest_part(seconds: Mapping[str, Number]) -> tuple[str, float]:
    """The slot or stage that takes longest, and its share of the sum."""
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def why(rows: Mapping[str, Mapping[str, Number]]) -> str:
    """A sentence for each row: which slot or stage its time is spent on."""
    lines = []
    for title, seconds in rows.items():
        name, share = largest_part(seconds)
        lines.append(f"- **{title}**: {duration(float(sum(seconds.values())))}, of which `{name}` takes {share:.0%}.")
    return "\n".join(lines)


def inference_rows(
    result: Mapping[str, Any], names: Sequence[str] = ("rcnn", "sppnet"), propose: bool = False
) -> dict[str, Mapping[str, Number]]:
    """Seconds of an image by slot, a row for each detector and number of regions, for `seconds_by_part` and `why`."""
    wait = {"propose": result["propose"]} if propose else {}
    return {
        f"{_said(name)}, {int(regions):,} regions": wait | seconds[name]
        for regions, seconds in result["inference"].items()
        for name in names
    }


def training_rows(
    result: Mapping[str, Any], names: Sequence[str] = ("rcnn", "sppnet")
) -> dict[str, Mapping[str, Number]]:
    """Seconds of a training by stage, a row for each detector, for `seconds_by_part` and `why`."""
    return {NAMES[name]: result["training"][name] for name in names}


def accuracy_row(result: Mapping[str, Any], detectors: Sequence[str] = ("rcnn", "sppnet")) -> dict[str, list[float]]:
    """Mean average precision of some detectors and of their variants, a value for each deal, for `precision_bars`."""
    variants = [name for name in result["deals"][0]["variants"] if name.partition(",")[0] in detectors]
    return {_said(name): [deal["variants"][name] for deal in result["deals"]] for name in variants}


def accuracy_sentence(result: Mapping[str, Any], variant: str, base: str) -> str:
    """The difference of two variants, paired deal by deal, and whether it is larger than its own deviation."""
    differences = [deal["variants"][variant] - deal["variants"][base] for deal in result["deals"]]
    center, spread = mean(differences), stdev(differences) if len(differences) > 1 else 0.0
    difference = f"{center:+.3f}".replace("-", "−")
    judged = (
        "more than the deviation" if abs(center) > spread else "not more than the deviation: no difference to claim"
    )
    return f"{_said(variant)} minus {_said(base)}, deal by deal: **{difference} ± {spread:.3f}** mAP, {judged}."


def _said(variant: str) -> str:
    name, comma, rest = variant.partition(",")
    return NAMES.get(name, name) + comma + rest


def seconds_by_part(rows: Mapping[str, Mapping[str, Number]]) -> Figure:
    """Stacked bars of seconds by slot or stage: on the left to scale, on the right each row's shares of its own sum."""
    parts = list(dict.fromkeys(part for seconds in rows.values() for part in seconds))
    colors = {part: PARTS[i % len(PARTS)] for i, part in enumerate(parts)}
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 1.25 + 0.5 * len(rows)), sharey=True)
    sums = [float(sum(seconds.values())) for seconds in rows.values()]
    for y, (seconds, total) in enumerate(zip(rows.values(), sums, strict=True)):
        _stack(left, y, seconds, colors)
        left.text(total + 0.015 * max(sums), y, duration(total), va="center", weight="bold", fontsize=11)
        _stack(right, y, {part: value / total for part, value in seconds.items()}, colors, named=True)
    left.set_yticks(range(len(rows)), list(rows))
    left.set(xlim=(0, 1.2 * max(sums)), ylim=(len(rows) - 0.5, -0.5), title="time, to scale")
    right.set(xlim=(0, 1), title="share of each part")
    for axes in (left, right):
        bare(axes)
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in colors.values()]
    figure.legend(handles, list(colors), loc="outside lower center", ncols=min(7, len(parts)), fontsize=9.5)
    return figure


def _stack(axes: Axes, y: int, values: Mapping[str, Number], colors: Mapping[str, str], named: bool = False) -> None:
    start = 0.0
    for part, value in values.items():
        axes.barh(y, value, 0.66, left=start, color=colors[part], ec=PAPER, lw=0.8 if named else 0)
        if named and value > 0.08:
            text = f"{value:.0%}"
            axes.text(
                start + value / 2,
                y,
                text,
                ha="center",
                va="center",
                color=ink_on(colors[part]),
                weight="bold",
                fontsize=9.5,
            )
        start += value
