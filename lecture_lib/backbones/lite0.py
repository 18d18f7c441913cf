"""EfficientNet-Lite0, whose ImageNet weights come with the course: as it is, and with fully connected layers."""

from collections import OrderedDict
from itertools import accumulate
from operator import mul

import torch
from torch import nn

from lecture_lib.backbones.cut import Backbone, Stages, Weights, given_path
from lecture_lib.mobile import LITE0_BLOCKS, EfficientNetLite0, read_imagenet_weights

LITE0_MEAN, LITE0_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def efficientnet_lite0(weights: Weights = "imagenet", cut: int = 5) -> Backbone:
    """Build EfficientNet-Lite0 from the lecture's blocks, its trunk being the stem and the first `cut` of 7 stages.

    The default cut gives 112 channels at stride 16. `weights`: "imagenet" (installed with the course, no network), the
    path of that file, or None for fresh weights. Raises OSError for missing or damaged weights.
    """
    if not 1 <= cut <= len(LITE0_BLOCKS):
        raise ValueError(f"cut is {cut}: choose how many of the {len(LITE0_BLOCKS)} stages the trunk has, e.g. 5.")
    network = EfficientNetLite0()
    if weights is not None:
        network.load_state_dict(read_imagenet_weights(given_path(weights)))  # strict: every name must be used
    named = [("stem", network.stem), *((f"stage{i}", stage) for i, stage in enumerate(network.stages, start=1))]
    rest = [("head", nn.Sequential(network.head, *network.pool, network.dropout)), ("classifier", network.classifier)]
    strides = list(accumulate((spec.stride for spec in LITE0_BLOCKS), mul, initial=2))  # the stem halves the image
    backbone = Backbone(
        Stages(OrderedDict(named[: cut + 1])),
        Stages(OrderedDict(named[cut + 1 :] + rest)),
        stride=strides[cut],
        channels=LITE0_BLOCKS[cut - 1].out_channels,
        first_cell=strides[cut] - 0.5,  # of images of even size, which are padded on the right and below only
    )
    backbone.set_normalisation(LITE0_MEAN, LITE0_STD)
    return backbone.eval()


def efficientnet_lite0_fc(
    weights: Weights = "imagenet", width: int = 1024, generator: torch.Generator | None = None
) -> Backbone:
    """EfficientNet-Lite0's trunk with a fresh tail in AlexNet's manner: fc6 and fc7 of `width` units on a 7x7 grid.

    The network of the course's detectors. Lite0 itself ends in an average over all cells, which takes any grid; the
    papers' networks end in fully connected layers, which do not. A 112 px image gives just this grid; the papers'
    227 px would cost four times as much on a CPU. The tail is random: it has to be trained.
    """
    lite0 = efficientnet_lite0(weights)
    fc6 = nn.Sequential(nn.Linear(lite0.channels * 7 * 7, width), nn.ReLU(), nn.Dropout(0.5))
    fc7 = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5))
    for layer in (fc6[0], fc7[0]):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
    tail = Stages(OrderedDict(flatten=nn.Flatten(), fc6=fc6, fc7=fc7, classifier=nn.Linear(width, 1000)))
    backbone = Backbone(
        lite0.trunk,
        tail,
        stride=lite0.stride,
        channels=lite0.channels,
        first_cell=lite0.first_cell,
        input_size=112,
        grid=(7, 7),
        fresh_tail=True,
    )
    backbone.set_normalisation(LITE0_MEAN, LITE0_STD)
    return backbone.new_head(1000, generator).eval()
