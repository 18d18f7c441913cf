"""The building blocks of efficient CNNs, and a network that is a table of them.

MobileNet (2017) makes a convolution cheap, MobileNetV2 (2018) makes it strong again, MnasNet (2019) searches over such
blocks and EfficientNet (2019) scales them. Each block below is one paper's idea; `BlockNetwork` stacks any of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3  # TensorFlow's value, with which the packaged weights were trained (PyTorch's own is 1e-5)

Operation = Literal["conv", "separable", "inverted"]


def round_channels(channels: float | int) -> int:
    """Round a scaled width to a multiple of 8 (hardware likes it) without losing more than 10 % of it.

    The reference code of MobileNetV2 and of EfficientNet rounds like this, e.g. 0.75 * 32 -> 24.
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Cells to add (before, after) one axis so that the output has ceil(size / stride) cells, as TensorFlow does.

    With stride 2 on an even size one side gets a cell more than the other, which `nn.Conv2d(padding=...)` cannot say.
    """
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution without bias whose output has ceil(size / stride) cells: TensorFlow's "SAME" padding."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        symmetric = kernel // 2 if stride == 1 else 0  # stride 1 needs no special case, and is faster without one
        super().__init__(in_channels, out_channels, kernel, stride, symmetric, groups=groups, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Pad only as much as this input size needs, then convolve."""
        if self.stride[0] > 1:
            rows = same_padding(x.shape[-2], self.kernel_size[0], self.stride[0])
            columns = same_padding(x.shape[-1], self.kernel_size[1], self.stride[1])
            x = F.pad(x, (*columns, *rows))
        return super().forward(x)


class ConvNorm(nn.Sequential):
    """Convolution, BatchNorm and (unless `linear`) ReLU6: the atom of every network here.

    ReLU6 = min(max(x, 0), 6) keeps activations in a range that 8-bit hardware can hold (MobileNetV2, section 4).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = SameConv2d(in_channels, out_channels, kernel, stride, groups)
        self.norm = nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPS)
        if not linear:
            self.activation = nn.ReLU6(inplace=True)


class DepthwiseSeparable(nn.Sequential):
    """MobileNet (2017), section 3.1: a filter per channel (depthwise), then a 1x1 convolution that mixes the channels.

    A full convolution costs D_K^2 * M * N * D_F^2 multiply-adds, this one a fraction 1/N + 1/D_K^2 of it (eq. 5):
    8 to 9 times less for 3x3 kernels.

    Notes: M, N = `in_channels`, `out_channels`; D_K = `kernel`; D_F = side of the feature map.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = ConvNorm(in_channels, in_channels, kernel, stride=stride, groups=in_channels)
        self.pointwise = ConvNorm(in_channels, out_channels)


class InvertedResidual(nn.Module):
    """MobileNetV2 (2018), section 3: expand with 1x1, filter depthwise in the wide layer, project with a *linear* 1x1.

    The skip connects the narrow ends (the bottlenecks), the inverse of ResNet's, and only where the shapes agree. The
    projection has no ReLU because a ReLU in a narrow layer destroys information (section 3.2, figure 1).

    Notes: `expansion` is the paper's t; t = 1 has no expansion layer (the first block of V2 and of EfficientNet).
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, expansion: int = 6
    ) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = ConvNorm(in_channels, wide) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride=stride, groups=wide)
        self.project = ConvNorm(wide, out_channels, linear=True)
        self.has_skip = stride == 1 and in_channels == out_channels

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Table 1 of the paper: h x w x k -> h/s x w/s x k'."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_skip else y


@dataclass(frozen=True)
class BlockSpec:
    """One row of a network table: `repeats` blocks, the first with the stride (MobileNetV2, table 2: t, c, n, s).

    Raises `ValueError` for an even kernel, and for numbers below 1.
    """

    kernel: int
    stride: int
    expansion: int  # used by "inverted" only
    out_channels: int
    repeats: int
    operation: Operation = "inverted"

    def __post_init__(self) -> None:
        """Raise ValueError for a row that cannot be built."""
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}: SAME padding needs an odd kernel such as 3 or 5.")
        if min(self.stride, self.expansion, self.out_channels, self.repeats) < 1:
            raise ValueError(f"{self}: stride, expansion, out_channels and repeats must all be at least 1.")


def build_block(spec: BlockSpec, in_channels: int, stride: int) -> nn.Module:
    """Build one block of a table row; `stride` is the row's for its first block and 1 for the others."""
    if spec.operation == "inverted":
        return InvertedResidual(in_channels, spec.out_channels, spec.kernel, stride, spec.expansion)
    if spec.operation == "separable":
        return DepthwiseSeparable(in_channels, spec.out_channels, spec.kernel, stride)
    return ConvNorm(in_channels, spec.out_channels, spec.kernel, stride=stride)


def build_stage(spec: BlockSpec, in_channels: int) -> nn.Sequential:
    """Build a table row: the stride and the change of width happen in its first block."""
    first = build_block(spec, in_channels, spec.stride)
    return nn.Sequential(first, *(build_block(spec, spec.out_channels, 1) for _ in range(spec.repeats - 1)))


class BlockNetwork(nn.Module):
    """Image classifier: a stem (3x3, stride 2), the stages of a table, a 1x1 head, global pooling and a linear layer.

    Takes normalised images [n, 3, h, w] of any size, returns logits [n, classes]. `head=None` leaves the 1x1 head out.
    Raises `ValueError` for a table without a row.
    """

    def __init__(
        self,
        blocks: Sequence[BlockSpec],
        stem: int = 32,
        head: int | None = 1280,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("A BlockNetwork needs at least one BlockSpec, e.g. lecture_lib.mobile.LITE0_BLOCKS.")
        self.stem = ConvNorm(3, stem, 3, stride=2)
        widths = [stem, *(spec.out_channels for spec in blocks)]
        self.stages = nn.Sequential(*(build_stage(s, c) for s, c in zip(blocks, widths, strict=False)))
        self.head = ConvNorm(widths[-1], head) if head else nn.Identity()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(head or widths[-1], classes)
        initialise(self)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Classify normalised images."""
        x = self.head(self.stages(self.stem(images)))
        return self.classifier(self.dropout(self.pool(x)))


def initialise(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw fresh weights that keep the variance of the signal from layer to layer (He et al. 2015, eq. 14).

    PyTorch's own default shrinks the signal in every layer, so that a network trained from scratch starts behind.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out), generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
            nn.init.zeros_(layer.bias)
