"""Folders in VOC's layout: genuine ones, small ones made here, and ones with every mistake."""

import hashlib
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lecture_lib.download import DownloadError
from lecture_lib.structures import check_image
from lecture_lib.voc import VOC_CLASSES, VOCDataset, data_root, photos, sets, stamps, voc2007, voc2012
from tests.test_download import server  # noqa: F401  (a fixture)

WIDTH, HEIGHT = 40, 30
SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def an_object(name="dog", box=(1, 1, WIDTH, HEIGHT), extra=""):
    sides = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    corners = "".join(f"<{tag}>{value}</{tag}>" for tag, value in sides)
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


def add(root: Path, name: str, *objects: str, size: str = SIZE, split: str = "train") -> None:
    """Add one image with its annotation to a folder in VOC's layout."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), "orange").save(root / "JPEGImages" / f"{name}.jpg")
    (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{''.join(objects)}</annotation>")
    with (root / "ImageSets" / "Main" / f"{split}.txt").open("a") as file:
        file.write(f"{name}\n")


@pytest.fixture
def root(tmp_path):
    """A sound folder of two images, for a test to damage."""
    add(tmp_path, "a", an_object())
    add(tmp_path, "b", an_object("cat"), an_object("dog", (11, 21, 12, 22)))
    return tmp_path


def annotate(root, *objects, size=SIZE):
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{size}{''.join(objects)}</annotation>")


def test_empty_split_and_image_without_objects(root):
    (root / "ImageSets/Main/empty.txt").write_text("\n  \n")
    assert list(VOCDataset(root, "empty")) == []
    annotate(root)
    target = VOCDataset(root, "train").target(0)
    assert target.boxes.shape == (0, 4)
    assert target.image_size == (HEIGHT, WIDTH)


def test_items(root):
    dataset = VOCDataset(str(root), "train")
    assert dataset.ids == ("a", "b")
    assert len(dataset) == 2
    assert dataset.path(1) == root / "JPEGImages" / "b.jpg"
    (image, first), (_, second) = dataset
    check_image(image)
    assert torch.equal(image, dataset.image(0))
    # The whole image, 1 to 40 and 1 to 30 in the file; a box of 2 x 2 pixels, 11 to 12 and 21 to 22.
    assert first.boxes.tolist() == [[0, 0, WIDTH, HEIGHT]]
    assert second.boxes.tolist() == [[0, 0, WIDTH, HEIGHT], [10, 20, 12, 22]]
    assert [dataset.classes[label - 1] for label in second.labels] == ["cat", "dog"]
    assert dataset[-1][1].labels.tolist() == second.labels.tolist()
    with pytest.raises(IndexError):
        dataset[2]


def test_a_box_covers_the_pixels_of_the_file(root):
    annotate(root, an_object(box=(3, 5, 7, 9)))
    x1, y1, x2, y2 = VOCDataset(root, "train").target(0).boxes[0].int().tolist()
    pixels = torch.zeros(HEIGHT, WIDTH)
    pixels[y1:y2, x1:x2] = 1
    in_file = torch.zeros(HEIGHT + 1, WIDTH + 1)
    for y in range(5, 9 + 1):
        for x in range(3, 7 + 1):
            in_file[y, x] = 1
    assert torch.equal(pixels, in_file[1:, 1:])


def test_optional_fields_fractions_and_parts(root):
    part = "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>"
    annotate(
        root,
        an_object("person", (1.5, 2.25, 10, 12), extra=part + "<difficult> 1 </difficult>"),
        an_object("person", extra="<difficult>0</difficult><truncated>1</truncated>"),
        an_object("person"),
        "<part><name>hand</name></part>",
    )
    target = VOCDataset(root, "train").target(0)
    assert target.boxes[0].tolist() == [0.5, 1.25, 10, 12]
    assert target.difficult.tolist() == [True, False, False]
    assert len(target) == 3


def test_classes_by_argument_by_file_of_voc_and_from_the_annotations(root):
    assert VOCDataset(root, "train").classes == VOC_CLASSES
    add(root, "c", an_object("zebra"), split="other")
    assert VOCDataset(root, "train").classes == ("cat", "dog", "zebra")  # of the folder, not of the split
    assert VOCDataset(root, "train", classes=["dog", "cat"]).target(1).labels.tolist() == [2, 1]
    (root / "ImageSets/classes.txt").write_text("zebra\ndog\n\ncat\n")
    assert VOCDataset(root, "train").target(1).labels.tolist() == [3, 2]


def test_sets_of_one_class(root):
    (root / "ImageSets/Main/dog_train.txt").write_text("a  1\nb -1\n")
    assert VOCDataset(root, "dog_train").ids == ("a",)
    (root / "ImageSets/Main/dog_train.txt").write_text("a -1\r\nb  0\r\n")
    assert VOCDataset(root, "dog_train").ids == ("b",)


def test_other_kinds_of_pictures_and_files_beside_them(root):
    (root / "JPEGImages/a.jpg").unlink()
    Image.new("L", (WIDTH, HEIGHT), 128).save(root / "JPEGImages/a.PNG")
    (root / "JPEGImages/a.xml").touch()
    (root / "JPEGImages/Thumbs.db").touch()
    image, _ = VOCDataset(root, "train")[0]
    assert image.shape == (3, HEIGHT, WIDTH)


def test_masks(root):
    index = np.zeros((HEIGHT, WIDTH), np.uint8)
    index[0:4, 0:6], index[10:12, 20:22], index[4:6] = 1, 2, 255
    save_masks(root, "b", index)
    save_masks(root, "a", np.zeros_like(index))
    masks = VOCDataset(root, "train", masks=True).target(1).masks
    assert masks.dtype == torch.bool
    assert torch.equal(masks, torch.from_numpy(np.stack([index == 1, index == 2])))
    assert VOCDataset(root, "train").target(1).masks is None
    assert VOCDataset(root, "train", masks=True)[0][1].masks.sum() == 0


def save_masks(root, name, index):
    picture = Image.fromarray(index)
    picture.putpalette([37 * i % 256 for i in range(768)])  # all 256 colours, or 255 would not fit in the file's bits
    (root / "SegmentationObject").mkdir(exist_ok=True)
    picture.save(root / "SegmentationObject" / f"{name}.png")


def test_masks_are_those_of_the_segmentation_split(root):
    (root / "ImageSets/Segmentation").mkdir()
    (root / "ImageSets/Segmentation/train.txt").write_text("b\n")
    assert VOCDataset(root, "train", masks=True).ids == ("b",)
    assert VOCDataset(root, "train").ids == ("a", "b")


def test_masks_that_do_not_fit(root):
    dataset = VOCDataset(root, "train", masks=True)
    with pytest.raises(FileNotFoundError, match=r"no instance masks .*a\.png.*masks=False"):
        dataset.target(0)
    save_masks(root, "a", np.full((HEIGHT, WIDTH), 2, np.uint8))
    with pytest.raises(ValueError, match=r"a\.png marks object 2, but the annotation has 1"):
        dataset.target(0)
    save_masks(root, "a", np.ones((HEIGHT, 5), np.uint8))
    with pytest.raises(ValueError, match=r"5 x 30 pixels, its image 40 x 30"):
        dataset.target(0)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "SegmentationObject/a.png")
    with pytest.raises(ValueError, match="mode RGB instead of a palette"):
        dataset.target(0)
    (root / "SegmentationObject/a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png cannot be read"):
        dataset.target(0)


BAD_ANNOTATIONS = {
    "no size": ("", [an_object()], "no image size. Add <size>"),
    "size of zero": (SIZE.replace(str(WIDTH), "0"), [an_object()], "no image size"),
    "size is no number": (SIZE.replace(str(WIDTH), "wide"), [], "<size/width> holds 'wide' instead of a number"),
    "no box": (SIZE, ["<object><name>dog</name></object>"], "<bndbox/xmin> is missing"),
    "no name": (SIZE, [an_object(name="")], "without <name>"),
    "coordinate is no number": (SIZE, [an_object(box=(1, 1, "x", 3))], "<bndbox/xmax> holds 'x' instead"),
    "NaN": (SIZE, [an_object(box=(1, 1, "nan", 3))], "leaves the image"),
    "difficult is no number": (SIZE, [an_object(extra="<difficult>yes</difficult>")], "<difficult> holds 'yes'"),
    "x2 < x1": (SIZE, [an_object(box=(9, 1, 8, 3))], "ends before it begins. Swap"),
    "y2 < y1": (SIZE, [an_object(box=(1, 9, 8, 3))], "ends before it begins. Swap"),
    "counted from 0": (SIZE, [an_object(box=(0, 1, 8, 3))], "leaves the image of 40 x 30.*add 1 to boxes"),
    "too far right": (SIZE, [an_object(box=(1, 1, WIDTH + 1, 3))], "leaves the image of 40 x 30"),
    "too far down": (SIZE, [an_object(box=(1, 1, 5, HEIGHT + 0.5))], "leaves the image of 40 x 30"),
    "unknown class": (SIZE, [an_object("unicorn")], "unknown class 'unicorn'.*classes=.*classes.txt"),
}


@pytest.mark.parametrize(("size", "objects", "message"), BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS)
def test_bad_annotation_is_one_clear_error(root, size, objects, message):
    annotate(root, *objects, size=size)
    with pytest.raises(ValueError, match=rf"a\.xml: .*{message}"):
        VOCDataset(root, "train", classes=VOC_CLASSES).target(0)


def test_annotation_that_is_cut_short(root):
    (root / "Annotations/a.xml").write_text("<annotation><size>")
    with pytest.raises(ValueError, match=r"a\.xml is not well-formed XML.*copy it anew"):
        VOCDataset(root, "train", classes=["dog"]).target(0)


def test_box_of_one_pixel_is_legal(root):
    annotate(root, an_object(box=(40, 30, 40, 30)))
    assert VOCDataset(root, "train").target(0).boxes.tolist() == [[39, 29, 40, 30]]


def test_image_and_annotation_of_different_size(root):
    Image.new("RGB", (HEIGHT, WIDTH)).save(root / "JPEGImages/a.jpg")
    dataset = VOCDataset(root, "train")
    assert dataset.target(0).image_size == (HEIGHT, WIDTH)
    with pytest.raises(ValueError, match=r"a\.jpg has 30 x 40 pixels, but its annotation says 40 x 30"):
        dataset[0]


def test_damaged_image_is_named(root):
    path = root / "JPEGImages/a.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"a\.jpg cannot be read as a picture"):
        VOCDataset(root, "train")[0]


@pytest.mark.parametrize("folder", ["JPEGImages", "Annotations"])
def test_a_line_without_a_file(root, folder):
    next((root / folder).glob("b.*")).unlink()
    with pytest.raises(FileNotFoundError, match=rf"lists 'b', but .*{folder} has no such file.*remove the line from"):
        VOCDataset(root, "train")


def test_no_split_and_no_layout(root):
    with pytest.raises(FileNotFoundError, match=r"no split 'test' .* Take one of \['train'\]"):
        VOCDataset(root, "test")
    with pytest.raises(FileNotFoundError, match="not in VOC's layout"):
        VOCDataset(root / "JPEGImages", "train")
    with pytest.raises(FileNotFoundError, match="not in VOC's layout"):
        VOCDataset(root / "nowhere", "train")


def test_genuine_voc2007(real):
    dataset = VOCDataset(real / "voc2007", "trainval")
    targets = [target for _, target in dataset]
    assert len(targets) == 68
    assert sum(map(len, targets)) == 197
    assert sum(int(target.difficult.sum()) for target in targets) == 29
    assert dataset.classes == VOC_CLASSES
    assert {label for target in targets for label in target.labels.tolist()} == set(range(1, 21))
    car = dataset.target(dataset.ids.index("000007"))
    assert car.boxes.tolist() == [[140, 49, 500, 330]]
    assert VOC_CLASSES[car.labels[0] - 1] == "car"
    assert voc2007("trainval", root=real / "voc2007").ids == dataset.ids


def test_genuine_boxes_are_those_of_the_published_list(real):
    dataset = VOCDataset(real / "voc2007", "trainval")
    listed = {}
    for path in sorted((real / "voc_boxes_text").glob("*.txt")):
        for line in path.read_text().splitlines():
            name, _, *numbers = line.split()
            listed[Path(name).stem] = torch.tensor(list(map(float, numbers))).reshape(-1, 5)
    for i, name in enumerate(dataset.ids):
        target, rows = dataset.target(i), listed[name]
        ours = torch.cat([target.boxes + torch.tensor([1, 1, 0, 0]), target.labels[:, None] - 1.0], dim=1)
        assert sorted(rows.tolist()) == sorted(ours.tolist()), name


def test_raccoons(real):
    dataset = VOCDataset(real / "raccoon", "train")
    assert dataset.classes == ("raccoon",)
    assert len(dataset) == 160
    assert sum(len(dataset.target(i)) for i in range(160)) == 173
    grey = next(i for i in range(160) if Image.open(dataset.path(i)).mode == "L")
    image, target = dataset[grey]
    assert image.shape == (3, *target.image_size)


def test_data_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a notebook started from another folder
    monkeypatch.delenv("LECTURE_LIB_DATA", raising=False)
    monkeypatch.setattr(sets.lecture_lib, "__file__", str(tmp_path / "clone/lecture_lib/__init__.py"))
    with pytest.raises(FileNotFoundError, match=r"no data folder .*clone.data.*LECTURE_LIB_DATA"):
        data_root()
    (tmp_path / "clone/data").mkdir(parents=True)
    assert data_root() == tmp_path / "clone/data"
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        data_root()
    (tmp_path / "elsewhere").mkdir()
    assert data_root() == tmp_path / "elsewhere"


def test_bundled_sets_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    add(tmp_path / "stamps", "a", an_object(), split="val")
    add(tmp_path / "stamps-seed2", "b", an_object(), split="val")
    add(tmp_path / "photos", "c", an_object(), split="test")
    assert stamps("val").ids == ("a",)
    assert stamps("val", seed=2).ids == ("b",)
    assert photos().ids == ("c",)
    with pytest.raises(FileNotFoundError, match=r"data/build/stamps\.py --seed 1 --out data/stamps-seed1"):
        stamps("val", seed=1)


def test_voc_by_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    add(tmp_path / "cache/VOCdevkit/VOC2012", "a", an_object(), split="val")
    assert voc2012("val").classes == VOC_CLASSES
    for folder in ("cache", "cache/VOCdevkit", "cache/VOCdevkit/VOC2012"):
        assert voc2012("val", root=tmp_path / folder).ids == ("a",)
    with pytest.raises(ValueError, match=r"VOC2012 has no split 'test' with annotations: take one of"):
        voc2012("test")
    with pytest.raises(FileNotFoundError) as error:
        voc2007("test")
    assert "voc2007('test', download=True)" in str(error.value)
    assert str(tmp_path / "cache" / "VOCtest_06-Nov-2007.tar") in str(error.value)


@pytest.fixture
def archive(tmp_path, server, monkeypatch):  # noqa: F811
    """VOC 2007 as a tar of two images on a server of this machine, and the cache to unpack it to."""
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "made/VOCdevkit/VOC2007"
    add(made, "a", an_object())
    add(made, "b", an_object("cat"))
    with tarfile.open(tmp_path / "voc.tar", "w") as tar:
        tar.add(tmp_path / "made/VOCdevkit", "VOCdevkit")
    server.content = (tmp_path / "voc.tar").read_bytes()
    md5 = hashlib.md5(server.content).hexdigest()
    archive = sets.Archive("voc.tar", md5, ("http://127.0.0.1:1", f"{server.url}/good"))
    monkeypatch.setitem(sets.ARCHIVES["VOC2007"], "train", archive)
    return archive


def test_voc_by_download(archive, server, tmp_path, capsys):  # noqa: F811
    with pytest.raises(FileNotFoundError):
        voc2007("train")
    assert not (tmp_path / "cache").exists()
    dataset = voc2007("train", download=True)
    assert len(dataset[1][1]) == 1
    assert dataset.root == tmp_path / "cache/VOCdevkit/VOC2007"
    assert "voc.tar" in capsys.readouterr().out
    asked = len(server.requests)
    assert voc2007("train").ids == voc2007("train", download=True).ids == ("a", "b")
    assert len(server.requests) == asked


def test_tar_put_there_by_hand_needs_no_network(archive, server, tmp_path):  # noqa: F811
    (tmp_path / "cache").mkdir()
    os.rename(tmp_path / "voc.tar", tmp_path / "cache/voc.tar")
    assert voc2007("train", download=True).ids == ("a", "b")
    assert server.requests == []


def test_interrupted_unpacking_is_not_taken_as_complete(archive, monkeypatch):
    real_replace = os.replace

    def replace(source, destination):
        if str(destination).endswith("train.txt"):
            raise KeyboardInterrupt
        real_replace(source, destination)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        voc2007("train", download=True)
    with pytest.raises(FileNotFoundError, match="download=True"):
        voc2007("train")
    monkeypatch.setattr(os, "replace", real_replace)
    assert voc2007("train", download=True).ids == ("a", "b")


def test_voc_without_network_says_where_to_put_the_tar(tmp_path):
    with pytest.raises(DownloadError) as error:
        voc2012("train", root=tmp_path, download=True)
    assert f"put it here: {tmp_path / 'VOCtrainval_11-May-2012.tar'}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_checksums_are_those_of_torchvision():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    theirs = {(entry["filename"], entry["md5"]) for entry in DATASET_YEAR_DICT.values()}
    ours = {(a.name, a.md5) for splits in sets.ARCHIVES.values() for a in splits.values()}
    assert ours <= theirs
    assert len(ours) == 3
