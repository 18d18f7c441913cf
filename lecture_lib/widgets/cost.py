"""Sliders for width, depth and resolution: the network is drawn, its cost counted and its time estimated."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
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
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import WIDTH, draw_bars

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


def fit_time_model() -> TimeModel:
    """Measure the networks of `CALIBRATION` (a second or two) and fit non-negative rates to them.

    The fit minimises relative errors, so that a small network counts as much as a large one.
    """
    from scipy.optimize import nnls

    rows, times = [], []
    for name, width, depth, side in CALIBRATION:
        rows.append(work(*scaled_cost(name, width, depth, side)))
        network = scaled_network(name, width, depth)
        times.append(measure_latency(network, (3, side, side), repeats=4, warmup=2).milliseconds)
    relative = torch.stack(rows) / torch.tensor(times)[:, None]
    rates, _ = nnls(relative.numpy(), torch.ones(len(times)).numpy())
    rates = torch.from_numpy(rates).float()
    return TimeModel(rates, (relative @ rates - 1).abs().mean().item())


def reward_explorer(
    accuracy: Mapping[str, float], milliseconds: Mapping[str, float], target: float = 10
) -> BrowserWidget:
    """Sliders for the exponent and the target of MnasNet's reward ACC * (LAT / T)^w: the networks, best first.

    accuracy: in percent, milliseconds: both by the networks' names; target: where T starts, in ms. Raises
    `ValueError` where names differ or are none.
    """
    if not accuracy or set(accuracy) != set(milliseconds):
        raise ValueError(f"reward: give both for the same networks, got {[*accuracy]} and {[*milliseconds]}")
    start = {"weight": -0.07, "target": max(1, round(target))}
    longest = max(50, math.ceil(max(milliseconds.values())))
    reward = {n: mnasnet_reward(accuracy[n], milliseconds[n], **start) for n in accuracy}
    rivals = [{"name": n, "accuracy": float(accuracy[n]), "milliseconds": float(milliseconds[n])} for n in accuracy]
    best = max(reward.values())
    rows = [(f"{name}: {value:.1f}", value / best) for name, value in sorted(reward.items(), key=lambda item: -item[1])]
    return BrowserWidget(
        "reward",
        "MnasNet's reward of some networks, best first",
        Data({"rivals": rivals, "longest": longest}),
        start,
        lambda: draw_bars(rows),
    )


def cost_explorer(model: TimeModel) -> BrowserWidget:
    """Sliders for the multipliers of three networks: the silhouette, and its cost against the unscaled network's."""
    names = list(TABLES)
    networks = {name: _description(name) for name in names}
    return BrowserWidget(
        "cost",
        "What a network costs with its width, depth and resolution multiplied",
        Data({"networks": networks, "rates": model.rates.tolist()}),
        {"network": names[0], "width": 1, "side": 224, "depth": 1},
        lambda: _still(model),
    )


def _description(name: str) -> dict[str, Any]:
    """A network as its table of blocks, for the browser, which counts as `scaled_network` and `chain_cost` do."""
    blocks = [asdict(spec) for spec in TABLES[name]]
    head = None if name == "MobileNet" else 1280
    return {"blocks": blocks, "stem": 32, "head": head, "classes": 1000, "across": SCALES[name]}


def _still(model: TimeModel) -> Image.Image:
    """What the unscaled networks cost."""
    costs = {name: scaled_cost(name, 1.0, 1.0, 224) for name in TABLES}
    most = max(cost.multiply_adds for _, cost in costs.values())
    rows = []
    for name, (network, cost) in costs.items():
        million, ms = cost.multiply_adds / 1e6, model.milliseconds(network, cost)
        rows.append((f"{name}: {million:.0f} million multiply-adds, {ms:.1f} ms", cost.multiply_adds / most))
    return draw_bars(rows)
