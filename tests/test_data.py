"""The bundled data are what `data/README.md` says: counts, exact boxes, disjoint splits, checksums, bytes."""

import csv
import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

DATA = Path(__file__).parents[1] / "data"
STAMPS, PHOTOS, BUILD = DATA / "stamps", DATA / "photos", DATA / "build"
COUNTS = {"train": 500, "val": 100, "test": 200}
CLASSES = ["bird", "coin", "flower", "fruit", "hoofed", "sign", "tool", "vehicle"]


def ids(root: Path, split: str) -> list[str]:
    return (root / "ImageSets/Main" / f"{split}.txt").read_text().split()


def parsed(root: Path, image_id: str) -> tuple[ElementTree.Element, list[tuple[str, tuple[int, ...], dict]]]:
    """The root of one annotation and its objects: name, 1-based inclusive box, flags."""
    tree = ElementTree.parse(root / "Annotations" / f"{image_id}.xml").getroot()
    objects = []
    for item in tree.iter("object"):
        box = tuple(int(item.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
        objects.append((item.findtext("name"), box, {f: item.findtext(f) for f in ("truncated", "difficult", "pose")}))
    return tree, objects


@pytest.fixture(scope="module")
def annotations() -> dict[str, list]:
    return {split: [(i, *parsed(STAMPS, i)) for i in ids(STAMPS, split)] for split in COUNTS}


@pytest.fixture(scope="module")
def builder():
    """The build script with the source packages, or a skip where they are not on this machine."""
    sys.path.insert(0, str(BUILD))
    try:
        import stamps
        from sources import PACKAGES, Packages
    finally:
        sys.path.remove(str(BUILD))
    folder = Path(os.environ.get("STAMP_PACKAGES", BUILD / ".cache"))
    held = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    if not all(any(name in entry for entry in held) for name in PACKAGES):
        pytest.skip("the Debian packages are not here; set STAMP_PACKAGES to a folder that holds them")
    return stamps.Builder(Packages(folder, BUILD / ".cache"), seed=0)


def test_every_file_has_a_line_in_the_checksums_and_matches_it():
    lines = [line.split("  ") for line in (STAMPS / "SHA256SUMS").read_text().splitlines()]
    files = {p.relative_to(STAMPS).as_posix() for p in STAMPS.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert {name for _, name in lines} == files
    for digest, name in lines:
        assert hashlib.sha256((STAMPS / name).read_bytes()).hexdigest() == digest, name


def test_the_set_has_the_promised_counts_and_size():
    for split, count in COUNTS.items():
        assert len(set(ids(STAMPS, split))) == count
    everything = [i for split in COUNTS for i in ids(STAMPS, split)]
    assert len(set(everything)) == sum(COUNTS.values())
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml"), ("SegmentationObject", "png")):
        assert {p.name for p in (STAMPS / folder).iterdir()} == {f"{i}.{suffix}" for i in everything}
    assert sum(p.stat().st_size for p in STAMPS.rglob("*") if p.is_file()) < 25e6
    assert (STAMPS / "ImageSets/classes.txt").read_text().split() == CLASSES


def test_boxes_are_the_extents_of_the_masks(annotations):
    for image_id, _, objects in (row for rows in annotations.values() for row in rows):
        image = Image.open(STAMPS / "SegmentationObject" / f"{image_id}.png")
        assert image.mode == "P"
        mask = np.asarray(image)
        assert mask.shape == (240, 320)
        assert set(np.unique(mask)) - {0} == set(range(1, len(objects) + 1)), image_id
        for number, (_, box, _) in enumerate(objects, start=1):
            rows, columns = np.nonzero(mask == number)
            tight = (columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1)
            assert box == tight, (image_id, number)


def test_annotations_are_genuine_voc(annotations):
    for image_id, tree, objects in (row for rows in annotations.values() for row in rows):
        assert tree.findtext("folder") == "stamps"
        assert tree.findtext("filename") == f"{image_id}.jpg"
        assert [tree.findtext(f"size/{k}") for k in ("width", "height", "depth")] == ["320", "240", "3"]
        assert tree.findtext("segmented") == "1"
        with Image.open(STAMPS / "JPEGImages" / f"{image_id}.jpg") as image:
            assert (image.size, image.mode, image.format) == ((320, 240), "RGB", "JPEG")
        assert 1 <= len(objects) <= 5
        for name, (x1, y1, x2, y2), flags in objects:
            assert name in CLASSES
            assert 1 <= x1 <= x2 <= 320
            assert 1 <= y1 <= y2 <= 240
            assert flags["truncated"] in "01"
            assert flags["difficult"] in "01"
            assert flags["pose"] == "Unspecified"


def test_classes_are_balanced_in_every_split(annotations):
    for rows in annotations.values():
        counts = Counter(name for *_, objects in rows for name, _, _ in objects)
        assert sorted(counts) == CLASSES
        assert max(counts.values()) < 1.25 * min(counts.values())
        flags = [flag for *_, objects in rows for *_, flag in objects]
        assert 0 < np.mean([flag["difficult"] == "1" for flag in flags]) < 0.1
        assert 0.05 < np.mean([flag["truncated"] == "1" for flag in flags]) < 0.3


def test_no_cutout_group_and_no_background_is_shared_between_splits():
    with (STAMPS / "ORIGIN.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for key in ("sha256", "path"):
        assert len({row[key] for row in rows}) == len(rows)
    splits = defaultdict(set)
    groups = defaultdict(set)
    for row in rows:
        splits[row["class"], row["group"]].add(row["split"])
        groups[row["class"], row["split"]].add(row["group"])
    assert all(len(found) == 1 for found in splits.values())
    for name in [*CLASSES, "background"]:
        assert len(groups[name, "test"]) >= 3
        assert len(groups[name, "val"]) >= 2
        assert len(groups[name, "train"]) >= 7


def test_the_photographs_have_boxes_inside_and_known_origins():
    names = ids(PHOTOS, "test")
    assert 4 <= len(names) <= 8
    with (PHOTOS / "ORIGIN.csv").open(newline="", encoding="utf-8") as file:
        origin = {row["name"]: row for row in csv.DictReader(file)}
    assert sorted(origin) == sorted(names)
    found = set()
    for name in names:
        assert origin[name]["licence"] in {"CC0-1.0", "CC-BY-2.0", "public domain"}
        tree, objects = parsed(PHOTOS, name)
        with Image.open(PHOTOS / "JPEGImages" / f"{name}.jpg") as image:
            width, height = image.size
        assert max(width, height) <= 640
        assert (int(tree.findtext("size/width")), int(tree.findtext("size/height"))) == (width, height)
        for label, (x1, y1, x2, y2), _ in objects:
            found.add(label)
            assert 1 <= x1 < x2 <= width
            assert 1 <= y1 < y2 <= height
    assert sorted(found) == (PHOTOS / "ImageSets/classes.txt").read_text().split()


def test_the_script_writes_the_same_bytes_again(builder, tmp_path):
    root = tmp_path / "stamps"
    sys.modules["voc_files"].make_folders(root)
    scenes = [builder.plan[split][index] for split, index in (("train", 0), ("train", 499), ("val", 50), ("test", 7))]
    sums = dict(reversed(line.split("  ")) for line in (STAMPS / "SHA256SUMS").read_text().splitlines())
    for scene in reversed(scenes):  # another order than in the full build
        builder.write(scene, root)
        for name in (
            f"SegmentationObject/{scene.image_id}.png",
            f"Annotations/{scene.image_id}.xml",
            f"JPEGImages/{scene.image_id}.jpg",
        ):
            assert hashlib.sha256((root / name).read_bytes()).hexdigest() == sums[name], name


def test_every_seed_keeps_groups_and_backgrounds_apart(builder):
    plan = sys.modules["plan"]
    test_sets = []
    for seed in (0, 1, 2):
        parts = plan.split_cutouts(builder.cutouts, seed)
        assert sorted(c.name for part in parts.values() for c in part) == sorted(c.name for c in builder.cutouts)
        groups = {split: {(c.label, c.group) for c in part} for split, part in parts.items()}
        assert not groups["train"] & groups["test"]
        assert not groups["val"] & (groups["train"] | groups["test"])
        grounds = plan.split_backgrounds(builder.backgrounds, seed)
        assert len({b.name for part in grounds.values() for b in part}) == sum(map(len, grounds.values()))
        test_sets.append({c.name for c in parts["test"]})
    assert len({frozenset(names) for names in test_sets}) == 3


def test_no_copy_of_a_cutout_hides_under_another_group(builder):
    cutouts = sys.modules["cutouts"]
    for label in CLASSES:
        members = {c.name: c for c in builder.cutouts if c.label == label}
        images = {name: Image.open(builder._packages.file(c)).convert("RGBA") for name, c in members.items()}
        images = {name: image.crop(image.getchannel("A").getbbox()) for name, image in images.items()}
        for distance, first, second, mirrored in cutouts.look_alikes(images, limit=0.18):
            assert members[first].group == members[second].group, (distance, first, second, mirrored)


@pytest.mark.parametrize(("seed", "said"), [("-1", "--seed is 0 or more"), ("3", "name another folder with --out")])
def test_any_other_seed_wants_a_folder(seed, said):
    done = subprocess.run([sys.executable, str(BUILD / "stamps.py"), "--seed", seed], capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
