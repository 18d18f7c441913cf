"""Figures of segmentations, pairs of regions, and the tree that merging them makes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from torch import Tensor
from torch.nn.functional import interpolate

from lecture_lib.boxes import iou
from lecture_lib.plotting.coverage import spread
from lecture_lib.plotting.pictures import color_segments, draw_boxes, show_image
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.style import BLUE, CYCLE, DETECTION, GRID, GROUND_TRUTH, MUTED, ORANGE, label_line
from lecture_lib.proposals import MergeStep, Region, boxes_after, labels_after, similarities
from lecture_lib.proposals.similarity import COLOR_BINS, ORIENTATIONS, TEXTURE_BINS, RegionTable
from lecture_lib.structures import Target


def borders(labels: Int[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
    """The pixels whose right or lower neighbour belongs to another region."""
    edge = torch.zeros_like(labels, dtype=torch.bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def segment_picture(image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
    """Every region in its mean colour, with thin white borders."""
    return torch.where(borders(labels), 1.0, color_segments(labels, image))


def segmentations(image: Float[Tensor, "3 h w"], labels_of: dict[float, Int[Tensor, "h w"]]) -> Figure:
    """A picture and its segmentations, k -> label map, with the number of regions each."""
    panels = [image, *(segment_picture(image, labels) for labels in labels_of.values())]
    axes = row_of_pictures(panels, below=0.0)
    axes[0].set_title(f"{image.shape[1] * image.shape[2]:,} pixels")
    for panel, (k, labels) in zip(axes[1:], labels_of.items(), strict=True):
        panel.set_title(f"k = {k:g}: {len(labels.unique()):,} regions")
    return axes[0].figure


def region_pairs(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], table: RegionTable, pairs: Sequence[tuple[int, int]]
) -> Figure:
    """Pairs of regions: where they are, their colour and texture histograms, and their four similarities."""
    figure, grid = plt.subplots(
        len(pairs), 4, figsize=(12, 2.7 * len(pairs)), width_ratios=(1.25, 1.2, 1.2, 1), squeeze=False
    )
    for row, (a, b) in zip(grid, pairs, strict=True):
        _two_regions(row[0], image, labels, a, b)
        first, second = table[a], table[b]
        _colors(row[1], first, second)
        _textures(row[2], first, second)
        _four_bars(row[3], first, second, labels.numel())
    return figure


def _two_regions(axes: Axes, image: Tensor, labels: Tensor, a: int, b: int) -> None:
    pale = 0.25 * image + 0.75
    show_image(torch.where((labels == a) | (labels == b), image, pale), axes=axes)
    for region, color in ((a, BLUE), (b, ORANGE)):
        axes.contour(labels == region, levels=[0.5], colors=[color], linewidths=2)


def _colors(axes: Axes, a: Region, b: Region) -> None:
    """Both colour histograms as outlines; what they share, min(a, b), is filled: its area is the similarity."""
    shared = torch.minimum(a.color, b.color)
    _shared_area(axes, a.color, b.color)
    axes.set_title(f"colour: {float(shared.sum()):.2f} shared")
    for start in range(COLOR_BINS, len(a.color), COLOR_BINS):
        axes.axvline(start, color=GRID, lw=1, zorder=0)
    axes.set(xticks=[], xlabel=f"{COLOR_BINS} bins for each channel")


def _textures(axes: Axes, a: Region, b: Region) -> None:
    """How much of each region is an edge, for each of the eight directions: the 240 bins of texture, summed up."""
    shared = torch.minimum(a.texture, b.texture)
    # [direction, channel, bin]; bin 0 is flat. A histogram sums to 1 over all directions.
    edges = [ORIENTATIONS * r.texture.view(ORIENTATIONS, -1, TEXTURE_BINS)[..., 1:].sum((1, 2)) for r in (a, b)]
    _shared_area(axes, *edges)
    axes.set_title(f"texture: {float(shared.sum()):.2f} shared")
    axes.set_xticks([direction + 0.5 for direction in range(ORIENTATIONS)], list("→↘↓↙←↖↑↗"))
    axes.set(ylim=(0, 1), xlabel="part with an edge, by direction")


def _shared_area(axes: Axes, a: Tensor, b: Tensor) -> None:
    axes.stairs(torch.minimum(a, b).tolist(), fill=True, color=GROUND_TRUTH, alpha=0.35)
    for values, color in ((a, BLUE), (b, ORANGE)):
        axes.stairs(values.tolist(), color=color, lw=1.6)
    axes.set(yticks=[], xlim=(0, len(a)))
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)


def _four_bars(axes: Axes, a: Region, b: Region, image_area: int) -> None:
    parts = similarities(a, b, image_area)
    axes.barh(range(4), [1] * 4, color=GRID, height=0.7)
    axes.barh(range(4), parts, color=GROUND_TRUTH, height=0.7, alpha=0.55)
    for row, (name, value) in enumerate(zip(("colour", "texture", "size", "fill"), parts, strict=True)):
        axes.text(0.03, row, name, va="center", weight="bold")
        axes.text(0.97, row, f"{value:.2f}", va="center", ha="right")
    axes.set(xlim=(0, 1), ylim=(3.5, -0.5))
    axes.set_title(f"sum: {parts.total():.2f}")
    axes.set_axis_off()


def merge_film(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], steps: Sequence[MergeStep], left: Sequence[int]
) -> Figure:
    """Frames of the grouping, each when so many regions are `left`: regions in mean colour, the newest box on top."""
    moments = [max(0, len(steps) + 1 - count) for count in left]
    frames = [segment_picture(image, labels_after(labels, steps[:moment])) for moment in moments]
    axes = row_of_pictures(frames, below=0.0)
    for panel, moment in zip(axes, moments, strict=True):
        panel.set_title(f"{len(steps) + 1 - moment} regions")
        if moment:
            draw_boxes(panel, torch.tensor([steps[moment - 1].box]).float(), DETECTION, width=2.5)
    return axes[0].figure


def overlap_by_merge(
    labels: Int[Tensor, "h w"], steps: Sequence[MergeStep], target: Target, classes: Sequence[str]
) -> Figure:
    """The best IoU with each object after every merge: a step up is the moment a better box appeared."""
    boxes, first = boxes_after(labels, steps), len(steps) + 1
    best = iou(target.boxes, boxes).cummax(dim=1).values[:, first - 1 :]  # [G, merges + 1]
    figure, axes = plt.subplots(figsize=(9.5, 3.8))
    heights = spread(best[:, -1].tolist(), gap=0.075)
    for row, (values, height) in enumerate(zip(best, heights, strict=True)):
        color, name = CYCLE[row % len(CYCLE)], classes[target.labels[row] - 1]
        axes.step(range(len(values)), values, where="post", color=color)
        label_line(axes, f"{name} {values[-1]:.2f}", color, float(len(steps)), height)
    axes.axhline(0.5, color=MUTED, lw=1, ls="--")
    axes.text(len(steps), 0.49, "found from IoU 0.5 ", color=MUTED, va="top", ha="right")
    axes.set(
        xlabel="merges done",
        ylabel="IoU of its best box",
        ylim=(0, max(1.04, *heights) + 0.01),
        xlim=(0, len(steps) * 1.16),
    )
    axes.set_title("Best box so far, object by object")
    return figure


def merge_tree(
    image: Float[Tensor, "3 h w"],
    labels: Int[Tensor, "h w"],
    steps: Sequence[MergeStep],
    target: Target,
    leaves: int = 8,
) -> Figure:
    """The top of the hierarchy, from `leaves` regions to one; a green frame where a region's box covers an object."""
    last = list(steps)[max(0, len(steps) + 1 - leaves) :]
    children = {step.region: step.merged for step in last}
    places: dict[int, tuple[float, int]] = {}
    _place(last[-1].region, children, places)
    levels = 1 + max(y for _, y in places.values())
    figure, axes = plt.subplots(figsize=(11, 1.05 * levels))
    for parent, pair in children.items():
        for child in pair:
            (x, y), (px, py) = places[child], places[parent]
            axes.plot([x, x, px], [y, py, py], color=MUTED, lw=1.6, zorder=1)
    covers = (iou(boxes_after(labels, steps), target.boxes) >= 0.5).any(dim=1)
    for region, place in places.items():
        thumbnail = OffsetImage(_thumbnail(image, _mask(labels, steps, region)), zoom=0.7)
        frame = {"edgecolor": GROUND_TRUTH if covers[region] else GRID, "linewidth": 3.5 if covers[region] else 1.5}
        axes.add_artist(AnnotationBbox(thumbnail, place, pad=0.12, bboxprops=frame))
    axes.set(xlim=(-0.6, len(last) + 0.6), ylim=(-0.5, levels - 0.5))
    axes.set_axis_off()
    return figure


def _place(region: int, children: dict, places: dict, next_leaf: int = 0) -> int:
    """Put a subtree on the page: leaves side by side at height 0, a parent over the middle of its two children."""
    if region not in children:
        places[region] = (next_leaf, 0)
        return next_leaf + 1
    for child in children[region]:
        next_leaf = _place(child, children, places, next_leaf)
    (ax, ay), (bx, by) = (places[child] for child in children[region])
    places[region] = ((ax + bx) / 2, max(ay, by) + 1)
    return next_leaf


def _mask(labels: Tensor, steps: Sequence[MergeStep], region: int) -> Tensor:
    """The pixels of a region of the hierarchy."""
    members, inside = {step.region: step.merged for step in steps}, {region}
    while grown := {child for parent in inside if parent in members for child in members[parent]} - inside:
        inside |= grown
    return torch.isin(labels, torch.tensor(sorted(inside)))


def _thumbnail(image: Tensor, mask: Tensor, side: int = 110):
    """The whole picture in pale with the region in its colours, at most `side` pixels wide, height first."""
    picture = torch.where(mask, image, 0.12 * image + 0.88)
    scale = side / max(picture.shape[1:])
    small = interpolate(picture[None], scale_factor=scale, mode="bilinear", antialias=True)[0]
    return small.clamp(0, 1).permute(1, 2, 0).numpy()


def last_regions(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], runs: dict[str, Sequence[MergeStep]], left: int = 8
) -> Figure:
    """What each way of grouping, name -> merges, has left when `left` regions remain."""
    frames = [segment_picture(image, labels_after(labels, steps[: len(steps) + 1 - left])) for steps in runs.values()]
    axes = row_of_pictures(frames, below=0.0)
    for panel, name in zip(axes, runs, strict=True):
        panel.set_title(name)
    return axes[0].figure
