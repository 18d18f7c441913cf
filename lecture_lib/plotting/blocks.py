"""Drawings of blocks and networks, made from the modules themselves: what is drawn is what runs."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from lecture_lib.mobile import BlockNetwork, Cost, InvertedResidual
from lecture_lib.plotting.style import BLUE, INK, MUTED, ORANGE, PAPER, as_text

BLOCK_GAP = 40  # thickness, in channels, of the air between two blocks of a silhouette


def show_wiring(blocks: Mapping[str, nn.Module]) -> Figure:
    """Draw which channel reads which in each block: a dot is a channel, a line is a k x k kernel between two channels.

    Take blocks of a few channels, e.g. `DepthwiseSeparable(6, 6)`; thick lines are 3x3 kernels, thin ones 1x1.
    """
    columns = {name: [m for m in block.modules() if isinstance(m, nn.Conv2d)] for name, block in blocks.items()}
    ratios = [len(convs) + 0.35 for convs in columns.values()]
    size = (1.5 + 1.9 * sum(ratios), 3.9)
    figure, row = plt.subplots(1, len(blocks), figsize=size, width_ratios=ratios, squeeze=False)
    tallest = max(max(c.in_channels, c.out_channels) for convs in columns.values() for c in convs)
    skip = any(getattr(block, "has_skip", False) for block in blocks.values())
    for axes, (name, block) in zip(row[0], blocks.items(), strict=True):
        _draw_wiring(axes, columns[name], _activated(block), tallest, skip)
        if isinstance(block, InvertedResidual) and block.has_skip:
            _draw_skip(axes, columns[name], tallest)
        axes.set_title(name, loc="center")
    return figure


def _activated(block: nn.Module) -> list[bool]:
    """Tell for each convolution whether a ReLU6 follows it (a linear bottleneck has none)."""
    holders = [m for m in block.modules() if isinstance(getattr(m, "conv", None), nn.Conv2d)]
    return [hasattr(holder, "activation") for holder in holders]


def _draw_wiring(axes: Axes, convs: list[nn.Conv2d], activated: list[bool], tallest: int, skip: bool) -> None:
    axes.set(xlim=(-0.25, len(convs) + 0.25), ylim=(-tallest / 2 - 2.6, tallest / 2 + (1.6 if skip else 0.6)))
    axes.set_axis_off()
    for x, conv in enumerate(convs):
        left, right = _heights(conv.in_channels), _heights(conv.out_channels)
        inside, kernel = conv.in_channels // conv.groups, conv.kernel_size[0]
        color = ORANGE if conv.groups > 1 else BLUE
        for to in range(conv.out_channels):
            group = to * conv.groups // conv.out_channels
            for source in range(group * inside, (group + 1) * inside):
                axes.plot([x, x + 1], [left[source], right[to]], color=color, lw=0.7 * kernel, alpha=0.75, zorder=1)
        kind = "depthwise" if conv.groups > 1 else "all to all"
        text = f"{kernel}×{kernel} {kind}\n{conv.weight.numel()} weights"
        axes.text(
            x + 0.5, -tallest / 2 - 0.6, text, ha="center", va="top", color=as_text(color), weight="bold", fontsize=9.5
        )
    for x, channels in enumerate([convs[0].in_channels, *(conv.out_channels for conv in convs)]):
        filled = x == 0 or activated[x - 1]
        style = {"fc": INK if filled else PAPER, "ec": INK}
        axes.scatter([x] * channels, _heights(channels), s=58, lw=1.6, zorder=3, **style)


def _heights(channels: int) -> list[float]:
    return [(channels - 1) / 2 - i for i in range(channels)]


def _draw_skip(axes: Axes, convs: list[nn.Conv2d], tallest: int) -> None:
    """Draw the identity from the first bottleneck over the wide layers to the last."""
    top, end = tallest / 2 + 0.6, len(convs)
    axes.plot(
        [0, 0, end], [_heights(convs[0].in_channels)[0] + 0.7, top, top], color=INK, lw=2, solid_joinstyle="round"
    )
    target = _heights(convs[-1].out_channels)[0] + 0.5
    axes.annotate("", (end, target), (end, top + 0.03), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2})
    axes.text(end / 2, top + 0.2, "skip: add the input", ha="center", va="bottom", weight="bold", fontsize=9.5)
    low = _heights(convs[-1].out_channels)[-1] - 0.8
    axes.text(end, low, "no ReLU", ha="center", va="top", weight="bold", fontsize=9.5)


def block_costs(network: BlockNetwork, cost: Cost) -> list[tuple[int, int, int, int]]:
    """Return (stage, side, channels, multiply-adds) of every block, in order; stage 0 is the stem.

    `cost` is `count_cost(network, ...)`: the side of the map is the one that this input size gives.
    """
    names = ["stem", *(f"stages.{s}.{b}" for s, stage in enumerate(network.stages) for b in range(len(stage)))]
    shapes = []
    for name in names:
        layers = [layer for layer in cost.layers if layer.name.startswith(f"{name}.")]
        channels, side, _ = layers[-1].output_shape
        stage = 0 if name == "stem" else int(name.split(".")[1]) + 1
        shapes.append((stage, side, channels, sum(layer.multiply_adds for layer in layers)))
    return shapes


def shade(share: float) -> tuple[float, float, float]:
    """Return a blue, the darker the larger `share` (0..1) is."""
    from matplotlib.colors import to_rgb

    mix = 0.12 + 0.88 * min(max(share, 0.0), 1.0)
    return tuple(1 - mix * (1 - channel) for channel in to_rgb(BLUE))


def draw_silhouette(axes: Axes, network: BlockNetwork, cost: Cost, darkest: int) -> None:
    """Draw a network as its feature maps: height = side, thickness = channels, the darker the more multiply-adds."""
    shapes = block_costs(network, cost)
    for x, (_, side, channels, multiply_adds) in zip(block_positions(shapes), shapes, strict=True):
        axes.add_patch(Rectangle((x, -side / 2), channels, side, fc=shade(multiply_adds / darkest), ec=PAPER, lw=0.4))
    axes.set_axis_off()


def show_silhouettes(networks: Mapping[str, tuple[BlockNetwork, Cost]]) -> Figure:
    """Draw networks one above the other at one scale: height = side of the map, thickness = channels, dark = costly."""
    figure, rows = plt.subplots(len(networks), 1, figsize=(9.0, 1.35 * len(networks) + 0.3), squeeze=False)
    shapes = {name: block_costs(*pair) for name, pair in networks.items()}
    widest = max(block_positions(blocks)[-1] + blocks[-1][2] for blocks in shapes.values())
    tallest = max(s[1] for blocks in shapes.values() for s in blocks)
    darkest = max(s[3] for blocks in shapes.values() for s in blocks)
    for axes, (name, (network, cost)) in zip(rows[:, 0], networks.items(), strict=True):
        draw_silhouette(axes, network, cost, darkest)
        axes.set(xlim=(0, widest), ylim=(-tallest / 2, tallest / 2))
        axes.set_title(name, fontsize=10, pad=4)
    return figure


def show_stages(network: BlockNetwork, cost: Cost) -> Figure:
    """Draw one network with, under each stage, its kernel, map side, channels and share of the multiply-adds."""
    figure, axes = plt.subplots(figsize=(9.5, 3.0))
    shapes = block_costs(network, cost)
    draw_silhouette(axes, network, cost, max(s[3] for s in shapes))
    tallest = max(s[1] for s in shapes)
    kernels = ["3×3", *(f"{_kernel(stage)}×{_kernel(stage)}" for stage in network.stages)]
    below = {"ha": "center", "va": "top", "fontsize": 9, "linespacing": 1.35}
    for stage, kernel in enumerate(kernels):
        rows = [s for s in shapes if s[0] == stage]
        share = sum(s[3] for s in rows) / cost.multiply_adds
        text = f"{stage or 'stem'}\n{kernel}\n{rows[0][1]}\n{rows[0][2]}\n{share:.0%}"
        axes.text(_middle(shapes, stage), -tallest / 2 - 4, text, **below)
    rest = 1 - sum(s[3] for s in shapes) / cost.multiply_adds
    right = _middle(shapes, len(network.stages)) + 330
    axes.text(right, -tallest / 2 - 4, f"head\n1×1\n→ 1\n{network.classifier.in_features}\n{rest:.0%}", **below)
    labels = "stage\nkernel\nside of map\nchannels\nmultiply-adds"
    axes.text(-60, -tallest / 2 - 4, labels, color=MUTED, **(below | {"ha": "right"}))
    axes.set(xlim=(-460, right + 80), ylim=(-tallest / 2 - 62, tallest / 2 + 2))
    return figure


def block_positions(shapes: list[tuple[int, int, int, int]]) -> list[float]:
    """Left edges of the blocks of a silhouette; more air between stages than inside one."""
    x, previous, left = 0.0, 0, []
    for stage, _, channels, _ in shapes:
        x += BLOCK_GAP * (2.5 if stage != previous else 1)
        left.append(x)
        x, previous = x + channels, stage
    return left


def _middle(shapes: list[tuple[int, int, int, int]], stage: int) -> float:
    """Middle of a stage of a silhouette."""
    edges = [x for x, s in zip(block_positions(shapes), shapes, strict=True) if s[0] == stage]
    return (edges[0] + edges[-1] + shapes[[s[0] for s in shapes].index(stage)][2]) / 2


def _kernel(stage: nn.Module) -> int:
    return max(m.kernel_size[0] for m in stage.modules() if isinstance(m, nn.Conv2d))
