"""Build `data/photos`: real photographs from installed Python packages, with boxes drawn by hand.

python data/build/photos.py   (needs scikit-image 0.26 and scikit-learn, both in the project's environment)
"""

import csv
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from scenes import SceneObject
from voc_files import annotation, write_names

TARGET = Path(__file__).resolve().parents[1] / "photos"
LONGEST = 640  # pixels
QUALITY = 90  # JPEG

# name: (package, module, path in it, author, licence, where the licence is stated)
SOURCES = {
    "astronaut": ("scikit-image", "skimage", "data/astronaut.png", "NASA", "public domain", "docstring"),
    "cat": ("scikit-image", "skimage", "data/chelsea.png", "Stefan van der Walt", "CC0-1.0", "docstring"),
    "coffee": ("scikit-image", "skimage", "data/coffee.png", "Rachel Michetti", "CC0-1.0", "docstring"),
    "rocket": ("scikit-image", "skimage", "data/rocket.jpg", "SpaceX", "public domain", "docstring"),
    "flower": ("scikit-learn", "sklearn", "datasets/images/flower.jpg", "vultilion", "CC-BY-2.0", "README.txt"),
    "pagoda": ("scikit-learn", "sklearn", "datasets/images/china.jpg", "danielbuechele", "CC-BY-2.0", "README.txt"),
}

# name: (class, (x1, y1, x2, y2) half-open in pixels of the written photograph, truncated); drawn by hand, 2026-11
BOXES = {
    "astronaut": [
        ("person", (19, 16, 365, 512), True),
        ("helmet", (277, 343, 512, 512), True),
        ("shuttle", (354, 0, 460, 286), True),
    ],
    "cat": [("cat", (0, 0, 400, 300), True)],
    "coffee": [
        ("cup", (173, 18, 409, 309), False),
        ("saucer", (76, 69, 480, 391), False),
        ("spoon", (326, 66, 425, 326), False),
    ],
    "rocket": [("rocket", (310, 126, 335, 407), False)],
    "flower": [("flower", (169, 84, 447, 360), False), ("flower", (287, 374, 471, 427), True)],
    "pagoda": [("pagoda", (62, 29, 375, 416), True)],
}


def source_file(module: str, path: str) -> Path:
    """The path of a file that ships inside an installed package, without importing the package."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"package {module} is not installed; pip install scikit-image scikit-learn")
    return Path(spec.origin).parent / path


def write_photo(root: Path, name: str) -> list:
    """Write one photograph and its XML below `root`; the row of ORIGIN.csv."""
    package, module, path, author, licence, stated = SOURCES[name]
    source = source_file(module, path)
    photo = Image.open(source).convert("RGB")
    photo.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    photo.save(root / "JPEGImages" / f"{name}.jpg", quality=QUALITY, optimize=True)
    objects = [SceneObject(label, box, truncated, False) for label, box, truncated in BOXES[name]]
    origin = {"database": "lecture photos", "annotation": "drawn by hand", "image": package}
    text = annotation("photos", name, photo.size, objects, origin, segmented=False)
    (root / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return [name, package, importlib.metadata.version(package), f"{module}/{path}", digest, author, licence, stated]


def main() -> None:
    """Build beside the target, then rename."""
    with tempfile.TemporaryDirectory(dir=TARGET.parent, prefix=".building-") as folder:
        root = Path(folder) / "photos"
        for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (root / part).mkdir(parents=True)
        rows = [write_photo(root, name) for name in SOURCES]
        with (root / "ORIGIN.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["name", "package", "version", "path", "sha256", "author", "licence", "licence_stated_in"])
            out.writerows(rows)
        write_names(root / "ImageSets/Main/test.txt", list(SOURCES))
        write_names(root / "ImageSets/classes.txt", sorted({label for boxes in BOXES.values() for label, *_ in boxes}))
        if TARGET.exists():
            os.replace(TARGET, Path(folder) / "old")
        os.replace(root, TARGET)
        shutil.rmtree(Path(folder) / "old", ignore_errors=True)
    print(f"{len(rows)} photographs in {TARGET}")


if __name__ == "__main__":
    main()
