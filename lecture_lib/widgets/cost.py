"""Sliders for width, depth and resolution: the network is drawn again and its cost counted, its time estimated."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import ipywidgets
import torch
from torch import Tensor, nn

from lecture_lib.mobile import (
    LITE0_BLOCKS,
    MOBILENET_BLOCKS,
    MOBILENET_V2_BLOCKS,
    BlockNetwork,
    Cost,
    LayerCost,
    measure_latency,
    mnasnet_reward,
    round_channels,
    scale_blocks,
)
from lecture_lib.plotting.blocks import block_costs, block_positions, shade
from lecture_lib.plotting.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE
from lecture_lib.widgets.explorer import WIDTH, Explorer

TABLES = {"MobileNet": MOBILENET_BLOCKS, "MobileNetV2": MOBILENET_V2_BLOCKS, "EfficientNet-Lite0": LITE0_BLOCKS}
# CSS pixels for a channel of thickness: the largest setting of the sliders just fits.
SCALES = {"MobileNet": WIDTH / 12_400, "MobileNetV2": WIDTH / 5_400, "EfficientNet-Lite0": WIDTH / 5_400}
CALIBRATION = (
    ("MobileNet", 1.0, 1.0, 192),
    ("MobileNet", 0.5, 1.0, 224),
    ("MobileNetV2", 1.0, 1.0, 160),
    ("MobileNetV2", 0.5, 2.0, 224),
    ("EfficientNet-Lite0", 1.0, 1.0, 128),
    ("EfficientNet-Lite0", 1.0, 1.0, 224),
)


def scaled_network(name: str, width: float = 1.0, depth: float = 1.0) -> BlockNetwork:
    """Build one of `TABLES` with its widths and repeats multiplied; the 1x1 head is never narrowed."""
    head = None if name == "MobileNet" else round_channels(1280 * max(width, 1.0))
    return BlockNetwork(scale_blocks(TABLES[name], width, depth), stem=round_channels(32 * width), head=head)


@lru_cache(maxsize=512)
def scaled_cost(name: str, width: float, depth: float, side: int) -> tuple[BlockNetwork, Cost]:
    """Return a scaled network and its cost on a square image; its weights take no memory (PyTorch's meta device)."""
    with torch.device("meta"):
        network = scaled_network(name, width, depth)
    return network, chain_cost(network, side)


def chain_cost(network: BlockNetwork, side: int) -> Cost:
    """Count as `count_cost` does, from the shapes alone: a slider must not wait for a forward pass.

    Right for networks whose layers run one after the other in the order of their names, as these do.
    """
    rows = []
    for name, layer in network.named_modules():
        numbers = sum(p.numel() for p in layer.parameters(recurse=False))
        if isinstance(layer, nn.Conv2d):
            side = math.ceil(side / layer.stride[0])
            shape = (layer.out_channels, side, side)
            rows.append(LayerCost(name, type(layer).__name__, shape, numbers * side**2, numbers))
        elif isinstance(layer, nn.BatchNorm2d):
            rows.append(LayerCost(name, "BatchNorm2d", (layer.num_features, side, side), 0, numbers))
        elif isinstance(layer, nn.Linear):
            rows.append(LayerCost(name, "Linear", (layer.out_features,), layer.weight.numel(), numbers))
    return Cost(sum(r.multiply_adds for r in rows), sum(r.parameters for r in rows), tuple(rows))


def work(network: nn.Module, cost: Cost) -> Tensor:
    """Return what takes time: [ordinary multiply-adds, depthwise multiply-adds, numbers written], each in millions."""
    layers = dict(network.named_modules())
    totals = torch.zeros(3)
    for row in cost.layers:
        depthwise = isinstance(layers[row.name], nn.Conv2d) and layers[row.name].groups > 1
        totals[1 if depthwise else 0] += row.multiply_adds / 1e6
        totals[2] += torch.Size(row.output_shape).numel() / 1e6
    return totals


@dataclass(frozen=True)
class TimeModel:
    """Milliseconds = rates . work, fitted to networks measured on this machine; `error` is its mean relative miss."""

    rates: Tensor  # ms per million of: ordinary multiply-adds, depthwise multiply-adds, numbers written
    error: float

    def milliseconds(self, network: nn.Module, cost: Cost) -> float:
        """Estimate one forward pass on one image."""
        return float(work(network, cost) @ self.rates)


def fit_time_model(repeats: int = 4) -> TimeModel:
    """Measure the networks of `CALIBRATION` (a second or two) and fit non-negative rates to them.

    The fit minimises relative errors, so that a small network counts as much as a large one.
    """
    from scipy.optimize import nnls

    rows, times = [], []
    for name, width, depth, side in CALIBRATION:
        rows.append(work(*scaled_cost(name, width, depth, side)))
        network = scaled_network(name, width, depth)
        times.append(measure_latency(network, (3, side, side), repeats=repeats, warmup=2).milliseconds)
    relative = torch.stack(rows) / torch.tensor(times)[:, None]
    rates, _ = nnls(relative.numpy(), torch.ones(len(times)).numpy())
    rates = torch.from_numpy(rates).float()
    return TimeModel(rates, (relative @ rates - 1).abs().mean().item())


def reward_explorer(accuracy: Mapping[str, float], milliseconds: Mapping[str, float]) -> Explorer:
    """Sliders for the exponent and the target of MnasNet's reward ACC * (LAT / T)^w: the networks, best first."""

    def render(weight: float, target: float) -> str:
        reward = {n: mnasnet_reward(accuracy[n], milliseconds[n], target, weight) for n in milliseconds}
        return _ranking(dict(sorted(reward.items(), key=lambda item: -item[1])), accuracy, milliseconds)

    return Explorer(
        render,
        weight=ipywidgets.FloatSlider(value=-0.07, min=-1, max=0, step=0.01, description="exponent w"),
        target=ipywidgets.FloatSlider(value=10, min=1, max=50, step=1, description="target T, ms"),
    )


def _ranking(reward: Mapping[str, float], accuracy: Mapping[str, float], milliseconds: Mapping[str, float]) -> str:
    """Write a bar for each network, the best reward first and in colour."""
    best, bars = next(iter(reward)), []
    for row, (name, value) in enumerate(reward.items()):
        y, color = 6 + 32 * row, BLUE if name == best else MUTED
        length = 230 * value / reward[best]
        note = f"{value:.1f} = {accuracy[name]:.1f} % at {milliseconds[name]:.1f} ms"
        bars.append(
            f'<text x="0" y="{y + 17}" fill="{INK}">{escape(name)}</text>'
            f'<rect x="165" y="{y}" width="{length:.1f}" height="24" rx="3" fill="{color}"/>'
            f'<text x="{173 + length:.1f}" y="{y + 17}" fill="{color}">{note}</text>'
        )
    label = escape(f"best reward: {best}, {reward[best]:.3g}", quote=True)
    return (
        f'<svg viewBox="0 0 {WIDTH} {12 + 32 * len(bars)}" role="img" aria-label="{label}" '
        f'style="width:100%;max-width:{WIDTH}px;display:block;font:600 14px system-ui,sans-serif">{"".join(bars)}</svg>'
    )


def cost_explorer(model: TimeModel) -> Explorer:
    """Sliders for the multipliers of three networks: the silhouette, and its cost against the unscaled network's."""

    def render(network: str, width: float, resolution: int, depth: float) -> str:
        scaled = scaled_cost(network, width, depth, resolution)
        return _page(scaled, scaled_cost(network, 1.0, 1.0, 224), model, SCALES[network])

    return Explorer(
        render,
        network=ipywidgets.Dropdown(options=list(TABLES), description="network"),
        width=ipywidgets.FloatSlider(value=1, min=0.25, max=1.25, step=0.05, description="width multiplier α"),
        resolution=ipywidgets.IntSlider(value=224, min=96, max=256, step=16, description="input side, pixels"),
        depth=ipywidgets.FloatSlider(value=1, min=0.5, max=1.5, step=0.25, description="depth multiplier"),
    )


def _page(scaled: tuple[BlockNetwork, Cost], full: tuple[BlockNetwork, Cost], model: TimeModel, across: float) -> str:
    """Write the silhouette above three bars; the thin mark on a bar is the unscaled network."""
    rows = (
        ("multiply-adds", BLUE, scaled[1].multiply_adds / 1e6, full[1].multiply_adds / 1e6, "million"),
        ("parameters", GREEN, scaled[1].parameters / 1e6, full[1].parameters / 1e6, "million"),
        ("time, estimated", ORANGE, model.milliseconds(*scaled), model.milliseconds(*full), "ms"),
    )
    spoken = ", ".join(f"{name} {_number(value)} {unit}" for name, _, value, _, unit in rows)
    bars = "".join(_bar(190.0 + 38 * i, *row) for i, row in enumerate(rows))
    return (
        f'<svg viewBox="0 0 {WIDTH} 305" role="img" aria-label="{escape(spoken, quote=True)}" '
        f'style="width:100%;max-width:{WIDTH}px;display:block;font:600 14px system-ui,sans-serif">'
        f"{_silhouette(*scaled, across)}{bars}</svg>"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _silhouette(network: BlockNetwork, cost: Cost, across: float) -> str:
    """Draw the feature maps at a fixed scale, so that a slider visibly thins, shortens or lengthens the network."""
    shapes = block_costs(network, cost)
    darkest = max(s[3] for s in shapes)
    pieces = []
    for x, (_, side, channels, multiply_adds) in zip(block_positions(shapes), shapes, strict=True):
        red, green, blue = (round(255 * v) for v in shade(multiply_adds / darkest))
        pieces.append(
            f'<rect x="{x * across:.1f}" y="{85 - side / 2:.1f}" width="{max(1.5, channels * across):.1f}" '
            f'height="{side}" rx="1" fill="rgb({red},{green},{blue})"/>'
        )
    return "".join(pieces)


def _bar(y: float, name: str, color: str, value: float, full: float, unit: str) -> str:
    """Draw one bar: its length is the fraction of the unscaled network, which the mark stands for."""
    left, unit_length = 150, 82
    length = value / full * unit_length
    text = f"{_number(value)} {unit} (×{value / full:.2f})"
    return (
        f'<text x="0" y="{y + 18}" fill="{INK}">{name}</text>'
        f'<rect x="{left}" y="{y}" width="{unit_length}" height="26" rx="3" fill="{GRID}"/>'
        f'<rect x="{left}" y="{y}" width="{length:.1f}" height="26" rx="3" fill="{color}"/>'
        f'<rect x="{left + unit_length - 1}" y="{y - 3}" width="2" height="32" fill="{MUTED}"/>'
        f'<text x="{left + max(length, unit_length) + 8:.1f}" y="{y + 18}" fill="{color}">{text}</text>'
    )
