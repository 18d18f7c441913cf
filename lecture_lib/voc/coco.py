"""Boxes in COCO's format, one JSON file for all images, turned into a folder in VOC's layout, which all else reads."""

import hashlib
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lecture_lib.files import cache_root, replacing
from lecture_lib.voc.annotation import read_annotation

BOXES, IMAGES = "boxes.json", "images"


def is_coco(folder: str | os.PathLike) -> bool:
    """Whether a folder holds boxes.json and images/."""
    return (Path(folder) / BOXES).is_file() and (Path(folder) / IMAGES).is_dir()


def coco_as_voc(folder: str | os.PathLike) -> Path:
    """Write the annotations of a COCO folder in VOC's layout into the cache, the images linked; returns that folder.

    All images are the split "train". Where categories have a `voc_name`, only those are kept, under that name; crowds
    are "difficult". Boxes that cover less than a pixel of the image's width or height, which VOC cannot write, are
    left out. Done once, and again when boxes.json has changed.
    Raises ValueError for a file that is not in COCO's format.
    """
    folder = Path(folder).resolve()
    text = (folder / BOXES).read_bytes()
    root = cache_root() / "coco" / hashlib.sha256(str(folder).encode() + text).hexdigest()[:16]
    listed = root / "ImageSets" / "Main" / "train.txt"
    if listed.is_file():  # written last
        return root
    try:
        data = json.loads(text)
        objects, names = _objects(data), _names(data)
        for image in data["images"]:
            path = root / "Annotations" / f"{Path(image['file_name']).stem}.xml"
            with replacing(path) as beside:
                _annotation(image, objects[image["id"]], names).write(beside)
                read_annotation(beside)  # what VOC's format cannot hold is told here, where the COCO file is known
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{folder / BOXES} is not in COCO's format ({error!r}); it needs images, annotations and categories"
        ) from error
    _link(folder / IMAGES, root / "JPEGImages")
    with replacing(listed) as beside:
        beside.write_text("".join(f"{Path(image['file_name']).stem}\n" for image in data["images"]))
    return root


def _names(data: dict[str, Any]) -> dict[int, str]:
    """Category id -> name, of VOC where the file has such names."""
    key = "voc_name" if any("voc_name" in category for category in data["categories"]) else "name"
    return {category["id"]: category[key] for category in data["categories"] if category.get(key)}


def _objects(data: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    by_image = defaultdict(list)
    for annotation in data["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    return by_image


def _annotation(image: dict[str, Any], objects: list[dict[str, Any]], names: dict[int, str]) -> ElementTree.ElementTree:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = image["file_name"]
    size = ElementTree.SubElement(root, "size")
    for tag, value in (("width", image["width"]), ("height", image["height"]), ("depth", 3)):
        ElementTree.SubElement(size, tag).text = str(value)
    for item in objects:
        corners = _corners(item["bbox"], image["width"], image["height"])
        if item["category_id"] not in names or corners[2] < corners[0] or corners[3] < corners[1]:
            continue
        found = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(found, "name").text = names[item["category_id"]]
        ElementTree.SubElement(found, "difficult").text = str(item.get("iscrowd", 0))
        box = ElementTree.SubElement(found, "bndbox")  # VOC's corners count from 1, and both belong to the box
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            ElementTree.SubElement(box, tag).text = f"{value:.2f}"
    return ElementTree.ElementTree(root)


def _corners(box: Sequence[float | int], image_width: int, image_height: int) -> tuple[float | int, ...]:
    """VOC's corners of the part of a box that lies in the image."""
    x, y, width, height = box
    return max(x, 0) + 1, max(y, 0) + 1, min(x + width, image_width), min(y + height, image_height)


def _link(source: Path, target: Path) -> None:
    """Link a folder, or copy it where the system has no links."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(source, target_is_directory=True)
    except FileExistsError:  # another process was quicker
        return
    except OSError:
        with tempfile.TemporaryDirectory(dir=target.parent) as beside:
            os.replace(shutil.copytree(source, Path(beside) / target.name), target)
