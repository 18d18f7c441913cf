"""A CNN cut in two: a convolutional trunk for the whole picture and a tail for each region.

Every detector of the course is "the same network, cut in another place": the cut, its stride and channels are data.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.structures import RegionFeatures

TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Weights = str | Path | None  # "imagenet", a file of one's own, or None for fresh ones


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
        Raises `ValueError` for fewer than one class.
        """
        if classes < 1:
            raise ValueError(f"A head for {classes} classes cannot be built; give at least 1.")
        head = nn.Linear(self.tail.classifier.in_features, classes)
        nn.init.normal_(head.weight, std=0.01, generator=generator)
        nn.init.zeros_(head.bias)
        self.tail.classifier = head.to(self.mean.device)
        return self


def given_path(weights: str | Path) -> Path | None:
    """None for the weights that come with the course, else the path that the user gave."""
    return None if weights == "imagenet" else Path(weights)
