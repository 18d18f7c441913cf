"""Pre-trained CNNs cut in two: a convolutional trunk for the whole picture and a tail for each region.

Every detector of the course is "the same network, cut in another place": the cut, its stride and channels are data.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from operator import mul
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lecture_lib.mobile import LITE0_BLOCKS, EfficientNetLite0, read_imagenet_weights
from lecture_lib.structures import RegionFeatures

LITE0_MEAN, LITE0_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Weights = str | Path | None


class Stages(nn.Sequential):
    """Named stages that run in order; a frozen BatchNorm inside stays in eval mode whoever calls `.train()`.

    Without this rule a "frozen" network would still drift: BatchNorm's running statistics are no parameters.
    """

    def train(self, mode: bool = True) -> "Stages":
        """Set the mode of everything but the frozen BatchNorm layers."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d) and not layer.weight.requires_grad:
                layer.training = False
        return self


class Backbone(nn.Module):
    """An image classifier cut into `trunk` | `pool` | `tail`, which one after the other are the whole network.

    Attributes:
        trunk: convolutions, image [n, 3, H, W] -> map [n, channels, ~H / stride, ~W / stride]; any size goes in
        pool: what the classifier does between trunk and tail and a detector replaces by its own region pooling
        tail: the rest, as stages; the last one, `classifier`, gives the logits
        stride: pixels per cell of the trunk's map
        channels: channels of the trunk's map
        first_cell: pixel at the centre of what the map's first cell looks at (cell i: i * stride further)
        grid: (rows, columns) that the tail's fully connected layers insist on; None where the tail accepts any
        input_size: side in pixels of the square images that the whole network was made for
        fresh_tail: whether the tail is random, not ImageNet's, and has to learn as fast as a new head

    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: Stages,
        tail: Stages,
        *,
        stride: int,
        channels: int,
        first_cell: float,
        input_size: int = 224,
        fresh_tail: bool = False,
        grid: tuple[int, int] | None = None,
        pool: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.trunk, self.pool, self.tail = trunk, pool or nn.Identity(), tail
        self.stride, self.channels, self.input_size, self.grid = stride, channels, input_size, grid
        self.first_cell, self.fresh_tail = first_cell, fresh_tail
        self.set_normalisation(TORCHVISION_MEAN, TORCHVISION_STD)
        self.to(memory_format=torch.channels_last)  # 1.3 to 2.2 times faster on CPUs, measured with Lite0

    def set_normalisation(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set the pixel mean and standard deviation of the training images, per channel, in 0..1."""
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def preprocess(self, images: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
        """Normalise images in 0..1 to what the trunk was trained on: (x - mean) / std."""
        normalised = (images - self.mean) / self.std
        return normalised.contiguous(memory_format=torch.channels_last) if normalised.ndim == 4 else normalised

    def stages(self) -> dict[str, nn.Module]:
        """Return all stages by name, trunk first, classifier last."""
        return dict([*self.trunk.named_children(), *self.tail.named_children()])

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Logits of images in 0..1: the whole network, the cut closed again."""
        return self.tail(self.pool(self.trunk(self.preprocess(images))))

    def features(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the vector that the classifier would read: the network with its head cut off."""
        return self.tail[:-1](self.pool(self.trunk(self.preprocess(images))))

    def features_by_depth(self, images: Float[Tensor, "n 3 h w"]) -> dict[str, Tensor]:
        """Return the output of every stage but the classifier, by name, shallowest first."""
        outputs, x = {}, self.preprocess(images)
        for part in (self.trunk, self.tail[:-1]):
            for name, stage in part.named_children():
                x = outputs[name] = stage(x)
            x = self.pool(x) if part is self.trunk else x
        return outputs

    def region_features(self, regions: Float[Tensor, "n 3 s s"]) -> RegionFeatures:
        """Return the features of warped regions at two depths: `pool5`, what the tail reads, and `fc7`, what it gives.

        Raises RuntimeError where the regions' size does not give the grid that the tail's first layer has weights for.
        """
        pool5 = self.pool(self.trunk(self.preprocess(regions)))
        return RegionFeatures(pool5.flatten(1), self.tail[:-1](pool5))

    def new_head(self, classes: int, generator: torch.Generator | None = None) -> "Backbone":
        """Replace the classifier by a randomly initialised one for `classes` classes, N(0, 0.01); returns itself.

        R-CNN (2014), section 2.3, does exactly this to ImageNet's 1000-way layer.
        """
        if classes < 1:
            raise ValueError(f"A head for {classes} classes cannot be built; give at least 1.")
        head = nn.Linear(self.tail.classifier.in_features, classes)
        nn.init.normal_(head.weight, std=0.01, generator=generator)
        nn.init.zeros_(head.bias)
        self.tail.classifier = head.to(self.mean.device)
        return self


def freeze(module: nn.Module) -> None:
    """Stop learning in `module`: no gradients, and its BatchNorm layers go to eval mode (where `Stages` keeps them)."""
    module.requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def unfreeze(module: nn.Module) -> None:
    """Let `module` learn again; the next `.train()` also wakes its BatchNorm layers."""
    module.requires_grad_(True)


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep ImageNet's BatchNorm statistics and scales: batches of a few images are too small to estimate new ones."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            freeze(layer)


def fold_batch_norm(module: nn.Module) -> None:
    """Make every BatchNorm that follows a convolution part of its weights: after training it scales and shifts only.

    On two cores this takes a fifth of EfficientNet-Lite0's time away. What it gives changes by rounding alone.
    """
    children = list(module.named_children())
    for (name, layer), (norm_name, norm) in pairwise(children):
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            folded = fuse_conv_bn_eval(layer.eval(), norm.eval())
            module.set_submodule(name, folded.requires_grad_(layer.weight.requires_grad))  # its bias may learn, too
            module.set_submodule(norm_name, nn.Identity().eval())
    for _, child in children:
        fold_batch_norm(child)


def freeze_all_but_last(backbone: Backbone, stages: int) -> None:
    """Freeze all but the classifier and the last `stages` stages with weights before it (0: the classifier alone)."""
    weighted = [s for s in backbone.stages().values() if any(True for _ in s.parameters())]
    if not 0 <= stages < len(weighted):
        raise ValueError(f"stages is {stages}: before its classifier this backbone has {len(weighted) - 1} stages.")
    freeze(backbone)
    for stage in weighted[len(weighted) - 1 - stages :]:
        unfreeze(stage)


def efficientnet_lite0(weights: Weights = "imagenet", cut: int = 5) -> Backbone:
    """Build EfficientNet-Lite0 from the lecture's blocks, its trunk being the stem and the first `cut` of 7 stages.

    The default cut gives 112 channels at stride 16. `weights`: "imagenet" (installed with the course, no network), the
    path of that file, or None for fresh weights. Raises OSError for missing or damaged weights.
    """
    if not 1 <= cut <= len(LITE0_BLOCKS):
        raise ValueError(f"cut is {cut}: choose how many of the {len(LITE0_BLOCKS)} stages the trunk has, e.g. 5.")
    network = EfficientNetLite0()
    if weights is not None:
        network.load_state_dict(read_imagenet_weights(_path(weights)))  # strict: every name must be used
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


def _path(weights: str | Path) -> Path | None:
    """Return None for the weights that come with the course, else the path the user gave."""
    return None if weights == "imagenet" else Path(weights)


def _torchvision_model(name: str, weights: Weights) -> Any:
    """Build a torchvision model; raises OSError where its ImageNet weights can neither be downloaded nor read."""
    from torchvision import models

    model = models.get_model(name, weights=None)
    if weights is None:
        return model
    path = _path(weights)
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


BACKBONES: dict[str, Callable[..., Backbone]] = {  # those with fully connected layers, as the lecture's detectors have
    "lite0": efficientnet_lite0_fc,
    "alexnet": alexnet,
    "vgg16": vgg16,
}


def imagenet_classes() -> tuple[str, ...]:
    """Return the 1000 class names in the order of the logits (from torchvision; no network)."""
    from torchvision.models import EfficientNet_B0_Weights

    return tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def imagenet_crop(image: Float[Tensor, "3 h w"], size: int = 224) -> Float[Tensor, "3 size size"]:
    """Return the centre `size` x `size` of an image whose shorter side was resized to size * 256 / 224, bicubic.

    The usual way to test on ImageNet; resizing straight to 224 cost Lite0 four points on ants and bees.
    """
    scale = size * 256 / 224 / min(image.shape[-2:])
    height, width = (max(size, round(side * scale)) for side in image.shape[-2:])
    resized = F.interpolate(image[None], (height, width), mode="bicubic", antialias=True)[0].clamp(0, 1)
    top, left = (height - size) // 2, (width - size) // 2
    return resized[:, top : top + size, left : left + size]


@torch.inference_mode()
def name_photograph(backbone: Backbone, image: Float[Tensor, "3 h w"], k: int = 5) -> list[tuple[str, float]]:
    """Return the `k` most probable ImageNet classes of a photograph in 0..1, with their probabilities, best first."""
    if backbone.tail.classifier.out_features != len(imagenet_classes()):
        raise ValueError("This backbone has a new head; names are known for ImageNet's 1000 classes only.")
    probabilities = backbone(imagenet_crop(image).to(backbone.mean.device)[None])[0].softmax(0)
    best = probabilities.topk(k)
    return [(imagenet_classes()[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
