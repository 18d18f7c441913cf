"""Figures of the fourth notebook: the map of a picture, cells under boxes, pyramids of bins, scales, gradients."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from lecture_lib.detectors import Detector
from lecture_lib.encoders import ConvTrunk
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.style import BLUE, CYCLE, GREEN, INK, MUTED, ORANGE, PAPER, RED, as_text
from lecture_lib.pooling import bins, covered_windows
from lecture_lib.structures import FeatureMap, Proposals

PROBLEMS = (  # the slides' list; it grows by one line from notebook to notebook
    "Run the CNN only **once per image**, to save time.",
    "Let the CNN take an **arbitrary input size**, to improve accuracy.",
    "**Single-stage training**, to save training time and memory.",
    "**Fast region proposal** using a GPU.",
)
TINTS = (BLUE, ORANGE, GREEN, RED)


def problems(known: int, solved: Collection[int] = ()) -> str:
    """The first `known` lines of the slides' list of problems, in Markdown, those in `solved` struck off."""
    lines = ["> **Let's fix the problems!**", ">"]
    for number, text in enumerate(PROBLEMS[:known], start=1):
        plain = text.replace("**", "")
        lines.append(f"> {number}. " + (f"<s>{plain}</s> ✓" if number in solved else text))
    return "\n".join(lines)


def shade(feature_map: FeatureMap) -> Float[Tensor, "1 h w"]:
    """A map as a grey picture: the mean of its channels, stretched to 0..1."""
    mean = feature_map.tensor.detach().mean(0, keepdim=True)
    low, high = mean.min(), mean.max()
    return (mean - low) / (high - low).clamp(min=1e-6)


def show_map(image: Float[Tensor, "3 h w"], feature_map: FeatureMap, channels: int = 3) -> Figure:
    """A picture, and the channels of its map that vary most over the cells, as many as are asked for."""
    strongest = feature_map.tensor.flatten(1).std(1).topk(channels).indices.sort().values.tolist()
    pictures = [image, *(shade(replace(feature_map, tensor=feature_map.tensor[c : c + 1])) for c in strongest)]
    panels = _side_by_side(pictures)
    panels[0].set_title(f"{image.shape[2]} × {image.shape[1]} pixels", fontsize=10)
    rows, columns = feature_map.tensor.shape[1:]
    for axes, channel in zip(panels[1:], strongest, strict=True):
        axes.set_title(f"channel {channel}: {columns} × {rows} cells", fontsize=10)
    return panels[0].figure


def _side_by_side(pictures: Sequence[Tensor], width: float = 12.0) -> list[Axes]:
    """Axes of pictures of different sizes at equal heights, `width` inches together."""
    shapes = [picture.shape[2] / picture.shape[1] for picture in pictures]
    figure = plt.figure(figsize=(width, width / sum(shapes) + 0.4))
    grid = figure.add_gridspec(1, len(pictures), width_ratios=shapes)
    return [show_image(picture, axes=figure.add_subplot(grid[i])) for i, picture in enumerate(pictures)]


def averaging(trunk: nn.Module) -> nn.Module:
    """A copy of a trunk in which every convolution takes a plain mean, to see where its cells look and nothing else."""
    plain = deepcopy(trunk).eval()
    for layer in plain.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
            layer.reset_running_stats()
    return plain


def looked_at(encode: ConvTrunk, size: tuple[int, int], cell: tuple[int, int], padded: bool = True) -> Tensor:
    """How much each pixel of an image of (height, width) counts for the cell in (row, column) of its map: [H, W].

    It is the gradient of an averaging network of the same layers, so that only their geometry counts. The image is to
    have the encoder's shorter side, so that it is not resized. padded: with the encoder's border, or straight through
    the trunk.
    """
    image = torch.full((3, *size), 0.505, requires_grad=True)  # so small a signal that no ReLU6 is full
    encoder = deepcopy(encode)
    encoder.trunk, encoder.shorter_sides = averaging(encode.trunk), (min(size),)
    features = encoder(image)[0].tensor if padded else encoder.trunk((image[None] - encoder.mean) / encoder.std)[0]
    (gradient,) = torch.autograd.grad(features[:, cell[0], cell[1]].sum(), image)
    return gradient.sum(0)


def center_of(weights: Float[Tensor, "h w"]) -> tuple[float, float]:
    """The centre of gravity (x, y) of pixels by their weights; pixel 0 covers 0 to 1, so its own centre is 0.5."""
    y, x = (torch.arange(n) + 0.5 for n in weights.shape)
    total = weights.sum()
    return float((weights.sum(0) * x).sum() / total), float((weights.sum(1) * y).sum() / total)


def show_centers(looks: Mapping[str, Float[Tensor, "h w"]], pixel: float | int) -> Figure:
    """Where a cell looks along x, a row for each variant, with its centre; the dashed line is at the wanted pixel."""
    figure, rows = plt.subplots(len(looks), 1, figsize=(10, 1.35 * len(looks) + 0.5), sharex=True, squeeze=False)
    for axes, (name, weights), color in zip(rows[:, 0], looks.items(), (ORANGE, BLUE), strict=False):
        profile, center = weights.sum(0), center_of(weights)[0]
        axes.fill_between(torch.arange(len(profile)) + 0.5, profile / profile.max(), color=color, alpha=0.35, lw=0)
        axes.axvline(pixel, color=INK, ls="--", lw=1.4)
        axes.axvline(center, color=color, lw=3)
        axes.set_title(f"{name}: centred on pixel {center:.1f}, wanted {pixel:g}", color=as_text(color), fontsize=10.5)
        axes.set(yticks=[], ylim=(0, None), xlim=(0, len(profile)), ylabel="weight")
        axes.spines["left"].set_visible(False)
    rows[-1, 0].set_xlabel("pixels from the left")
    return figure


def show_windows(image: Float[Tensor, "3 h w"], feature_map: FeatureMap, boxes: Float[Tensor, "r 4"]) -> Figure:
    """Boxes on the picture with a dot for every cell's centre, filled inside; on the map the windows that they get."""
    windows = covered_windows(boxes, feature_map.stride, tuple(feature_map.tensor.shape[1:]))
    left, right = _side_by_side([image, shade(feature_map)])
    colors = [CYCLE[row % len(CYCLE)] for row in range(len(boxes))]
    y, x = (torch.arange(n) * s for n, s in zip(feature_map.tensor.shape[1:], feature_map.stride, strict=True))
    grid = torch.cartesian_prod(y, x)
    left.scatter(grid[:, 1], grid[:, 0], s=6, color=PAPER, alpha=0.8, lw=0, clip_on=False)
    for color, window in zip(colors, windows, strict=True):
        inside = torch.cartesian_prod(y[window[1] : window[3] + 1], x[window[0] : window[2] + 1])
        left.scatter(inside[:, 1], inside[:, 0], s=22, color=color, ec=PAPER, lw=0.7, zorder=3)
    draw_boxes(left, boxes, colors, width=2.4)
    sizes = [f"{x2 - x1 + 1} × {y2 - y1 + 1}" for x1, y1, x2, y2 in windows.tolist()]
    ends = torch.cat([windows[:, :2], windows[:, 2:] + 1], dim=1).float()  # half-open, as all boxes are drawn
    draw_boxes(right, ends, colors, sizes, width=2.4)
    left.set(xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))  # the outermost dots lie on the border
    left.set_title("dots: what the cells are centred on", fontsize=10.5)
    right.set_title("windows of cells on the map", fontsize=10.5)
    return left.figure


def show_poolings(sizes: Sequence[tuple[int, int]], levels: Sequence[int], wanted: tuple[int, int] = (6, 6)) -> Figure:
    """Windows of (rows, columns), what ordinary 3 x 3 pooling of stride 2 makes of them, and what a pyramid makes.

    Green is what fully connected layers for `wanted` cells, or for the pyramid's bins, can read; red is not.
    """
    figure, grid = plt.subplots(3, len(sizes), figsize=(3.1 * len(sizes), 7.2), height_ratios=(2, 1.35, 1.35))
    for column, size in enumerate(sizes):
        pooled = tuple(F.max_pool2d(torch.zeros(1, *size), 3, 2).shape[1:])
        fits = pooled == tuple(wanted)
        titles = (f"{size[1]} × {size[0]} cells", f"{pooled[1]} × {pooled[0]} = {pooled[0] * pooled[1]} cells")
        _draw_grids(grid[0, column], [size], MUTED, titles[0])
        _draw_grids(grid[1, column], [pooled], GREEN if fits else RED, titles[1] + (" ✓" if fits else " ✗"))
        count = sum(n * n for n in levels)
        _draw_grids(grid[2, column], [(n, n) for n in levels], GREEN, f"{count} bins ✓")
    for axes, name in zip(grid[:, 0], ("window", "ordinary pooling", "spatial pyramid"), strict=True):
        axes.text(-0.12, 0.5, name, transform=axes.transAxes, rotation=90, ha="right", va="center", weight="bold")
    _same_scale(grid[0])
    _same_scale(grid[1:].flatten())
    return figure


def _draw_grids(axes: Axes, grids: Sequence[tuple[int, int]], color: str, title: str) -> None:
    """Grids of (rows, columns) beside each other, a square for each cell."""
    left = 0.0
    for rows, columns in grids:
        for y in range(rows):
            for x in range(columns):
                axes.add_patch(Rectangle((left + x, y), 1, 1, fc=color, ec=PAPER, lw=0.7, alpha=0.8))
        left += columns + 1
    axes.set(xlim=(0, left - 1), ylim=(max(rows for rows, _ in grids), 0), aspect="equal")
    axes.set_title(title, loc="center", fontsize=10, color=as_text(color) if color != MUTED else INK)
    axes.set_axis_off()


def _same_scale(row: Collection[Axes]) -> None:
    """Let a cell be as large in all of these axes: as large as the one that needs most room allows."""
    width, height = (max(abs(b - a) for a, b in (get(axes) for axes in row)) for get in (Axes.get_xlim, Axes.get_ylim))
    width *= 1.15
    for axes in row:
        middle, center = sum(axes.get_xlim()) / 2, sum(axes.get_ylim()) / 2
        axes.set(xlim=(middle - width / 2, middle + width / 2), ylim=(center + height / 2, center - height / 2))


def bins_on_map(feature_map: FeatureMap, box: Float[Tensor, "1 4"], level: int) -> Float[Tensor, "level level 4"]:
    """The n x n bins of a box in cells of the map, (x1, y1, x2, y2) and half-open, as boxes are."""
    window = covered_windows(box, feature_map.stride, tuple(feature_map.tensor.shape[1:]))
    return bins(window, level, level)[0].float()


def bins_on_image(feature_map: FeatureMap, cells: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The part of the picture for which bins stand: cell i is centred on pixel i S and reaches half a cell around."""
    y, x = feature_map.stride
    return (cells - 0.5) * cells.new_tensor([x, y, x, y])


def show_bins(
    image: Float[Tensor, "3 h w"], feature_map: FeatureMap, box: Float[Tensor, "1 4"], levels: Sequence[int]
) -> Figure:
    """The bins of one box, a column for each level of the pyramid: on the picture above, on its map below."""
    figure, grid = plt.subplots(2, len(levels), figsize=(2.9 * len(levels), 6.0), squeeze=False)
    grey = shade(feature_map)
    for column, level in enumerate(levels):
        cells = bins_on_map(feature_map, box, level)
        above = show_image(image, axes=grid[0, column])
        _draw_bins(above, bins_on_image(feature_map, cells))
        draw_boxes(above, box, INK, width=1.6)
        _draw_bins(show_image(grey, axes=grid[1, column]), cells)
        sides = cells[..., 2:] - cells[..., :2]
        low, high = (
            " × ".join(f"{int(v)}" for v in end) for end in (sides.flatten(0, 1).amin(0), sides.flatten(0, 1).amax(0))
        )
        grid[0, column].set_title(f"{level} × {level} = {level**2} bin{'s' * (level > 1)}", loc="center")
        said = f"bins of {low} cells" if low == high else f"bins of {low} to {high} cells"
        grid[1, column].set_title(said, loc="center", fontsize=10)
    return figure


def _draw_bins(axes: Axes, cells: Float[Tensor, "n n 4"]) -> None:
    """Bins in the colours of a chessboard, a little smaller than they are, so that shared cells can be seen."""
    low, high = cells.flatten(0, 1)[:, :2].amin(0), cells.flatten(0, 1)[:, 2:].amax(0)
    inset = 0.012 * float((high - low).max())
    for row, line in enumerate(cells.tolist()):
        for column, (x1, y1, x2, y2) in enumerate(line):
            color = TINTS[2 * (row % 2) + column % 2]
            size = (x2 - x1 - 2 * inset, y2 - y1 - 2 * inset)
            axes.add_patch(Rectangle((x1 + inset, y1 + inset), *size, fc=color, ec="none", alpha=0.28))
            axes.add_patch(Rectangle((x1 + inset, y1 + inset), *size, fill=False, ec=color, lw=1.8))
    center, side = ((low + high) / 2).tolist(), 1.3 * float((high - low).max())
    axes.set(xlim=(center[0] - side / 2, center[0] + side / 2), ylim=(center[1] + side / 2, center[1] - side / 2))


def show_scales(
    image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"], chosen: Int[Tensor, " r"], sides: Sequence[int]
) -> Figure:
    """Which of several scales each box was pooled at: a panel for each shorter side, with some of its boxes."""
    panels = row_of_pictures([image] * len(sides), width=13.0)
    for scale, (axes, side) in enumerate(zip(panels, sides, strict=True)):
        here = boxes[chosen == scale]
        draw_boxes(axes, here[:: max(1, len(here) // 40)], CYCLE[scale % len(CYCLE)], width=1.1)
        axes.set_title(
            f"shorter side {side}: {len(here)} regions", fontsize=10, color=as_text(CYCLE[scale % len(CYCLE)])
        )
    return panels[0].figure


def trunk_gradients(
    detector: Detector, image: Float[Tensor, "3 h w"], proposals: Proposals, labels: Int[Tensor, " r"]
) -> dict[str, float]:
    """The length of the gradient that the loss of some regions sends to each stage of the trunk; nothing is trained."""
    encode = deepcopy(detector.encode).requires_grad_(True)
    pooled = detector.pool(encode(image), proposals)
    F.cross_entropy(detector.embed.logits(pooled), labels).backward()
    detector.embed.zero_grad(set_to_none=True)
    lengths = {}
    for name, stage in encode.trunk.named_children():
        gradients = [p.grad.square().sum() for p in stage.parameters() if p.grad is not None]
        lengths[name] = float(torch.stack(gradients).sum().sqrt()) if gradients else 0.0
    return lengths


def gradient_bars(lengths: Mapping[str, float]) -> Figure:
    """The length of the gradient at every stage, logarithmic."""
    figure, axes = plt.subplots(figsize=(8, 2.8))
    bars = axes.bar(list(lengths), list(lengths.values()), 0.66, color=BLUE)
    axes.bar_label(bars, [f"{value:.2g}" for value in lengths.values()], padding=3, weight="bold")
    axes.set(yscale="log", ylabel="length of the\ngradient (log scale)")
    axes.margins(y=0.2)
    axes.minorticks_off()
    return figure
