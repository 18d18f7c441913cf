"""Write a data set in the layout of PASCAL VOC: images, XML annotations, instance masks, lists of names."""

import colorsys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from scenes import SceneObject

QUALITY = 88  # JPEG; about 20 KB an image


def make_folders(root: Path) -> None:
    """The empty VOC layout."""
    for folder in ("JPEGImages", "Annotations", "SegmentationObject", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)


def write_image(root: Path, image_id: str, image: Image.Image, mask: np.ndarray, objects: list[SceneObject]) -> None:
    """Write the JPEG, the palette PNG (pixel = number of the object, 0 elsewhere) and the XML of one image."""
    image.save(root / "JPEGImages" / f"{image_id}.jpg", quality=QUALITY, optimize=True)
    indexed = Image.fromarray(mask)
    indexed.putpalette(palette())
    indexed.save(root / "SegmentationObject" / f"{image_id}.png", optimize=True)
    source = {"database": "lecture stamps", "annotation": "exact, from the composition", "image": "Debian packages"}
    text = annotation(root.name, image_id, image.size, objects, source, segmented=True)
    (root / "Annotations" / f"{image_id}.xml").write_text(text, encoding="utf-8")


def annotation(
    folder: str, image_id: str, size: tuple[int, int], objects: list[SceneObject], source: dict, segmented: bool
) -> str:
    """The VOC XML of one image; boxes become 1-based with inclusive ends, as VOC has them."""
    root = ElementTree.Element("annotation")
    _add(root, folder=folder, filename=f"{image_id}.jpg")
    _add(ElementTree.SubElement(root, "source"), **source)
    _add(ElementTree.SubElement(root, "size"), width=size[0], height=size[1], depth=3)
    _add(root, segmented=int(segmented))
    for item in objects:
        node = ElementTree.SubElement(root, "object")
        flags = {"truncated": int(item.truncated), "difficult": int(item.difficult)}
        _add(node, name=item.label, pose="Unspecified", **flags)
        x1, y1, x2, y2 = item.box
        _add(ElementTree.SubElement(node, "bndbox"), xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def palette() -> list[int]:
    """Black for the background, then well separated hues."""
    colours = [0, 0, 0]
    for index in range(15):
        colours += [round(255 * v) for v in colorsys.hsv_to_rgb((0.08 + index * 0.381966) % 1, 0.75, 0.95)]
    return colours


def write_names(path: Path, names: list[str]) -> None:
    """One name per line."""
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _add(parent: ElementTree.Element, **children: object) -> None:
    for tag, value in children.items():
        ElementTree.SubElement(parent, tag).text = str(value)
