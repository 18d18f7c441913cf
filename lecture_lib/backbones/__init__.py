"""Pre-trained CNNs cut in two: a convolutional trunk for the whole picture and a tail for each region."""

from collections.abc import Callable

from lecture_lib.backbones.cut import Backbone, Stages
from lecture_lib.backbones.freezing import fold_batch_norm, freeze, freeze_all_but_last, freeze_batch_norm, unfreeze
from lecture_lib.backbones.imagenet import imagenet_classes, imagenet_crop, name_photograph
from lecture_lib.backbones.lite0 import LITE0_MEAN, LITE0_STD, efficientnet_lite0, efficientnet_lite0_fc
from lecture_lib.backbones.published import alexnet, resnet50, vgg16

BACKBONES: dict[str, Callable[..., Backbone]] = {  # those with fully connected layers, as the lecture's detectors have
    "lite0": efficientnet_lite0_fc,
    "alexnet": alexnet,
    "vgg16": vgg16,
}

__all__ = [
    "BACKBONES",
    "LITE0_MEAN",
    "LITE0_STD",
    "Backbone",
    "Stages",
    "alexnet",
    "efficientnet_lite0",
    "efficientnet_lite0_fc",
    "fold_batch_norm",
    "freeze",
    "freeze_all_but_last",
    "freeze_batch_norm",
    "imagenet_classes",
    "imagenet_crop",
    "name_photograph",
    "resnet50",
    "unfreeze",
    "vgg16",
]
