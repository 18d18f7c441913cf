"""One image's annotation file (XML) and mask file (PNG). Coordinates are converted here and nowhere else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image
from torch import Tensor

from lecture_lib.structures import Target

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The twenty classes of VOC 2007 to 2012, in their official (alphabetical) order."""
LARGEST_SIDE = 2**24  # pixels that single precision counts exactly


@dataclass(frozen=True)
class AnnotatedObject:
    """One <object>: its class, its box as (x1, y1, x2, y2) of the course, and whether it is flagged difficult."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True)
class Annotation:
    """What an annotation file says of its image, of (height, width)."""

    image_size: tuple[int, int]
    objects: tuple[AnnotatedObject, ...]

    def target(self, classes: Sequence[str]) -> Target:
        """The objects as a `Target`: label k is classes[k - 1]. Raises ValueError for a class that is not listed."""
        unknown = sorted({item.name for item in self.objects} - set(classes))
        if unknown:
            raise ValueError(
                f"unknown class {unknown[0]!r}, not one of {list(classes)}. Correct the name, or list it: "
                "VOCDataset(..., classes=[...]) or one name a line in ImageSets/classes.txt."
            )
        return Target(
            boxes=torch.tensor([item.box for item in self.objects], dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor([classes.index(item.name) + 1 for item in self.objects], dtype=torch.long),
            difficult=torch.tensor([item.difficult for item in self.objects], dtype=torch.bool),
            masks=None,
            image_size=self.image_size,
        )


def read_annotation(path: Path) -> Annotation:
    """Read an annotation file. <pose>, <truncated> and <difficult> may be missing; a person's <part>s are no objects.

    Raises FileNotFoundError, or ValueError with the file's name when it is not as VOC's format wants it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no annotation {path}. Draw the boxes, or remove its image from the split.")
    try:
        root = ElementTree.fromstring(path.read_bytes())
        image_size = _image_size(root)
        # findall and findtext look at direct children only, so that a <part><bndbox> is never taken for an object.
        objects = tuple(_object(element, image_size) for element in root.findall("object"))
    except (ElementTree.ParseError, LookupError) as error:  # LookupError: of an encoding that Python does not know
        raise ValueError(f"{path} is not well-formed XML ({error}). It may be cut short: copy it anew.") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Annotation(image_size, objects)


def _image_size(root: ElementTree.Element) -> tuple[int, int]:
    height, width = (int(_number(root, f"size/{side}", default=0.0)) for side in ("height", "width"))
    if height < 1 or width < 1:
        raise ValueError(
            "no image size. Add <size><width>...</width><height>...</height></size> with the image's pixels."
        )
    if max(height, width) > LARGEST_SIDE:
        raise ValueError(f"an image of {width:g} x {height:g} pixels. Correct <size>.")
    return height, width


def _object(element: ElementTree.Element, image_size: tuple[int, int]) -> AnnotatedObject:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise ValueError("an <object> without <name>. Write its class there.")
    corners = tuple(_number(element, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
    _check_corners(name, corners, image_size)
    xmin, ymin, xmax, ymax = corners
    # The files count pixels from 1 and name the first and the last pixel of a box. The course's boxes start at 0 and
    # are half-open: pixels xmin..xmax, counted from 1, are exactly the points xmin - 1 <= x < xmax.
    return AnnotatedObject(name, (xmin - 1, ymin - 1, xmax, ymax), _number(element, "difficult", default=0.0) != 0)


def _number(element: ElementTree.Element, tag: str, default: float | None = None) -> float:
    """The number in a descendant; VOC 2011 and later have fractions of pixels."""
    text = element.findtext(tag)
    if text is None and default is not None:
        return default
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        found = "is missing" if text is None else f"holds {text!r} instead of a number"
        raise ValueError(f"<{tag}> {found}. Correct the file by hand or annotate the image again.")
    return number


def _check_corners(name: str, corners: tuple[float, ...], image_size: tuple[int, int]) -> None:
    xmin, ymin, xmax, ymax = corners
    height, width = image_size
    box = f"the box of {name!r}, xmin {xmin:g}, ymin {ymin:g}, xmax {xmax:g}, ymax {ymax:g},"
    if xmax < xmin or ymax < ymin:
        raise ValueError(f"{box} ends before it begins. Swap the two corners, or draw the box again.")
    if not (xmin >= 1 and ymin >= 1 and xmax <= width and ymax <= height):
        raise ValueError(
            f"{box} leaves the image of {width} x {height} pixels. VOC counts pixels from 1 to the width or height, "
            "both included: correct the box, or add 1 to boxes that were counted from 0."
        )


def read_masks(path: Path, target: Target) -> Bool[Tensor, "g h w"]:
    """The objects' instance masks from a file of SegmentationObject, in the annotation's order.

    The PNG's palette index is 0 for background, g for the g-th object, and 255 on the border between object and
    background, which VOC leaves open: such pixels are in no mask.
    Raises FileNotFoundError, or ValueError for a file that does not fit the target.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there are no instance masks {path}. Some images have none: use masks=False.")
    try:
        with Image.open(path) as picture:
            mode, index = picture.mode, np.array(picture)
    except Exception as error:  # Pillow's decoders fail with many types: OSError, SyntaxError, struct.error, ...
        raise ValueError(f"{path} cannot be read as a picture ({error}). Copy it anew.") from error
    if mode not in ("P", "L"):
        raise ValueError(f"{path} has mode {mode} instead of a palette: not its colours but its indices are read.")
    if index.shape != target.image_size:
        found = f"{index.shape[1]} x {index.shape[0]}"
        height, width = target.image_size
        raise ValueError(f"{path} has {found} pixels, its image {width} x {height}. One of the two was resized.")
    extra = np.setdiff1d(index, [*range(len(target) + 1), 255])
    if extra.size:
        raise ValueError(f"{path} marks object {extra[0]}, but the annotation has {len(target)} objects.")
    number = torch.arange(1, len(target) + 1)
    return torch.from_numpy(index)[None] == number[:, None, None]  # [1, h, w] == [G, 1, 1]
