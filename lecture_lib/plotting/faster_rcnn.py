"""Figures of the sixth notebook: anchors and what they fit, what the RPN says where, recall, seconds with proposals."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.boxes import iou
from lecture_lib.detectors import SLOTS, Detector
from lecture_lib.evaluation.ladder import with_regions
from lecture_lib.plotting.coverage import spread
from lecture_lib.plotting.pictures import draw_boxes
from lecture_lib.plotting.rcnn_results import precision_bars
from lecture_lib.plotting.rcnn_training import bare
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.sppnet import shade
from lecture_lib.plotting.style import (
    BLUE,
    CYCLE,
    GREEN,
    GROUND_TRUTH,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PROPOSAL,
    as_text,
    label_line,
)
from lecture_lib.proposals import Anchors, ScoredAnchors, anchor_grid, inside
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training import variants

PAPER_SECONDS = {  # Faster R-CNN, table 5: VGG16 on a K40 GPU, Selective Search on a CPU
    "Selective Search + Fast R-CNN": {"encode": 0.146, "propose": 1.510, "for each region": 0.174},
    "RPN + Fast R-CNN": {"encode": 0.141, "propose": 0.010, "for each region": 0.047},
}
VARIANTS = {"faster_rcnn": "Faster R-CNN, end to end", "fast_rcnn": "Fast R-CNN"}
SEARCHES = {"rpn": "RPN", "selective search": "Selective Search"}


def rows_at(feature_map: FeatureMap, anchors: Anchors, cell: tuple[int, int]) -> slice:
    """The rows of `anchor_grid` of the k anchors about cell (x, y). Raises ValueError for a cell outside the map."""
    (x, y), (rows, columns) = cell, feature_map.tensor.shape[1:]
    if not (0 <= x < columns and 0 <= y < rows):
        raise ValueError(f"the map has {columns} × {rows} cells: there is no cell {cell}")
    first = (y * columns + x) * len(anchors)
    return slice(first, first + len(anchors))


def anchor_sizes(anchors: Anchors) -> list[str]:
    """Width × height of the k anchors in pixels of the resized image, in their order."""
    boxes = anchors.about_origin()
    return [f"{w:.0f} × {h:.0f}" for w, h in (boxes[:, 2:] - boxes[:, :2]).tolist()]


def side_colors(anchors: Anchors) -> list[str]:
    """A colour for each of the k anchors, by its side."""
    return [CYCLE[a % len(anchors.sides) % len(CYCLE)] for a in range(len(anchors))]


def show_anchors(
    image: Float[Tensor, "3 h w"], feature_map: FeatureMap, anchors: Anchors, cell: tuple[int, int]
) -> Figure:
    """The k anchors about one cell (x, y) on the picture, a colour for each side; on the map its 3 x 3 window."""
    boxes = anchor_grid(feature_map, anchors)[rows_at(feature_map, anchors, cell)]
    left, right = row_of_pictures([image, shade(feature_map)], width=12.0)
    y, x = (torch.arange(n) * s for n, s in zip(_cells(feature_map), feature_map.stride, strict=True))
    centers = torch.cartesian_prod(y, x)
    left.scatter(centers[:, 1], centers[:, 0], s=3, color=PAPER, alpha=0.6, lw=0, clip_on=False)
    draw_boxes(left, boxes, side_colors(anchors), width=2.2)
    x, y = cell
    left.plot(x * feature_map.stride[1], y * feature_map.stride[0], "o", color=PAPER, mec=INK, ms=8)
    right.add_patch(Rectangle((x - 1, y - 1), 3, 3, fill=False, ec=ORANGE, lw=3))
    right.add_patch(Rectangle((x, y), 1, 1, fc=ORANGE, ec=PAPER, lw=1))
    left.set(xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))
    left.set_title(f"cell {cell}: {len(anchors)} anchors", fontsize=10.5)
    rows, columns = _cells(feature_map)
    right.set_title(f"its 3 × 3 window on the map of {columns} × {rows} cells", fontsize=10.5)
    return left.figure


def _cells(feature_map: FeatureMap) -> tuple[int, int]:
    return feature_map.tensor.shape[1], feature_map.tensor.shape[2]


def inside_bars(feature_map: FeatureMap, anchors: Anchors) -> Figure:
    """For each of the k anchors, how many of all its places lie inside the image (coloured) and cross its border."""
    whole = inside(anchor_grid(feature_map, anchors), feature_map.image_size).view(-1, len(anchors))
    counts, places = whole.sum(0).tolist(), len(whole)
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.34 * len(anchors)))
    axes.barh(range(len(anchors)), [places] * len(anchors), 0.7, color=MUTED, alpha=0.3)
    axes.barh(range(len(anchors)), counts, 0.7, color=side_colors(anchors))
    for y, count in enumerate(counts):
        axes.text(max(count, 0), y, f"  {count:,}", va="center", weight="bold")
    axes.set_yticks(range(len(anchors)), anchor_sizes(anchors))
    axes.set(ylim=(len(anchors) - 0.5, -0.5), xlim=(0, 1.02 * places))
    axes.set_title(f"inside the image, of {places:,} places each")
    bare(axes)
    return figure


def shape_fit(
    targets: Sequence[Target], anchors: Anchors, shorter_side: int
) -> tuple[Float[Tensor, "g 2"], Float[Tensor, "g k"]]:
    """Width and height of all objects in pixels of the resized image, and their IoU with each anchor about one centre.

    No place of the grid gives an anchor a better IoU than that. Difficult objects are left out.
    """
    sizes = [torch.zeros(0, 2)]
    for target in targets:
        boxes = target.boxes[~target.difficult]
        sizes.append((boxes[:, 2:] - boxes[:, :2]) * (shorter_side / min(target.image_size)))
    every = torch.cat(sizes)
    return every, iou(torch.cat([-every / 2, every / 2], dim=1), anchors.about_origin())


def show_shape_fit(targets: Sequence[Target], choices: Mapping[str, Anchors], shorter_side: int) -> Figure:
    """Objects by width and height (dots), with anchors (squares), a panel for each choice of anchors.

    Blue: some anchor reaches an IoU of 0.7 if it lies well; orange: none can, wherever it lies.
    """
    figure, row = plt.subplots(
        1, len(choices), figsize=(5.6 * len(choices), 4.8), sharex=True, sharey=True, squeeze=False
    )
    for axes, (name, anchors) in zip(row[0], choices.items(), strict=True):
        sizes, overlap = shape_fit(targets, anchors, shorter_side)
        fits = overlap.amax(1) >= 0.7
        for chosen, color in ((fits, BLUE), (~fits, ORANGE)):
            axes.scatter(*sizes[chosen].T, s=9, color=color, alpha=0.5, lw=0)
        boxes = anchors.about_origin()
        axes.scatter(*(boxes[:, 2:] - boxes[:, :2]).T, s=75, marker="s", fc="none", ec=INK, lw=1.8)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="width, in the same pixels",
            title=f"{name}: fit {fits.float().mean():.0%} of the objects",
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks([25, 50, 100, 200, 400], ["25", "50", "100", "200", "400"])
        axes.minorticks_off()
    row[0][0].set_ylabel("height, in pixels of the resized picture")
    return figure


def objectness_maps(scored: ScoredAnchors, feature_map: FeatureMap, anchors: Anchors) -> Float[Tensor, "s h w"]:
    """The highest probability of an object among the anchors of each side, at every cell."""
    rows, columns = _cells(feature_map)
    by_shape = scored.logits.detach().sigmoid().view(rows, columns, len(anchors.ratios), len(anchors.sides))
    return by_shape.amax(2).permute(2, 0, 1)


def show_objectness(
    image: Float[Tensor, "3 h w"], scored: ScoredAnchors, feature_map: FeatureMap, anchors: Anchors
) -> Figure:
    """The picture, and for each side of the anchors where the network sees an object of that size."""
    maps = objectness_maps(scored, feature_map, anchors)
    panels = row_of_pictures([image, *(values[None] for values in maps)], width=13.0)
    for axes, side, values in zip(panels[1:], anchors.sides, maps, strict=True):
        axes.set_title(f"{side} px: at most {float(values.max()):.2f}", fontsize=10.5)
    panels[0].set_title("objectness", fontsize=10.5)
    return panels[0].figure


def proposal_strip(
    image: Float[Tensor, "3 h w"], target: Target, stages: Mapping[str, Proposals], count: int = 20
) -> Figure:
    """The first `count` proposals of a picture at several stages; blue those that cover an object (IoU >= 0.5)."""
    panels = row_of_pictures([image] * len(stages), width=13.0)
    for axes, (name, proposals) in zip(panels, stages.items(), strict=True):
        draw_covering(axes, proposals, target, count, name)
    return panels[0].figure


def draw_covering(axes: Any, proposals: Proposals, target: Target, count: int, name: str) -> None:
    """The first `count` proposals over a picture, blue where they cover an object; the title counts the covered."""
    boxes = proposals.boxes[:count]
    covers = iou(boxes, target.boxes) >= 0.5
    some = covers.any(1)
    draw_boxes(axes, boxes[~some], PROPOSAL, width=1.0)
    draw_boxes(axes, target.boxes, GROUND_TRUTH, width=2.6)
    draw_boxes(axes, boxes[some], BLUE, width=1.8)
    axes.set_title(f"{name}: {len(boxes)} boxes cover {int(covers.any(0).sum())} of {len(target)}", fontsize=10)


Recalls = Mapping[str, Mapping[int, float]]  # search -> boxes a picture -> recall


def stored_recalls(deals: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Recall at IoU 0.5 of every search, the mean over the deals of a stored result."""
    measured = {}
    for key in deals[0]["recall"]:
        counts = deals[0]["recall"][key]
        measured[SEARCHES.get(key, key)] = {int(n): mean(deal["recall"][key][n] for deal in deals) for n in counts}
    return measured


def recall_panels(panels: Mapping[str, Recalls]) -> Figure:
    """Recall at IoU 0.5 against the boxes a picture, a panel for each measurement, a line for each search."""
    figure, row = plt.subplots(1, len(panels), figsize=(5.8 * len(panels), 3.9), sharey=True, squeeze=False)
    for axes, (title, searches) in zip(row[0], panels.items(), strict=True):
        ends = [values[max(values)] for values in searches.values()]
        side_by_side = len({max(values) for values in searches.values()}) == 1  # only then labels can collide
        heights = dict(zip(searches, spread(ends, gap=0.07) if side_by_side else ends, strict=True))
        if not side_by_side:  # another line goes on beyond the end of the first
            heights[next(iter(heights))] += 0.05
        for color, (name, values) in zip((BLUE, ORANGE, GREEN), searches.items(), strict=False):
            counts = sorted(values)
            axes.plot(counts, [values[n] for n in counts], "o-", color=color)
            for n in counts:
                below = color != BLUE
                axes.annotate(
                    f"{values[n]:.2f}", (n, values[n]), (0, -15 if below else 7), textcoords="offset points",
                    color=as_text(color), ha="center", fontsize=9,
                )  # fmt: skip
            label_line(axes, f"    {name}", color, float(counts[-1]), heights[name])  # clear of the number
        every = sorted({n for values in searches.values() for n in values})
        axes.set(xscale="log", ylim=(0, 1.1), xlabel="boxes per picture", xlim=(0.8 * every[0], 5 * every[-1]))
        axes.set_xticks(every, [f"{n:,}" for n in every])
        axes.set_title(title, fontsize=10.5)
        axes.minorticks_off()
    row[0][0].set_ylabel("recall at IoU ≥ 0.5")
    return figure


def boxes_needed(recalls: Recalls, count: int) -> str:
    """A sentence: between which measured numbers of boxes Selective Search reaches what the RPN does in `count`."""
    first, second = (recalls[name] for name in SEARCHES.values())
    enough = [n for n in sorted(second) if second[n] >= first[count]]
    few = [f"more than {n:,}" for n in sorted(second) if second[n] < first[count]][-1:]
    said = " and ".join(few + [f"at most {n:,}" for n in enough[:1]])
    return f"With {count:,} boxes the RPN covers **{first[count]:.1%}** of the objects. Selective Search needs {said}."


def difference(deals: Sequence[Mapping[str, Any]], name: str, base: str) -> str:
    """A sentence: mAP of a variant beside another one's, paired deal by deal, and whether that is an effect."""
    less, spread_of_deals, effect = variants.compare(deals, name, base)
    measured = [deal["variants"] for deal in deals if {name, base} <= deal["variants"].keys()]
    values = [mean(found[n] for found in measured) for n in (name, base)]
    first, second = (said_of(n) for n in (name, base))
    text = f"{first} **{values[0]:.3f}**, {second} **{values[1]:.3f}**: {less:+.3f}"
    if len(measured) == 1:
        return f"{text}, from the only training where both were measured. Nothing follows from one."
    said = "more than the deviation" if effect else "no effect beyond the deviation"
    return f"{text} ± {spread_of_deals:.3f}, {said}."


def said_of(variant: str) -> str:
    """A variant's name as the notebook says it."""
    return VARIANTS.get(variant, variant)


def variant_bars(result: Mapping[str, Any], names: Sequence[str]) -> Figure:
    """Mean average precision of some variants over the deals of a stored result, as far as they were measured."""
    deals = result["deals"]
    chosen = {said_of(n): [d["variants"][n] for d in deals if n in d["variants"]] for n in names}
    title = f"mAP on the test set, up to {len(deals)} trainings, {result['date']}"
    return precision_bars({title: {name: values for name, values in chosen.items() if values}})


def ways_seconds(deals: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Seconds of the trainings that were measured, mean over the deals: at once, and step by step."""
    parts = dict.fromkeys(part for deal in deals for part in deal["seconds"])
    average = {part: mean(d["seconds"][part] for d in deals if part in d["seconds"]) for part in parts}
    by_turns = {part: value for part, value in average.items() if part.startswith("step")}
    ways = {"end to end": {part: v for part, v in average.items() if part not in by_turns}, "four steps": by_turns}
    return {way: parts for way, parts in ways.items() if parts}


def picture_seconds(
    detector: Detector, image: Float[Tensor, "3 h w"], regions: int = 300, repeats: int = 4
) -> dict[str, float]:
    """Seconds of every slot for one picture, of whose proposals the first `regions` count; the quickest runs."""
    limited = with_regions(detector, regions)
    runs = [limited.trace(image).seconds for _ in range(repeats)]
    return {slot: min(run[slot] for run in runs) for slot in SLOTS}
