"""Naming photographs: ImageNet's 1000 classes, and the crop of a photograph on which networks are tested."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lecture_lib.backbones.cut import Backbone


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
    """Return the `k` most probable ImageNet classes of a photograph in 0..1, with their probabilities, best first.

    Raises `ValueError` for a backbone with another head than that of the 1000 classes.
    """
    if backbone.tail.classifier.out_features != len(imagenet_classes()):
        raise ValueError("This backbone has a new head; names are known for ImageNet's 1000 classes only.")
    probabilities = backbone(imagenet_crop(image).to(backbone.mean.device)[None])[0].softmax(0)
    best = probabilities.topk(k)
    return [(imagenet_classes()[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
