"""The records that travel between the stages of a detector.

Boxes are float (x1, y1, x2, y2) in pixels of the original image, half-open: a box covers the points with
x1 <= x < x2 and y1 <= y < y2, so its width is x2 - x1, without "+ 1". Row r of a record is the same region in every
record from `Proposals` to `Predictions`. Label 0 is background everywhere; K counts the foreground classes 1..K.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Index = Tensor | slice | list[int] | list[bool]
Record = TypeVar("Record", bound="Rows")


def check_boxes(boxes: Any, name: str = "boxes") -> None:
    """Raise `ValueError` unless `boxes` is a finite float tensor [R, 4] with x1 <= x2 and y1 <= y2."""
    if not isinstance(boxes, Tensor):
        raise ValueError(f"{name}: expected a torch tensor [R, 4], got {type(boxes).__name__}; use torch.tensor(...)")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name}: expected shape [R, 4] (x1, y1, x2, y2), got {list(boxes.shape)}")
    if not boxes.is_floating_point():
        raise ValueError(f"{name}: expected floating point pixels, got {boxes.dtype}; call .float() first")
    sides = boxes[:, 2:] - boxes[:, :2]
    if not ((sides >= 0) & (sides < torch.inf)).all():  # one question, since a GPU has to be waited for with each
        _refuse_boxes(boxes, name)


def _refuse_boxes(boxes: Tensor, name: str) -> None:
    """Say what is wrong with boxes of which at least one is none."""
    finite = boxes.isfinite().all(dim=1)
    row = int((~finite | (boxes[:, 2:] < boxes[:, :2]).any(dim=1)).nonzero()[0])
    if not finite[row]:
        raise ValueError(f"{name}: row {row} is not finite: {boxes[row].tolist()}; remove it or find its cause")
    raise ValueError(
        f"{name}: row {row} has x2 < x1 or y2 < y1: {boxes[row].tolist()}; "
        "boxes are (x1, y1, x2, y2), not (x, y, width, height) and not (y, x)"
    )


def check_image(image: Any) -> None:
    """Raise `ValueError` unless `image` is a float tensor [3, H, W] with values in 0..1."""
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        shape = list(image.shape) if hasattr(image, "shape") else type(image).__name__
        raise ValueError(f"image: expected a torch tensor [3, H, W] in RGB, got {shape}; see images.read_image")
    if not image.is_floating_point():
        raise ValueError(f"image: expected floats in 0..1, got {image.dtype}; divide by 255 first")
    low, high = torch.stack(image.detach().aminmax()).tolist()
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(f"image: values must lie in 0..1, got {low:.3g} to {high:.3g}; divide by 255 first?")


class Rows:
    """What the records with one row per region share: length, indexing by mask or index, moving to a device."""

    _rows: ClassVar[tuple[str, ...]] = ()

    def __len__(self) -> int:
        return len(getattr(self, self._rows[0]))

    def __getitem__(self: Record, index: Index) -> Record:
        """The rows that a boolean mask, a tensor of indices or a slice selects, in that order."""
        if isinstance(index, int):
            raise TypeError("index a record with a slice, a mask or a tensor of indices: record[i : i + 1] is one row")
        if isinstance(index, Tensor) and index.ndim != 1:
            raise IndexError(f"index a record with a mask or indices of one dimension, got {list(index.shape)}")
        picked = {name: getattr(self, name) for name in self._rows}
        return self._with(**{name: value[index] for name, value in picked.items() if value is not None})

    def to(self: Record, device: torch.device | str) -> Record:
        """The same record with every tensor on `device`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return self._with(**{name: v.to(device) for name, v in values.items() if isinstance(v, Tensor)})

    def _with(self: Record, **columns: Tensor) -> Record:
        """The same record with other columns, taken from records that were checked: a second check costs a GPU time."""
        record = object.__new__(type(self))
        for field in fields(self):
            object.__setattr__(record, field.name, columns.get(field.name, getattr(self, field.name)))
        record._check_lengths()
        return record

    def _check_lengths(self) -> None:
        lengths = {n: len(getattr(self, n)) for n in self._rows if getattr(self, n) is not None}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{type(self).__name__}: one row per region is needed, got lengths {lengths}")


def concatenate(records: Sequence[Record]) -> Record:
    """One record with the rows of all, in their order; what is not by row is taken from the first.

    Raises `ValueError` for no record at all, of which not even the type is known.
    """
    if not records:
        raise ValueError("concatenate: no record given; start from the empty one, for example Proposals.empty(size)")
    first = records[0]
    columns = {name: [getattr(record, name) for record in records] for name in first._rows}
    return first._with(**{name: torch.cat(c) for name, c in columns.items() if c[0] is not None})


def _check_size(image_size: tuple[int, int]) -> None:
    if len(image_size) != 2 or min(image_size) < 1:
        raise ValueError(f"image_size: expected (height, width) in pixels, both at least 1, got {tuple(image_size)}")


def _check_masks(masks: Tensor | None, image_size: tuple[int, int]) -> None:
    if masks is not None and tuple(masks.shape[1:]) != tuple(image_size):
        raise ValueError(
            f"masks: expected [R, {image_size[0]}, {image_size[1]}] like the image, got {list(masks.shape)}"
        )


@dataclass(frozen=True)
class FeatureMap:
    """Features of a whole image: `tensor` [C, h, w], `stride` = (y, x) original pixels per cell, resizing included.

    Raises `ValueError` for a stride that is not positive and for an image without pixels.
    """

    tensor: Float[Tensor, "c h w"]
    stride: tuple[float, float]
    image_size: tuple[int, int]

    def __post_init__(self) -> None:
        _check_size(self.image_size)
        if min(self.stride) <= 0:
            raise ValueError(f"stride: expected (y, x) pixels per cell, both positive, got {self.stride}")

    def to(self, device: torch.device | str) -> "FeatureMap":
        """The same map on `device`."""
        return replace(self, tensor=self.tensor.to(device))


Maps = tuple[FeatureMap, ...]  # of one image: one map, or one for each scale or level of a pyramid


@dataclass(frozen=True)
class Proposals(Rows):
    """Class-agnostic candidate boxes of one image, best first where they have scores."""

    boxes: Float[Tensor, "r 4"]
    scores: Float[Tensor, " r"] | None
    image_size: tuple[int, int]
    _rows: ClassVar[tuple[str, ...]] = ("boxes", "scores")

    def __post_init__(self) -> None:
        _check_size(self.image_size)
        check_boxes(self.boxes, "proposals")
        self._check_lengths()

    @classmethod
    def empty(cls, image_size: tuple[int, int]) -> "Proposals":
        """No proposal for an image of (height, width)."""
        return cls(torch.zeros(0, 4), None, image_size)


@dataclass(frozen=True)
class RegionFeatures(Rows):
    """Two depths of features of each region: the SVMs read `fc7`, the box regressors `pool5` (R-CNN, appendix C)."""

    pool5: Float[Tensor, "r p"]
    fc7: Float[Tensor, "r f"]
    _rows: ClassVar[tuple[str, ...]] = ("fc7", "pool5")

    def __post_init__(self) -> None:
        self._check_lengths()

    @classmethod
    def empty(cls, pool5_size: int, fc7_size: int) -> "RegionFeatures":
        """Features of no region."""
        return cls(torch.zeros(0, pool5_size), torch.zeros(0, fc7_size))


@dataclass(frozen=True)
class Predictions(Rows):
    """For each region and foreground class k: a score (after softmax, or an SVM margin) and four box deltas."""

    scores: Float[Tensor, "r k"]
    deltas: Float[Tensor, "r k 4"]
    _rows: ClassVar[tuple[str, ...]] = ("scores", "deltas")

    def __post_init__(self) -> None:
        self._check_lengths()

    @classmethod
    def empty(cls, classes: int) -> "Predictions":
        """Predictions for no region and `classes` foreground classes."""
        return cls(torch.zeros(0, classes), torch.zeros(0, classes, 4))


@dataclass(frozen=True)
class Detections(Rows):
    """What a detector found in one image; `proposal_index` leads from a detection back to its proposal's row."""

    boxes: Float[Tensor, "d 4"]
    labels: Int[Tensor, " d"]
    scores: Float[Tensor, " d"]
    proposal_index: Int[Tensor, " d"]
    masks: Bool[Tensor, "d h w"] | None
    image_size: tuple[int, int]
    _rows: ClassVar[tuple[str, ...]] = ("boxes", "labels", "scores", "proposal_index", "masks")

    def __post_init__(self) -> None:
        _check_size(self.image_size)
        check_boxes(self.boxes, "detections")
        _check_labels(self.labels)
        _check_masks(self.masks, self.image_size)
        self._check_lengths()

    @classmethod
    def empty(cls, image_size: tuple[int, int]) -> "Detections":
        """No detection in an image of (height, width)."""
        no_index = torch.zeros(0, dtype=torch.long)
        return cls(torch.zeros(0, 4), no_index, torch.zeros(0), no_index, None, image_size)


@dataclass(frozen=True)
class Target(Rows):
    """The ground truth of one image; `difficult` objects are neither trained on nor counted (PASCAL VOC).

    Raises `ValueError` for a box outside the image, a label below 1 and flags that are not True or False.
    """

    boxes: Float[Tensor, "g 4"]
    labels: Int[Tensor, " g"]
    difficult: Bool[Tensor, " g"]
    masks: Bool[Tensor, "g h w"] | None
    image_size: tuple[int, int]
    _rows: ClassVar[tuple[str, ...]] = ("boxes", "labels", "difficult", "masks")

    def __post_init__(self) -> None:
        _check_size(self.image_size)
        check_boxes(self.boxes, "target")
        _check_labels(self.labels)
        if not isinstance(self.difficult, Tensor) or self.difficult.dtype != torch.bool:  # ~ of 0 would be -1, a row
            raise ValueError(f"difficult: expected a tensor of True and False, got {self.difficult}; use .bool()")
        _check_masks(self.masks, self.image_size)
        self._check_lengths()
        height, width = self.image_size
        if len(self) and (self.boxes.min() < 0 or self.boxes[:, 2].max() > width or self.boxes[:, 3].max() > height):
            raise ValueError(
                f"target: a box leaves the image of {width} x {height} pixels: {self.boxes.tolist()}; "
                "was the image resized without its boxes, or x swapped with y?"
            )

    def of_class(self, label: int) -> "Target":
        """Only the objects of one class: SVM labels are given class by class (R-CNN, section 2.3)."""
        return self[self.labels == label]

    @classmethod
    def empty(cls, image_size: tuple[int, int]) -> "Target":
        """An image of (height, width) without any object."""
        no_label = torch.zeros(0, dtype=torch.long)
        return cls(torch.zeros(0, 4), no_label, torch.zeros(0, dtype=torch.bool), None, image_size)


def _check_labels(labels: Any) -> None:
    whole = isinstance(labels, Tensor) and not labels.is_floating_point() and labels.dtype != torch.bool
    if not whole or labels.ndim != 1:
        got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
        raise ValueError(f"labels: expected a tensor [R] of whole numbers, got {got}; use torch.tensor([...])")
    if len(labels) and labels.min() < 1:
        raise ValueError(f"labels: foreground labels are 1..K (0 is background), got {labels.tolist()}")
