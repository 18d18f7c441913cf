"""Figures of the third notebook: the slots of a detector, warped regions, labels, boxes that move, suppression."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor, nn

from lecture_lib.backbones import Backbone
from lecture_lib.boxes import NmsStep, iou
from lecture_lib.detectors import ALL_SLOTS, SLOTS, Detector
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.style import (
    BLUE,
    CYCLE,
    DETECTION,
    GREEN,
    GRID,
    GROUND_TRUTH,
    IGNORED,
    INK,
    MUTED,
    NEGATIVE,
    PAPER,
    POSITIVE,
    PROPOSAL,
    RED,
    as_text,
)
from lecture_lib.plotting.transfer import short_number
from lecture_lib.pooling import warp_regions
from lecture_lib.structures import Target

MAKES = {
    "encode": "the picture",
    "propose": "boxes",
    "pool": "squares",
    "embed": "features",
    "predict": "scores, deltas",
    "decode": "detections",
    "mask": "shapes",
}
MAKES_INSTEAD = {  # by type
    "ConvTrunk": "maps",
    "FeaturePyramid": "maps",
    "SpatialPyramid": "long vectors",
    "RoIPool": "small grids",
    "RoIAlign": "small grids",
}
NEGATIVES = 60  # drawn of a picture's hundreds; more would hide it


def slots(detector: Detector, now: Sequence[str] = SLOTS) -> Figure:
    """The slots of a detector in their order, read from its fields: what fills each, its weights, what it makes.

    now: the names of the slots to colour; the others stay grey.
    """
    names = [name for name in ALL_SLOTS if getattr(detector, name) is not None]
    figure, axes = plt.subplots(figsize=(11.5 * len(names) / len(SLOTS), 1.75))
    for x, name in enumerate(names):
        draw_slot(axes, (x, 0), name, getattr(detector, name), name in now)
        if x:
            axes.annotate("", (x, 0.5), (x - 0.14, 0.5), arrowprops={"arrowstyle": "-|>", "color": MUTED, "lw": 1.8})
    axes.set(xlim=(-0.02, len(names) - 0.12), ylim=(-0.02, 1.02))
    axes.set_axis_off()
    return figure


def draw_slot(axes: Axes, corner: tuple[float | int, float | int], name: str, slot: object, now: bool) -> None:
    """One slot as a tile of about one unit at its lower left corner, coloured if `now`."""
    (x, y), (face, text) = corner, (BLUE, PAPER) if now else (GRID, MUTED)
    axes.add_patch(FancyBboxPatch((x, y), 0.86, 1, boxstyle="round,pad=0,rounding_size=0.06", fc=face, ec="none"))
    weights = sum(p.numel() for p in slot.parameters()) if isinstance(slot, nn.Module) else 0
    filled = filled_by(slot)
    lines = (
        name,
        filled,
        f"{short_number(weights)} weights" if weights else "no weights",
        f"→ {MAKES_INSTEAD.get(filled, MAKES[name])}",
    )
    weights_of_lines = ("bold", "normal", "normal", "normal")
    sizes = (12, 10 if len(filled) < 18 else 8.5, 9, 9.5)
    for up, line, size, weight in zip((0.82, 0.57, 0.36, 0.14), lines, sizes, weights_of_lines, strict=True):
        axes.text(x + 0.43, y + up, line, ha="center", va="center", color=text, fontsize=size, weight=weight)


def filled_by(slot: object) -> str:
    """The name of the class or function in a slot."""
    return getattr(slot, "__name__", type(slot).__name__)


def show_warps(
    image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"], warped: Float[Tensor, "r 3 s s"], columns: int = 4
) -> Figure:
    """A picture with numbered boxes, and beside it the square that each of them becomes, with its size before."""
    rows = max(1, -(-len(boxes) // columns))
    figure = plt.figure(figsize=(12, 4.4))
    grid = figure.add_gridspec(rows, columns + 1, width_ratios=[2.05 * rows, *[1.35] * columns])
    left = show_image(image, "Proposals", figure.add_subplot(grid[:, 0]))
    colors = [CYCLE[row % len(CYCLE)] for row in range(len(boxes))]
    draw_boxes(left, boxes, colors, [str(row + 1) for row in range(len(boxes))], width=2.4)
    for row, (box, square) in enumerate(zip(boxes, warped, strict=True)):
        axes = show_image(square, axes=figure.add_subplot(grid[row // columns, 1 + row % columns]))
        width, height = (box[2:] - box[:2]).tolist()
        axes.set_title(f"{row + 1}: {width:.0f} × {height:.0f}", loc="center", fontsize=10, color=as_text(colors[row]))
        side = square.shape[-1]
        axes.add_patch(Rectangle((0, 0), side, side, fill=False, ec=colors[row], lw=3, clip_on=False))
    return figure


@torch.no_grad()
def map_sizes(backbone: Backbone, sizes: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """For images of (height, width) the cells of the map that the convolutional layers make of them, run for real."""
    shapes = {size: backbone.pool(backbone.trunk(torch.zeros(1, 3, *size))).shape[-2:] for size in sizes}
    return {size: tuple(shape) for size, shape in shapes.items()}


def show_map_sizes(
    sizes: Mapping[tuple[int, int], tuple[int, int]], wanted: tuple[int, int] | None, cell: int = 32
) -> Figure:
    """Images to scale above their maps of cells; green where the fully connected layers can read the map, else red.

    cell: pixels of the image that a cell of the map is drawn as.
    """
    tallest, lowest = max(size[0] for size in sizes), max(cell * grid[0] for grid in sizes.values())
    figure, axes = plt.subplots(figsize=(9.5, 4.6))
    middle = 0.0
    for size, grid in sizes.items():
        half = max(size[1], cell * grid[1], 170) / 2
        middle += half
        color = GREEN if wanted is None or grid == wanted else RED
        axes.add_patch(Rectangle((middle - size[1] / 2, tallest - size[0]), size[1], size[0], fc=GRID, ec=MUTED))
        axes.text(
            middle, tallest - size[0] / 2, f"{size[1]} × {size[0]}\npixels", ha="center", va="center", fontsize=11
        )
        _draw_cells(axes, (middle - cell * grid[1] / 2, tallest + 62), grid, cell, color)
        verdict = f"{grid[1]} × {grid[0]} cells" + ("" if wanted is None else " ✓" if grid == wanted else " ✗")
        axes.text(middle, tallest + 32, verdict, ha="center", va="center", color=color, weight="bold", fontsize=12)
        middle += half + 60
    axes.set(xlim=(-6, middle - 54), ylim=(tallest + 68 + lowest, -6), aspect="equal")
    axes.set_axis_off()
    return figure


def _draw_cells(axes: Axes, corner: tuple[float, float | int], grid: tuple[int, int], cell: int, color: str) -> None:
    for y in range(grid[0]):
        for x in range(grid[1]):
            place = (corner[0] + cell * x, corner[1] + cell * y)
            axes.add_patch(Rectangle(place, cell, cell, fc=color, ec=PAPER, alpha=0.75))


def stretch(boxes: Float[Tensor, "r 4"]) -> Float[Tensor, " r"]:
    """How much more one side is stretched than the other when a box becomes a square: long side by short side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return sides.amax(1) / sides.amin(1)


def lost_by_warping(image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"], size: int) -> Figure:
    """Regions as they are, warped to a square of `size` pixels, and warped back to their own shape."""
    columns = 1 + len(boxes)
    figure = plt.figure(figsize=(1.0 + 2.3 * len(boxes), 6.2))
    grid = figure.add_gridspec(3, columns, width_ratios=[0.12, *[1] * len(boxes)])
    for row, name in enumerate(("region", f"warped to {size} × {size}", "warped back")):
        label = figure.add_subplot(grid[row, 0])
        label.text(0.5, 0.5, name, rotation=90, ha="center", va="center", weight="bold", fontsize=11)
        label.set_axis_off()
    for column, (region, warped, back) in enumerate(warp_and_back(image, boxes, size), start=1):
        height, width = region.shape[1:]
        ratio, error = max(width / height, height / width), float((region - back).abs().mean())
        said = (f"{width} × {height}", f"stretched {ratio:.1f} to 1", f"mean error {error:.3f}")
        for row, (part, title) in enumerate(zip((region, warped, back), said, strict=True)):
            axes = show_image(part, axes=figure.add_subplot(grid[row, column]))
            axes.set_title(title, loc="center", fontsize=10.5)
    return figure


def warp_and_back(image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"], size: int) -> list[tuple[Tensor, ...]]:
    """For every box (rounded to whole pixels): its region, the region warped to a square, and warped back again."""
    found = []
    for box in boxes.round():
        x1, y1, x2, y2 = box.int().tolist()
        region = image[:, y1:y2, x1:x2]
        warped = warp_regions(image, box[None], size, 0.0)
        back = F.interpolate(warped, region.shape[1:], mode="bilinear", align_corners=False)[0]
        found.append((region, warped[0], back))
    return found


def show_labels(
    image: Float[Tensor, "3 h w"], panels: Mapping[str, tuple[Float[Tensor, "_ 4"], Int[Tensor, " _"]]]
) -> Figure:
    """The labels of boxes, a panel for each rule: positive (above 0) blue, background (0) red, ignored (-1) grey.

    Of background and ignored boxes only some are drawn; the titles count all.
    """
    height, width = image.shape[1:]
    size = (5.4 * len(panels), 5.4 * height / width + 0.8)
    figure, row = plt.subplots(1, len(panels), figsize=size, squeeze=False)
    for axes, (title, (boxes, labels)) in zip(row[0], panels.items(), strict=True):
        kinds = ((labels < 0, IGNORED, 0.9, "ignored"), (labels == 0, NEGATIVE, 0.6, "background"))
        positive = labels > 0
        counted = [f"{int(positive.sum()):,} positive"]
        show_image(image, axes=axes)
        for chosen, color, line, name in kinds:
            some = boxes[chosen]
            draw_boxes(axes, some[:: max(1, -(-len(some) // NEGATIVES))], color, width=line, alpha=0.8)
            counted.append(f"{int(chosen.sum()):,} {name}")
        draw_boxes(axes, boxes[positive], POSITIVE, width=2.4 if positive.sum() <= 12 else 1.2)
        axes.set_title(f"{title}\n{', '.join(counted)}", fontsize=10.5)
    return figure


def moved_boxes(
    image: Float[Tensor, "3 h w"],
    before: Float[Tensor, "r 4"],
    after: Float[Tensor, "r 4"],
    target: Target,
    captions: Sequence[str] = (),
) -> Figure:
    """Boxes before (sky) and after (orange) they were moved, each in its own part of the picture, ground truth green.

    The title has the IoU with the object that the moved box overlaps most, before and after, where there is any.
    """
    columns = min(4, max(1, len(before)))
    rows = max(1, -(-len(before) // columns))
    figure, grid = plt.subplots(rows, columns, figsize=(3.0 * columns, 3.2 * rows), squeeze=False)
    for index, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if index < len(before):
            caption = captions[index] if index < len(captions) else ""
            _draw_move(axes, image, before[index], after[index], target)
            axes.set_title(f"{caption}\n{_overlaps(before[index], after[index], target)}".strip(), fontsize=10)
    return figure


def _draw_move(axes: Axes, image: Tensor, before: Tensor, after: Tensor, target: Target) -> None:
    both = torch.stack([before, after])
    best = iou(after[None], target.boxes)[0]
    if len(best) and best.max() > 0:
        object_box = target.boxes[best.argmax()][None]
        both = torch.cat([both, object_box])
    show_image(image, axes=axes)
    draw_boxes(axes, both[2:], GROUND_TRUTH, width=2.6)
    draw_boxes(axes, before[None], PROPOSAL, width=2.4)
    draw_boxes(axes, after[None], DETECTION, width=2.4)
    for old, new in ((before[:2], after[:2]), (before[2:], after[2:])):  # both corners, as the arrows of the moves
        axes.annotate("", new.tolist(), old.tolist(), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.4})
    low, high = both[:, :2].amin(0), both[:, 2:].amax(0)
    center, side = ((low + high) / 2).tolist(), 1.25 * float((high - low).max())
    axes.set(xlim=(center[0] - side / 2, center[0] + side / 2), ylim=(center[1] + side / 2, center[1] - side / 2))


def _overlaps(before: Tensor, after: Tensor, target: Target) -> str:
    overlap = iou(torch.stack([before, after]), target.boxes)
    if not len(target) or overlap[1].max() == 0:
        return ""
    chosen = overlap[1].argmax()
    return f"IoU {overlap[0, chosen]:.2f} → {overlap[1, chosen]:.2f}"


def suppression_strip(
    image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"], scores: Float[Tensor, " r"], steps: Sequence[NmsStep]
) -> Figure:
    """Non-maximum suppression in pictures: all boxes, then a picture a round, at most five rounds.

    Orange is kept, red is rejected in this round because it overlaps the new one, sky still waits.
    """
    shown = list(steps[:5])
    columns = min(3, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    height, width = image.shape[1:]
    size = (4.0 * columns, rows * (4.0 * height / width + 0.35))
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    first = show_image(image, f"Before: {len(boxes)} boxes", grid.flat[0])
    draw_boxes(first, boxes, PROPOSAL, width=0.8)
    kept: list[int] = []
    for number, (axes, step) in enumerate(zip(grid.flat[1:], shown, strict=False), start=1):
        show_image(image, f"Round {number}: {len(step.rejected)} rejected, {len(step.remaining)} wait", axes)
        draw_boxes(axes, boxes[step.remaining], PROPOSAL, width=1.0)
        draw_boxes(axes, boxes[step.rejected], RED, width=0.8)
        draw_boxes(axes, boxes[kept], DETECTION, width=1.6)
        draw_boxes(axes, boxes[[step.kept]], DETECTION, [f"kept {scores[step.kept]:.2f}"], width=3.2)
        kept.append(step.kept)
    return figure
