"""Any folder in the layout of PASCAL VOC as a sequence of pairs (image, target)."""

import os
import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from lecture_lib.images import read_image
from lecture_lib.structures import Target
from lecture_lib.voc.annotation import VOC_CLASSES, read_annotation, read_masks

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


class VOCDataset:
    """The images of one split with their targets; `dataset[i]` is (image float [3, H, W] in 0..1, `Target`).

    root: a folder with JPEGImages/, Annotations/ and ImageSets/Main/<split>.txt, one image's name a line.
        A class's own set, such as "dog_train" with lines "000012 1", gives the images that hold a dog (1, and 0
        where all dogs are difficult), not those without (-1).
    classes: the K names, label k being classes[k - 1]. By default those of ImageSets/classes.txt; where there is no
        such file the twenty of VOC if they cover the annotations, else the annotations' own names, sorted.
    masks: also read the instance masks of SegmentationObject/; the split is then that of ImageSets/Segmentation,
        if there is one, because VOC has masks for part of its images only.

    Raises FileNotFoundError for a split or a file of it that is not there, ValueError for a file that is damaged;
    both say which file and what to do.
    """

    def __init__(
        self, root: str | os.PathLike, split: str, classes: Sequence[str] | None = None, masks: bool = False
    ) -> None:
        self.root = Path(root).expanduser()
        self.split = split
        self.masks = masks
        if not (self.root / "JPEGImages").is_dir() or not (self.root / "Annotations").is_dir():
            raise FileNotFoundError(
                f"{self.root} is not in VOC's layout: JPEGImages and Annotations are not both in it. "
                "Give the folder that holds them, for example .../VOCdevkit/VOC2007."
            )
        self.ids = _read_ids(self.root, split, masks)
        files = sorted((self.root / "JPEGImages").iterdir())
        self._images = {path.stem: path for path in files if path.suffix.lower() in _PICTURES}
        self._check_files()
        self.classes = tuple(classes) if classes is not None else _find_classes(self.root)

    def _check_files(self) -> None:
        annotations = {path.stem for path in (self.root / "Annotations").glob("*.xml")}
        for name in self.ids:
            for there, folder in ((self._images, "JPEGImages"), (annotations, "Annotations")):
                if name not in there:
                    raise FileNotFoundError(
                        f"the split {self.split!r} lists {name!r}, but {self.root / folder} has no such file. "
                        f"Add the file, or remove the line from {_split_file(self.root, self.split, self.masks)}."
                    )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> tuple[Float[Tensor, "3 h w"], Target]:
        image, target = self.image(i), self.target(i)
        height, width = image.shape[1:]
        if (height, width) != target.image_size:
            said = f"{target.image_size[1]} x {target.image_size[0]}"
            raise ValueError(
                f"{self.path(i)} has {width} x {height} pixels, but its annotation says {said}. One of the two was "
                "resized, rotated or exchanged: annotate the image again, or bring back the original."
            )
        return image, target

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "3 h w"], Target]]:
        return (self[i] for i in range(len(self)))

    def part(self, first: int | None, last: int | None) -> "VOCDataset":
        """The items `first` to `last`, as Python slices, as a set of their own, for example to hold some back."""
        part = copy(self)
        part.ids = self.ids[first:last]
        part.split = f"{self.split}[{first or 0}:{len(self) if last is None else last}]"
        return part

    def path(self, i: int) -> Path:
        """The image file of item i."""
        return self._images[self.ids[i]]

    def image(self, i: int) -> Float[Tensor, "3 h w"]:
        """The image of item i."""
        return read_image(self.path(i))

    def target(self, i: int) -> Target:
        """The target of item i, without reading its image.

        Raises `ValueError`, with its path, for a file that is no annotation of these classes.
        """
        path = self.root / "Annotations" / f"{self.ids[i]}.xml"
        annotation = read_annotation(path)
        try:
            target = annotation.target(self.classes)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if not self.masks:
            return target
        return replace(target, masks=read_masks(self.root / "SegmentationObject" / f"{self.ids[i]}.png", target))


def _split_file(root: Path, split: str, masks: bool) -> Path:
    segmentation = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    return segmentation if masks and segmentation.is_file() else root / "ImageSets" / "Main" / f"{split}.txt"


def _read_ids(root: Path, split: str, masks: bool) -> tuple[str, ...]:
    path = _split_file(root, split, masks)
    if not path.is_file():
        splits = sorted(file.stem for file in path.parent.glob("*.txt"))
        raise FileNotFoundError(f"there is no split {split!r} in {path.parent}. Take one of {splits}, or write {path}.")
    lines = _lines(path)
    parsed = (re.fullmatch(r"(.*?)(?:\s+(-1|0|1))?", line).groups() for line in lines if line)
    return tuple(name for name, flag in parsed if flag != "-1")


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 ({error}). Save it again with that encoding.") from error


def _find_classes(root: Path) -> tuple[str, ...]:
    listed = root / "ImageSets" / "classes.txt"
    if listed.is_file():
        return tuple(line for line in _lines(listed) if line)
    # All of the folder's annotations, not the split's, so that a label means the same in every split.
    annotations = (read_annotation(path) for path in sorted((root / "Annotations").glob("*.xml")))
    names = {item.name for annotation in annotations for item in annotation.objects}
    return VOC_CLASSES if names <= set(VOC_CLASSES) else tuple(sorted(names))
