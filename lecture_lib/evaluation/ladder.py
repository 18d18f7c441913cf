"""What the detectors of the ladder are compared by: equal numbers of regions, passes of the CNN, multiply-adds."""

from contextlib import ExitStack
from copy import copy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.detectors import ALL_SLOTS, SLOTS, Detector, SearchImage
from lecture_lib.encoders import WholeImage
from lecture_lib.mobile.cost import layer_multiply_adds


def with_regions(detector: Detector, count: int) -> Detector:
    """The detector with at most `count` proposals an image, the best ones; its weights are shared.

    Raises `ValueError` for fewer than one.
    """
    if count < 1:
        raise ValueError(f"with_regions: at least one region is needed, got {count}")
    if isinstance(detector.propose, SearchImage):
        return replace(detector, propose=SearchImage(replace(detector.propose.settings, max_boxes=count)))
    network = copy(detector.propose)
    network.rule = replace(network.rule, count=count)
    return replace(detector, propose=network)


def cnn_passes(detector: Detector, regions: int) -> int:
    """How often the convolutions run on an image: once a region, or once a scale."""
    return regions if isinstance(detector.encode, WholeImage) else len(detector.encode.shorter_sides)


def multiply_adds(detector: Detector, image: Float[Tensor, "3 h w"]) -> dict[str, int]:
    """Multiply-adds of every slot for one image, counted layer by layer while it is detected."""
    counted = dict.fromkeys(SLOTS if detector.mask is None else ALL_SLOTS, 0)

    def adder(slot: str):
        def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            counted[slot] += layer_multiply_adds(layer, output)

        return add

    with ExitStack() as hooks, torch.no_grad():
        for slot, module in detector.modules().items():
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                    hooks.callback(layer.register_forward_hook(adder(slot)).remove)
        detector.trace(image)
    return counted
