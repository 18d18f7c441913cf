"""What a network costs: multiply-adds and parameters, counted exactly, and milliseconds, measured on this machine."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lecture_lib.stopwatch import synchronise

# Normalisation and PReLU layers hold parameters but their work is folded into, or negligible beside, the convolutions.
FREE_LAYERS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.PReLU)


@dataclass(frozen=True)
class LayerCost:
    """What one call of one layer costs for one input."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    multiply_adds: int
    parameters: int


@dataclass(frozen=True)
class Cost:
    """Multiply-adds for one input, learnable numbers, and the layers they come from, in the order they ran."""

    multiply_adds: int
    parameters: int
    layers: tuple[LayerCost, ...]


@dataclass(frozen=True)
class Latency:
    """Measured milliseconds of one forward pass: the median, and half the interquartile range as its spread."""

    milliseconds: float
    spread: float


def convolution_multiply_adds(kernel: int, in_channels: int, out_channels: int, side: int) -> int:
    """Multiply-adds of an ordinary convolution: D_K^2 * M * N * D_F^2 (MobileNet, eq. 2)."""
    return kernel**2 * in_channels * out_channels * side**2


def separable_multiply_adds(kernel: int, in_channels: int, out_channels: int, side: int) -> int:
    """Multiply-adds of a depthwise separable convolution: D_K^2 * M * D_F^2 + M * N * D_F^2 (MobileNet, eq. 5)."""
    return kernel**2 * in_channels * side**2 + in_channels * out_channels * side**2


def layer_multiply_adds(layer: nn.Module, output: Tensor) -> int:
    """Multiply-adds of a convolution or linear layer for the output it gave (one per weight and output cell).

    Raises `ValueError` for a layer of a kind that it does not know.
    """
    if isinstance(layer, nn.Conv2d):
        weights_per_cell = layer.weight[0].numel()  # kernel * kernel * in_channels / groups
        return weights_per_cell * output.numel()
    if isinstance(layer, nn.ConvTranspose2d) and layer.kernel_size == layer.stride:
        return layer.in_channels // layer.groups * output.numel()  # every output cell reads one input cell
    if isinstance(layer, nn.Linear):
        return layer.in_features * output.numel()
    if isinstance(layer, FREE_LAYERS):
        return 0
    raise ValueError(
        f"count_cost knows Conv2d, Linear, norms and ConvTranspose2d whose stride is its kernel; not {layer}."
    )


def _example_input(module: nn.Module, input_size: tuple[int, ...]) -> Tensor:
    """Return a random input [1, *input_size] on the module's device (channels_last pays on CPU and GPU)."""
    if not input_size or min(input_size) < 1:
        raise ValueError(f"input_size is {input_size}: give one input's shape, e.g. (3, 224, 224).")
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    example = torch.rand(1, *input_size, device=device)
    return example.contiguous(memory_format=torch.channels_last) if example.ndim == 4 else example


def count_cost(module: nn.Module, input_size: tuple[int, ...]) -> Cost:
    """Run one input of shape `input_size`, e.g. (3, 224, 224), and count what every layer with weights does.

    Exact for Conv2d and Linear (a bias is no multiply-add); raises ValueError for a layer with weights it cannot count.
    """
    rows: list[LayerCost] = []

    def hook_for(name: str) -> Callable:
        def record(layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
            kind, shape, work = type(layer).__name__, tuple(output.shape[1:]), layer_multiply_adds(layer, output)
            rows.append(LayerCost(name, kind, shape, work, sum(p.numel() for p in layer.parameters(recurse=False))))

        return record

    example = _example_input(module, input_size)  # before the hooks: it may raise
    weighted = [(n, m) for n, m in module.named_modules() if any(True for _ in m.parameters(recurse=False))]
    hooks = [m.register_forward_hook(hook_for(n)) for n, m in weighted]
    try:
        with _in_eval(module), torch.no_grad():
            module(example)
    finally:
        for hook in hooks:
            hook.remove()
    parameters = sum(p.numel() for p in module.parameters())  # a layer that runs twice is still stored once
    return Cost(sum(r.multiply_adds for r in rows), parameters, tuple(rows))


@contextmanager
def _in_eval(module: nn.Module) -> Iterator[None]:
    """Eval mode, which leaves BatchNorm's statistics alone; afterwards every layer is in its mode of before."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for m, training in modes:
            m.training = training


def measure_latency(module: nn.Module, input_size: tuple[int, ...], *, repeats: int = 20, warmup: int = 3) -> Latency:
    """Time forward passes of a random input of shape `input_size`: median and spread over `repeats`.

    Accelerators are synchronised before each clock reading. Other work on the machine shows in the spread; compare
    networks only within one session, side by side. Convolution weights are left in the channels_last format.
    Raises `ValueError` for no input, no repeat, and a negative number of warm-up passes.
    """
    if repeats < 1 or warmup < 0:
        raise ValueError(f"repeats is {repeats} and warmup {warmup}: repeats must be >= 1 and warmup >= 0.")
    example = _example_input(module, input_size)
    if example.ndim == 4:
        module.to(memory_format=torch.channels_last)
    with _in_eval(module):
        milliseconds = [_timed_pass(module, example) for _ in range(warmup + repeats)][warmup:]
    low, median, high = statistics.quantiles(milliseconds, n=4) if repeats > 1 else milliseconds * 3
    return Latency(median, (high - low) / 2)


@torch.inference_mode()
def _timed_pass(module: nn.Module, example: Tensor) -> float:
    """Milliseconds of one forward pass."""
    synchronise(example.device)
    start = time.perf_counter()
    module(example)
    synchronise(example.device)
    return 1000 * (time.perf_counter() - start)
