"""Figures of the seventh notebook: the four detectors side by side, what each costs, and the papers' numbers."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.detectors import ALL_SLOTS, SLOTS, Detector, Trace, changed_slots
from lecture_lib.encoders import WholeImage
from lecture_lib.plotting.coverage import spread
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.ratios import NAMES
from lecture_lib.plotting.rcnn import draw_slot, filled_by
from lecture_lib.plotting.rcnn_results import slot_seconds
from lecture_lib.plotting.rcnn_training import bare
from lecture_lib.plotting.search import duration
from lecture_lib.plotting.sppnet import shade
from lecture_lib.plotting.style import BLUE, DETECTION, GREEN, GROUND_TRUTH, MUTED, ORANGE, PROPOSAL, PURPLE
from lecture_lib.structures import Detections, Target
from lecture_lib.training.variants import compare, mean_and_deviation

COLORS = (MUTED, ORANGE, GREEN, BLUE)  # of the four detectors, in their order
SEARCH = 1.51  # seconds of Selective Search an image (Faster R-CNN, table 5); table 4 of Fast R-CNN leaves them out
PAPERS = {  # PASCAL VOC 2007 test, all with VGG16: mAP, seconds an image on a GPU, proposals included as in ours
    "rcnn": (0.660, SEARCH + 47.0),  # Fast R-CNN, table 4, as the next two
    "sppnet": (0.631, SEARCH + 2.3),
    "fast_rcnn": (0.669, SEARCH + 0.32),
    "faster_rcnn": (0.699, 0.198),  # Faster R-CNN, tables 3 and 5
}


def slot_table(detectors: Mapping[str, Detector]) -> Figure:
    """The slots of several detectors, a row for each; coloured what differs from the row above."""
    rows = list(detectors.values())
    columns = [name for name in ALL_SLOTS if any(getattr(detector, name) is not None for detector in rows)]
    figure, axes = plt.subplots(figsize=(2 + 1.75 * len(columns), 1.35 * len(rows)))
    for number, detector in enumerate(rows):
        now = changed_slots(rows[number - 1], detector) if number else SLOTS
        for x, name in enumerate(columns):
            if getattr(detector, name) is not None:
                draw_slot(axes, (x, -1.1 * number), name, getattr(detector, name), name in now)
    for number, key in enumerate(detectors):
        axes.text(-0.1, 0.5 - 1.1 * number, NAMES.get(key, key), ha="right", va="center", weight="bold", fontsize=12)
    axes.set(xlim=(-1.15, len(columns) - 0.1), ylim=(-1.1 * (len(rows) - 1) - 0.05, 1.05))
    axes.set_axis_off()
    return figure


def slot_table_text(detectors: Mapping[str, Detector]) -> str:
    """The same as a table in Markdown; "=" where the algorithm is that of the detector before."""
    rows, keys = list(detectors.values()), [NAMES.get(key, key) for key in detectors]
    lines = ["| slot | " + " | ".join(keys) + " |", "|---" * (1 + len(keys)) + "|"]
    changes = [SLOTS, *(changed_slots(*pair) for pair in pairwise(rows))]
    for name in SLOTS:
        cells = [
            f"**{filled_by(getattr(detector, name))}**" if name in changed else "="
            for detector, changed in zip(rows, changes, strict=True)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def work_bars(work: Mapping[str, Mapping[str, int]]) -> Figure:
    """Billions of multiply-adds of every detector by slot, in the form and colours of `slot_seconds`."""
    billions = {NAMES.get(key, key): {slot: n / 1e9 for slot, n in slots.items()} for key, slots in work.items()}
    figure = slot_seconds(billions, said=lambda value: f"{value:.2g}")
    figure.axes[0].get_legend().set_title("billions of multiply-adds for one picture; most of each slot")
    return figure


def summary_pictures(
    image: Float[Tensor, "3 h w"], detectors: Mapping[str, Detector], traces: Mapping[str, Trace], best: int = 40
) -> Figure:
    """The summary slides from the detectors themselves: what each encodes, proposes, pools for one region, detects.

    The region is the one behind the detector's surest detection. Raises `ValueError` where nothing was detected.
    """
    figure, grid = plt.subplots(len(detectors), 4, figsize=(12, 2.55 * len(detectors)), squeeze=False)
    for row, (key, detector) in enumerate(detectors.items()):
        trace = traces[key]
        if not len(trace.detections):
            raise ValueError(f"{NAMES.get(key, key)} detects nothing in this picture; take another one")
        region = trace.proposals[trace.detections.proposal_index[:1]]
        encoded, proposed, pooled, detected = grid[row]
        show_image(encoded_picture(detector, image, trace), axes=encoded)
        show_image(image, axes=proposed)
        draw_boxes(proposed, trace.proposals.boxes[:best], PROPOSAL, width=0.8)
        draw_boxes(proposed, region.boxes, ORANGE, width=2.4)
        show_image(pooled_picture(detector, trace, region), axes=pooled)
        show_image(image, axes=detected)
        draw_boxes(detected, trace.detections.boxes[:1], DETECTION, [named(detector, trace)], width=2.4)
        _title_row(list(grid[row]), key, detector, trace)
    return figure


def _title_row(row: Sequence[Axes], key: str, detector: Detector, trace: Trace) -> None:
    each = "each region" if isinstance(detector.encode, WholeImage) else "the picture"
    texts = (
        f"{NAMES.get(key, key)}: the CNN sees {each}",
        f"{len(trace.proposals)} × {filled_by(detector.propose)}",
        f"{filled_by(detector.pool)} → {filled_by(detector.embed)}",
        f"{filled_by(detector.predict)} → {filled_by(detector.decode)}",
    )
    for axes, text in zip(row, texts, strict=True):
        axes.set_title(text, fontsize=9)


def encoded_picture(detector: Detector, image: Float[Tensor, "3 h w"], trace: Trace) -> Float[Tensor, "_ _ _"]:
    """What `encode` hands on, as a picture: the image itself, or the mean of the last map's channels."""
    return image if isinstance(detector.encode, WholeImage) else shade(trace.maps[-1])


@torch.no_grad()
def pooled_picture(detector: Detector, trace: Trace, region: Any) -> Float[Tensor, "_ _ _"]:
    """What one region becomes, as a picture: its warped pixels, or the mean of its grid's channels.

    A pyramid's vector is cut into its levels; its finest is shown.
    """
    pooled = detector.pool(trace.maps, region)[0]
    if pooled.dim() == 3 and pooled.shape[0] == 3:
        return pooled
    if pooled.dim() == 1:
        side = max(detector.pool.levels)
        pooled = pooled[: trace.maps[0].tensor.shape[0] * side * side].unflatten(0, (-1, side, side))
    values = pooled.mean(0, keepdim=True)
    return (values - values.min()) / (values.max() - values.min()).clamp(min=1e-9)


def named(detector: Detector, trace: Trace) -> str:
    """Class and score of the surest detection."""
    return f"{detector.classes[int(trace.detections.labels[0]) - 1]} {float(trace.detections.scores[0]):.2f}"


def sure_detections(detector: Detector, trace: Trace, least: float = 0.5) -> Detections:
    """Of SVMs the detections with a margin above 0, of probabilities those above `least`."""
    return trace.detections[trace.detections.scores > (0.0 if detector.rule.score_threshold < 0 else least)]


def found_by_all(
    image: Float[Tensor, "3 h w"],
    detectors: Mapping[str, Detector],
    traces: Mapping[str, Trace],
    target: Target | None = None,
) -> Figure:
    """The sure detections of every detector in the same picture, and before them, if it is known, the ground truth."""
    columns = len(detectors) + (target is not None)
    figure, row = plt.subplots(1, columns, figsize=(14, 0.4 + 11 / columns), squeeze=False)
    panels = list(row[0])
    if target is not None:
        classes = next(iter(detectors.values())).classes
        show_image(image, "ground truth", panels[0])
        names = [classes[label - 1] for label in target.labels.tolist()]
        draw_boxes(panels.pop(0), target.boxes, GROUND_TRUTH, names)
    for axes, (key, detector) in zip(panels, detectors.items(), strict=True):
        sure = sure_detections(detector, traces[key])
        show_image(image, NAMES.get(key, key), axes)
        draw_boxes(axes, sure.boxes, DETECTION, [detector.classes[label - 1] for label in sure.labels.tolist()])
    return figure


def agreement(first: Detections, second: Detections, least: float = 0.5) -> int:
    """How many of the first detections are among the second too: of the same class, and at IoU `least` or more."""
    same = (iou(first.boxes, second.boxes) >= least) & (first.labels[:, None] == second.labels)
    return int(same.any(1).sum())


def ladder_panels(result: Mapping[str, Any]) -> Figure:
    """The measured ladder: mean average precision, seconds an image, seconds of training, bytes stored."""
    rows = result["rows"]
    figure, panels = plt.subplots(1, 4, figsize=(13, 0.9 + 0.5 * len(rows)), sharey=True)
    maps = [row["maps"] for row in rows.values()]
    _panel(panels[0], "mAP", [mean(values) for values in maps], [mean_and_deviation(values) for values in maps])
    inference = [sum(row["seconds"].values()) for row in rows.values()]
    training = [sum(row["training"].values()) for row in rows.values()]
    stored = [row["bytes"] for row in rows.values()]
    _panel(panels[1], "seconds an image", inference, [duration(value) for value in inference])
    _panel(panels[2], "training", training, [duration(value) for value in training])
    _panel(panels[3], "stored for training", stored, [f"{value / 1e9:.1f} GB" for value in stored])
    panels[0].set_yticks(range(len(rows)), [NAMES.get(key, key) for key in rows], fontsize=11)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _panel(axes: Axes, title: str, values: Sequence[float | int], texts: Sequence[str]) -> None:
    axes.barh(range(len(values)), values, 0.62, color=COLORS)
    for y, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.text(value + 0.02 * max(values), y, text, va="center", weight="bold", fontsize=9.5)
    axes.set(xlim=(0, 1.75 * max(values)))
    axes.set_title(title, fontsize=10.5)
    bare(axes)


def ladder_text(result: Mapping[str, Any]) -> str:
    """The measured ladder as a table in Markdown, the papers' numbers beside ours."""
    rows = ["| | mAP | seconds an image | passes of the CNN | training, s | stored | papers: mAP | papers: s |"]
    rows.append("|---" * 8 + "|")
    for key, row in result["rows"].items():
        precision, seconds = PAPERS[key]
        cells = (
            f"{NAMES[key]} | {mean_and_deviation(row['maps'])} | {sum(row['seconds'].values()):.3f} "
            f"| {row['passes']:,} | {sum(row['training'].values()):,.0f} | {row['bytes'] / 1e9:.1f} GB "
            f"| {precision:.3f} | {seconds:.1f}"
        )
        rows.append(f"| {cells} |")
    return "\n".join(rows)


def steps_beside_papers(result: Mapping[str, Any], live: Mapping[str, float] | None = None) -> Figure:
    """How many times faster than R-CNN each detector is: stored, the papers', and, if given, here on one picture."""
    measured = {key: sum(row["seconds"].values()) for key, row in result["rows"].items()}
    lines = {f"measured, {result['date']}": measured, "the papers (VGG16, GPU)": {k: v[1] for k, v in PAPERS.items()}}
    lines |= {"here, one picture": dict(live)} if live else {}
    figure, axes = plt.subplots(figsize=(9, 3.8))
    keys = list(PAPERS)
    curves = {name: [seconds["rcnn"] / seconds[key] for key in keys] for name, seconds in lines.items()}
    heights = spread([math.log10(curve[-1]) for curve in curves.values()], gap=0.2)
    for color, (name, faster), height in zip((BLUE, ORANGE, PURPLE), curves.items(), heights, strict=False):
        axes.plot(range(len(keys)), faster, "o-", color=color)
        axes.annotate(
            f"{name}: {faster[-1]:.0f}×", (len(keys) - 1, 10**height), (8, 0), textcoords="offset points",
            color=color, va="center", weight="bold",
        )  # fmt: skip
    axes.set_xticks(range(len(PAPERS)), [NAMES[key] for key in PAPERS])
    axes.set(yscale="log", xlim=(-0.2, len(PAPERS) + 0.6), ylabel="times faster than R-CNN")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    return figure


def precision_steps(result: Mapping[str, Any]) -> str:
    """Sentences: mAP from rung to rung and over all rungs, ours paired deal by deal, and the papers'."""
    keys, lines = list(result["rows"]), []
    by_deal = zip(*(row["maps"] for row in result["rows"].values()), strict=True)
    deals = [{"variants": dict(zip(keys, maps, strict=True))} for maps in by_deal]
    for before, after in (*pairwise(keys), (keys[0], keys[-1])):
        less, spread, effect = compare(deals, after, before)
        judged = "more than the deviation" if effect else "no effect beyond the deviation"
        papers = PAPERS[after][0] - PAPERS[before][0]
        shown = f"{less:+.3f}" + (f" ± {spread:.3f}" if len(deals) > 1 else "")
        lines.append(f"- {NAMES[before]} → {NAMES[after]}: **{shown}** mAP, {judged}; in the papers {papers:+.3f}.")
    return "\n".join(lines)


def stage_counts(result: Mapping[str, Any], least: float = 0.01) -> dict[str, tuple[str, ...]]:
    """The stages of each detector's training that took at least the share `least`: R-CNN's maps are the images."""
    found = {}
    for key, row in result["rows"].items():
        total = sum(row["training"].values())
        found[NAMES[key]] = tuple(stage for stage, value in row["training"].items() if value >= least * total)
    return found
