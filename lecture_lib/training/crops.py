"""Object crops: a detection set turned into a small classification set, which is what transfer learning needs first."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.structures import Target
from lecture_lib.voc import VOCDataset

MIN_SIDE = 24  # pixels; smaller objects show too little to be named, even by a person
CONTEXT = 1.2  # side of the square around an object, in units of its longer side: context helps to name it


@dataclass(frozen=True)
class Crops:
    """Square pictures of single objects, in random order: `images` [n, 3, size, size] in 0..1, `labels` [n] in 1..K."""

    images: Float[Tensor, "n 3 size size"]
    labels: Int[Tensor, " n"]
    classes: tuple[str, ...]  # label k is named classes[k - 1]

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.labels)

    def first_rows(self, per_class: int) -> Int[Tensor, " m"]:
        """Return the rows of the first `per_class` crops of every class; fewer are part of more.

        Raises `ValueError` where a class has none: accuracy over K classes would mean nothing.
        """
        rows = [torch.nonzero(self.labels == k + 1).flatten()[:per_class] for k in range(len(self.classes))]
        empty = [name for name, found in zip(self.classes, rows, strict=True) if not len(found)]
        if empty or not rows:
            raise ValueError(f"No crop of {empty or 'any class'}: take another split or more images.")
        return torch.cat(rows).sort().values

    def first(self, per_class: int) -> "Crops":
        """Return the first `per_class` crops of every class, as `first_rows` counts them."""
        chosen = self.first_rows(per_class)
        return Crops(self.images[chosen], self.labels[chosen], self.classes)


def square_around(box: Float[Tensor, " 4"], image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the square (top, left, bottom, right) with some context around a box, moved to lie inside the image.

    Where the image is smaller than the square the rest is cut off, and the crop is stretched a little.
    """
    height, width = image_size
    x1, y1, x2, y2 = box.tolist()
    side = max(x2 - x1, y2 - y1) * CONTEXT
    rows, columns = round(min(side, height)), round(min(side, width))
    top = min(max(0, round((y1 + y2 - rows) / 2)), height - rows)
    left = min(max(0, round((x1 + x2 - columns) / 2)), width - columns)
    return top, left, top + rows, left + columns


def crop(image: Float[Tensor, "3 h w"], box: Float[Tensor, " 4"], size: int) -> Float[Tensor, "3 size size"]:
    """Return the square around a box, resized to `size` x `size` with antialiasing."""
    top, left, bottom, right = square_around(box, tuple(image.shape[-2:]))
    window = image[None, :, top:bottom, left:right]
    return F.interpolate(window, (size, size), mode="bicubic", antialias=True)[0].clamp(0, 1)


def _usable(target: Target) -> list[int]:
    """Rows of the objects that are neither difficult nor tiny."""
    sides = target.boxes[:, 2:] - target.boxes[:, :2]
    return torch.nonzero(~target.difficult & (sides.amin(1) >= MIN_SIDE)).flatten().tolist()


def _choose(targets: list[Target], per_class: int, generator: torch.Generator) -> list[tuple[int, int, int]]:
    """Return (image, row, label) of up to `per_class` random objects of every class, in random order."""
    objects = [(i, row) for i, target in enumerate(targets) for row in _usable(target)]
    count, chosen = Counter(), []
    for j in torch.randperm(len(objects), generator=generator).tolist():
        i, row = objects[j]
        label = int(targets[i].labels[row])
        if count[label] < per_class:
            count[label] += 1
            chosen.append((i, row, label))
    return chosen


def object_crops(dataset: VOCDataset, size: int, per_class: int, generator: torch.Generator) -> Crops:
    """Cut up to `per_class` random objects of every class out of a data set; difficult and tiny ones are left out.

    Only the images that are needed are read, one at a time. Raises `ValueError` for a size or number below 1.
    """
    if size < 1 or per_class < 1:
        raise ValueError(f"size is {size} and per_class {per_class}: both must be at least 1.")
    targets = [dataset.target(i) for i in range(len(dataset))]
    chosen = _choose(targets, per_class, generator)
    images = torch.zeros(len(chosen), 3, size, size)
    by_image = sorted(range(len(chosen)), key=lambda k: chosen[k][0])
    for i, positions in groupby(by_image, key=lambda k: chosen[k][0]):
        image = dataset.image(i)
        for k in positions:
            images[k] = crop(image, targets[i].boxes[chosen[k][1]], size)
    labels = torch.tensor([label for _, _, label in chosen], dtype=torch.long)
    return Crops(images, labels, dataset.classes)
