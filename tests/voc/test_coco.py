"""Boxes in COCO's format become a folder in VOC's layout."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from lecture_lib.voc import VOCDataset, coco_as_voc, is_coco


def write(folder, annotations, categories=({"id": 3, "name": "car", "voc_name": "car"}, {"id": 9, "name": "kite"})):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}, {"id": 2, "file_name": "b.jpg"}]
    images[1] |= {"width": 20, "height": 50}
    for image in images:
        Image.new("RGB", (image["width"], image["height"])).save(folder / "images" / image["file_name"])
    data = {"images": images, "annotations": list(annotations), "categories": list(categories)}
    (folder / "boxes.json").write_text(json.dumps(data))
    return folder


def item(box, category=3, image=1, **more):
    return {"image_id": image, "category_id": category, "bbox": box} | more


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))


def test_a_set_without_objects(tmp_path):
    dataset = VOCDataset(coco_as_voc(write(tmp_path / "set", [])), "train")
    assert [len(target) for _, target in dataset] == [0, 0]


def test_boxes_come_back_as_they_were(tmp_path):
    boxes = [[0, 0, 40, 30], [1.25, 2.5, 10.5, 7.25]]
    folder = write(tmp_path / "set", [*map(item, boxes), item([3, 4, 5, 6], image=2, iscrowd=1)])
    dataset = VOCDataset(coco_as_voc(folder), "train")
    (first, target), (second, crowd) = dataset
    assert first.shape[1:] == (30, 40)
    assert second.shape[1:] == (50, 20)
    corners = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in boxes])
    assert torch.allclose(target.boxes, corners, atol=0.01)
    assert [dataset.classes[label - 1] for label in target.labels] == ["car", "car"]
    assert crowd.difficult.tolist() == [True]


def test_only_categories_of_voc_are_kept_where_they_are_named(tmp_path):
    folder = write(tmp_path / "set", [item([1, 1, 5, 5], category=9), item([2, 2, 5, 5])])
    assert len(VOCDataset(coco_as_voc(folder), "train").target(0)) == 1
    plain = write(tmp_path / "plain", [item([1, 1, 5, 5], category=9)], [{"id": 9, "name": "kite"}])
    assert VOCDataset(coco_as_voc(plain), "train").classes == ("kite",)


def test_a_changed_file_is_converted_again(tmp_path):
    folder = write(tmp_path / "set", [item([1, 1, 5, 5])])
    before = coco_as_voc(folder)
    assert coco_as_voc(folder) == before
    write(folder, [])
    assert coco_as_voc(folder) != before


def test_another_format_is_told(tmp_path):
    folder = write(tmp_path / "set", [])
    assert is_coco(folder)
    (folder / "boxes.json").write_text('{"boxes": []}')
    with pytest.raises(ValueError, match="needs images, annotations and categories"):
        coco_as_voc(folder)
    assert not is_coco(tmp_path)


def test_boxes_end_at_the_image_and_those_thinner_than_a_pixel_are_left_out(tmp_path):
    boxes = [[-0.5, -2, 10, 8], [3, 3, 0.5, 9], [39.5, 3, 5, 9], [50, 3, 5, 9]]
    target = VOCDataset(coco_as_voc(write(tmp_path / "set", map(item, boxes))), "train").target(0)
    assert target.boxes.tolist() == [[0, 0, 9.5, 6]]


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, float("nan"), 4], ["1", 2, 3, 4], None, 7])
def test_a_box_that_is_none_is_told_with_the_file(tmp_path, box):
    with pytest.raises(ValueError, match=r"boxes\.json is not in COCO's format"):
        coco_as_voc(write(tmp_path / "set", [item(box)]))


def test_where_there_are_no_links_the_images_are_copied_whole(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError("no links on this system")

    def cut(source, target):
        target.mkdir(parents=True)
        raise KeyboardInterrupt

    folder = write(tmp_path / "set", [])
    monkeypatch.setattr(Path, "symlink_to", none)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", cut)
        with pytest.raises(KeyboardInterrupt):
            coco_as_voc(folder)
    assert len(list(VOCDataset(coco_as_voc(folder), "train"))) == 2
