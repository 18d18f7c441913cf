"""The smallest network that a feature pyramid can be built on: stages of stride 8 and 16, geometry as Lite0's."""

import torch
from torch import nn

from lecture_lib.backbones import Backbone, Stages


def tiny_pyramid_backbone(seed: int = 0) -> Backbone:
    """Two convolutions and fully connected layers on a 2x2 grid; cell i of the map looks at pixel 16 i + 15.5."""
    trunk, tail = Stages(), Stages()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk.add_module("conv1", nn.Sequential(nn.ZeroPad2d((0, 8, 0, 8)), nn.Conv2d(3, 6, 16, stride=8), nn.ReLU()))
        trunk.add_module("conv2", nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()))
        tail.add_module("flatten", nn.Flatten())
        tail.add_module("fc6", nn.Sequential(nn.Linear(32, 12), nn.ReLU()))
        tail.add_module("fc7", nn.Sequential(nn.Linear(12, 10), nn.ReLU()))
        tail.add_module("classifier", nn.Linear(10, 5))
    return Backbone(trunk, tail, stride=16, channels=8, first_cell=15.5, input_size=32, grid=(2, 2)).eval()
