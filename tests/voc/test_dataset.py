"""Any folder in VOC's layout: its items, its classes, its splits, and files that are missing."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from lecture_lib.structures import check_image
from lecture_lib.voc import VOC_CLASSES, VOCDataset, voc2007
from tests.voc.folders import HEIGHT, WIDTH, add, an_object, annotate


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


def test_names_in_another_encoding(root):
    (root / "ImageSets/Main/train.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(ValueError, match=r"train\.txt is not text in UTF-8 .*Save it again"):
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
            if Path(name).stem in dataset.ids:
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
