"""What of a network learns, and what keeps ImageNet's weights and statistics."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lecture_lib.backbones.cut import Backbone


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
    """Freeze all but the classifier and the last `stages` stages with weights before it (0: the classifier alone).

    Raises `ValueError` for another number of stages than there are.
    """
    weighted = [s for s in backbone.stages().values() if any(True for _ in s.parameters())]
    if not 0 <= stages < len(weighted):
        raise ValueError(f"stages is {stages}: before its classifier this backbone has {len(weighted) - 1} stages.")
    freeze(backbone)
    for stage in weighted[len(weighted) - 1 - stages :]:
        unfreeze(stage)
