"""What widgets ask of their arguments, each with one error that says what to do."""

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import Proposals, Target, check_boxes, check_image


def check_same_picture(image: Float[Tensor, "3 h w"], record: Proposals | Target) -> None:
    """Raise `ValueError` unless `image` is an image in 0..1 of the size that the record's boxes were made for."""
    check_image(image)
    if tuple(image.shape[1:]) != tuple(record.image_size):
        height, width = record.image_size
        raise ValueError(
            f"the image has {image.shape[2]} x {image.shape[1]} pixels, but the {type(record).__name__.lower()} are of "
            f"one with {width} x {height}; give the image that they were made from"
        )


def check_classes(classes: tuple[str, ...] | list[str], needed: int) -> None:
    """Raise `ValueError` unless there is a name for each of the labels 1..needed."""
    if isinstance(classes, str) or len(classes) < needed:
        raise ValueError(f"classes: {needed} names are needed, one for each foreground label, got {classes!r}")


def two_inside(image: Float[Tensor, "3 h w"], boxes: Float[Tensor, "r 4"]) -> list[list[int]]:
    """Corners of two boxes, rounded to whole pixels; raise `ValueError` unless they are two inside the image."""
    check_image(image)
    check_boxes(boxes)
    corners, limit = boxes.detach().cpu().round(), torch.tensor([image.shape[2], image.shape[1]] * 2)
    if len(corners) != 2 or corners.min() < 0 or (corners > limit).any():
        size = f"{image.shape[2]} x {image.shape[1]} pixels"
        raise ValueError(f"boxes: two inside the image of {size} are needed, got {corners.tolist()}")
    return corners.int().tolist()
