"""Damaged files: each is read as what it says, or is refused with its name. FUZZ_EXAMPLES=20000 tries more of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lecture_lib.structures import check_boxes, check_image
from lecture_lib.voc import VOC_CLASSES, VOCDataset, coco_as_voc
from tests.voc import mutations
from tests.voc.folders import add, an_object

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))  # of each kind of file


def dataset(root: Path, masks: bool = False) -> VOCDataset:
    return VOCDataset(root, "train", classes=VOC_CLASSES, masks=masks)


def check_target(root: Path) -> None:
    """Boxes lie in the image, labels are in the list."""
    target = dataset(root).target(0)
    height, width = target.image_size
    check_boxes(target.boxes)
    assert bool(((target.boxes >= 0) & (target.boxes.double() <= torch.tensor([width, height] * 2).double())).all())
    assert all(1 <= label <= len(VOC_CLASSES) for label in target.labels.tolist())
    assert len(target.labels) == len(target.difficult) == len(target.boxes)


def check_pixels(root: Path) -> None:
    check_image(dataset(root).image(0))


def check_masks(root: Path) -> None:
    target = dataset(root, masks=True).target(0)
    assert target.masks.shape == (len(target), *target.image_size)


def check_split(root: Path) -> None:
    assert set(dataset(root).ids) <= {"a", "b"}


def check_coco(root: Path) -> None:
    for _, target in VOCDataset(coco_as_voc(root / "coco"), "train"):
        check_boxes(target.boxes)


READERS: dict[Callable[[Random], bytes], tuple[str, Callable[[Path], None]]] = {
    mutations.annotation: ("Annotations/a.xml", check_target),
    mutations.picture: ("JPEGImages/a.jpg", check_pixels),
    mutations.masks: ("SegmentationObject/a.png", check_masks),
    mutations.split: ("ImageSets/Main/train.txt", check_split),
    mutations.coco: ("coco/boxes.json", check_coco),
}


def sound_folder(root: Path) -> Path:
    """A folder of two images, with masks and with a COCO folder in it, for each file to be damaged in turn."""
    add(root, "a", an_object(), an_object("person"))
    add(root, "b", an_object("cat"))
    (root / "coco").mkdir()
    (root / "SegmentationObject").mkdir()
    shutil.copytree(root / "JPEGImages", root / "coco" / "images")
    return root


def _names(error: Exception, path: Path) -> bool:
    """Whether an error names the damaged file, or the files that it lists and that are not there."""
    listed = ("JPEGImages", "Annotations") if path.suffix in (".txt", ".json") else ()
    return any(named in str(error) for named in (str(path), *listed))


def is_read_or_refused(root: Path, damage: Callable[[Random], bytes], seed: int) -> bool:
    """Damage one file; True where it is read all the same, False where a clear error names it."""
    name, check = READERS[damage]
    path = root / name
    path.write_bytes(damage(Random(seed)))
    try:
        check(root)
    except (ValueError, FileNotFoundError) as error:
        if not _names(error, path):
            raise AssertionError(f"no file is named: {error}") from error
        return False
    return True


@pytest.mark.filterwarnings("ignore")  # of Pillow, about what is wrong with the file
@pytest.mark.parametrize("damage", READERS, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_read_or_refused_by_its_name(damage, tmp_path, monkeypatch, as_user):
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    root, seen = sound_folder(tmp_path / "set"), set()

    @settings(max_examples=EXAMPLES)
    @given(st.integers(0, 2**40))
    def read(seed: int) -> None:
        seen.add(is_read_or_refused(root, damage, seed))

    read()
    assert seen == {True, False}  # neither all sound nor all broken: the mutations reach past the first check
