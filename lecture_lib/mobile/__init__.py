"""Efficient CNNs from scratch: blocks, what they cost, how they are found and scaled, and EfficientNet-Lite0."""

from lecture_lib.mobile.blocks import (
    BlockNetwork,
    BlockSpec,
    ConvNorm,
    DepthwiseSeparable,
    InvertedResidual,
    SameConv2d,
    initialise,
    round_channels,
    same_padding,
)
from lecture_lib.mobile.cost import (
    Cost,
    Latency,
    LayerCost,
    convolution_multiply_adds,
    count_cost,
    measure_latency,
    separable_multiply_adds,
)
from lecture_lib.mobile.lite0 import EfficientNetLite0, read_imagenet_weights, weights_path
from lecture_lib.mobile.search import SearchSpace, mnasnet_reward, sample_blocks, sample_network
from lecture_lib.mobile.tables import (
    LITE0_BLOCKS,
    MOBILENET_BLOCKS,
    MOBILENET_V2_BLOCKS,
    CompoundScaling,
    mobilenet,
    mobilenet_v2,
    scale_blocks,
)

__all__ = [
    "LITE0_BLOCKS",
    "MOBILENET_BLOCKS",
    "MOBILENET_V2_BLOCKS",
    "BlockNetwork",
    "BlockSpec",
    "CompoundScaling",
    "ConvNorm",
    "Cost",
    "DepthwiseSeparable",
    "EfficientNetLite0",
    "InvertedResidual",
    "Latency",
    "LayerCost",
    "SameConv2d",
    "SearchSpace",
    "convolution_multiply_adds",
    "count_cost",
    "initialise",
    "measure_latency",
    "mnasnet_reward",
    "mobilenet",
    "mobilenet_v2",
    "read_imagenet_weights",
    "round_channels",
    "same_padding",
    "sample_blocks",
    "sample_network",
    "scale_blocks",
    "separable_multiply_adds",
    "weights_path",
]
