"""What a cell of a map looks at: skeletons of the networks, whose receptive fields are exact."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from lecture_lib.backbones import LITE0_MEAN, LITE0_STD, Backbone, alexnet, efficientnet_lite0, vgg16

NETWORKS = {"lite0": efficientnet_lite0, "alexnet": alexnet, "vgg16": vgg16}


def skeleton(trunk: nn.Module) -> nn.Module:
    """The trunk's geometry alone: one channel, equal weights, averages for maxima, and nothing that bends or shifts.

    What a cell of it looks at is exact: the gradient is symmetric about the centre of the cell's receptive field.
    """
    bare = deepcopy(trunk)
    for module in list(bare.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
            elif isinstance(layer, nn.ReLU | nn.ReLU6 | nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
            elif isinstance(layer, nn.Conv2d):
                inputs = 3 if layer.in_channels == 3 else 1
                layer.weight = nn.Parameter(torch.ones(1, inputs, *layer.kernel_size) / layer.weight[0, 0].numel())
                layer.groups, layer.bias = 1, None
    return bare


def skeletons() -> dict[str, Backbone]:
    """The networks with skeletons for trunks; of the rest there are shapes only."""
    made = {}
    for name, build in NETWORKS.items():
        with torch.device("meta"):
            made[name] = build(None)
        made[name].trunk = skeleton(made[name].trunk)
        made[name].set_normalisation(LITE0_MEAN, LITE0_STD)
    return made


def centroid(weight: Tensor) -> tuple[float, float]:
    """(y, x) of the centre of mass; pixel p covers p to p + 1, as boxes do."""
    weight = weight.double()
    rows, columns = (torch.arange(n).double() + 0.5 for n in weight.shape)
    return float(weight.sum(1) @ rows / weight.sum()), float(weight.sum(0) @ columns / weight.sum())
