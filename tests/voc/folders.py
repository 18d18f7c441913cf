"""Small folders in VOC's layout, to be damaged."""

from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 40, 30
SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def an_object(name="dog", box=(1, 1, WIDTH, HEIGHT), extra=""):
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    corners = "".join(f"<{tag}>{value}</{tag}>" for tag, value in sides)
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


def add(root: Path, name: str, *objects: str, split: str = "train") -> None:
    """Add one image with its annotation to a folder in VOC's layout."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "orange").save(root / "JPEGImages" / f"{name}.jpg")
    (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{SIZE}{''.join(objects)}</annotation>")
    with (root / "ImageSets" / "Main" / f"{split}.txt").open("a") as file:
        file.write(f"{name}\n")


def annotate(root, *objects, size=SIZE):
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{size}{''.join(objects)}</annotation>")


def save_masks(root, name, index):
    picture = Image.fromarray(index)
    picture.putpalette([37 * i % 256 for i in range(768)])  # all 256 colours, or 255 would not fit in the file's bits
    (root / "SegmentationObject").mkdir(exist_ok=True)
    picture.save(root / "SegmentationObject" / f"{name}.png")
