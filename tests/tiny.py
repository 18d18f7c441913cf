"""The smallest network that Fast R-CNN can be built on, for tests of figures and widgets."""

from torch import nn

from lecture_lib.backbones import Backbone, Stages


def tiny_backbone() -> Backbone:
    """A convolution of stride 4 and fully connected layers on a 2x2 grid."""
    trunk, tail = Stages(), Stages()
    trunk.add_module("conv", nn.Conv2d(3, 2, 4, stride=4, bias=False))
    tail.add_module("flatten", nn.Flatten())
    tail.add_module("fc6", nn.Sequential(nn.Linear(8, 6), nn.ReLU()))
    tail.add_module("fc7", nn.Sequential(nn.Linear(6, 5), nn.ReLU()))
    tail.add_module("classifier", nn.Linear(5, 10))
    return Backbone(trunk, tail, stride=4, channels=2, first_cell=0.0, input_size=8, grid=(2, 2)).eval()
