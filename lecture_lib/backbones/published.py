"""The papers' networks, built by torchvision; their ImageNet weights are downloaded."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from lecture_lib.backbones.cut import Backbone, Stages, Weights, given_path


def _torchvision_model(name: str, weights: Weights) -> Any:
    """Build a torchvision model; raises OSError where its ImageNet weights can neither be downloaded nor read."""
    from torchvision import models

    model = models.get_model(name, weights=None)
    if weights is None:
        return model
    path = given_path(weights)
    try:
        if path is None:
            state = models.get_model_weights(name).IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as error:  # all that a file can do
        raise OSError(
            f"ImageNet weights of {name} could not be loaded ({error!r}). They come once from pytorch.org. If "
            f"{path or Path(torch.hub.get_dir()) / 'checkpoints'} has the file it is damaged: delete it and try again. "
            "Without a network use the course's own backbone, efficientnet_lite0(), or pass weights=None."
        ) from error
    return model


def _cut_fully_connected(model: Any, bounds: Sequence[int], **about: Any) -> Backbone:
    """Cut AlexNet or VGG before its last pooling, at stride 16; `bounds` part the layers into conv1 .. conv5."""
    convs = {f"conv{i}": model.features[a:b] for i, (a, b) in enumerate(pairwise(bounds), start=1)}
    fc6, fc7, classifier = model.classifier[0:3], model.classifier[3:6], model.classifier[6]
    trunk = Stages(OrderedDict(convs))
    tail = Stages(OrderedDict(flatten=nn.Flatten(), fc6=fc6, fc7=fc7, classifier=classifier))
    pool = model.features[bounds[-1]]
    return Backbone(trunk, tail, stride=16, pool=pool, **about).eval()


def alexnet(weights: Weights = "imagenet") -> Backbone:
    """AlexNet: 256 channels at stride 16, a 6x6 grid for its fully connected layers (Fast R-CNN's network S).

    This is torchvision's: the 2014 "one weird trick" variant (one column, no local response normalisation, fewer
    filters), not the 2012 network of the papers. Its adaptive pooling is left out: a wrong image size must break fc6.
    """
    model = _torchvision_model("alexnet", weights)
    bounds = (0, 3, 6, 8, 10, 12)
    return _cut_fully_connected(model, bounds, channels=256, first_cell=15.5, grid=(6, 6), input_size=227)


def vgg16(weights: Weights = "imagenet") -> Backbone:
    """VGG16: 512 channels at stride 16, a 7x7 grid for its fully connected layers (Fast R-CNN's network L).

    As in the paper, and unlike torchvision's, there is no adaptive pooling: only 224x224 images pass the whole network.
    """
    model = _torchvision_model("vgg16", weights)
    bounds = (0, 5, 10, 17, 24, 30)
    return _cut_fully_connected(model, bounds, channels=512, first_cell=8.0, grid=(7, 7), input_size=224)


def resnet50(weights: Weights = "imagenet") -> Backbone:
    """ResNet-50 cut after its fourth stage (the C4 cut of He et al. 2016): 1024 channels at stride 16, any grid."""
    model = _torchvision_model("resnet50", weights)
    stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
    trunk = Stages(OrderedDict(stem=stem, layer1=model.layer1, layer2=model.layer2, layer3=model.layer3))
    pooled = nn.Sequential(model.avgpool, nn.Flatten())
    tail = Stages(OrderedDict(layer4=model.layer4, pool=pooled, classifier=model.fc))
    return Backbone(trunk, tail, stride=16, channels=1024, first_cell=0.5).eval()
