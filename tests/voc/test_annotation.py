"""Annotation and mask files: what they may leave out, and every mistake."""

import numpy as np
import pytest
import torch
from PIL import Image

from lecture_lib.voc import VOC_CLASSES, VOCDataset
from tests.voc.folders import HEIGHT, SIZE, WIDTH, an_object, annotate, save_masks


def test_no_objects(root):
    annotate(root)
    target = VOCDataset(root, "train", classes=["dog"]).target(0)
    assert len(target) == 0
    assert target.image_size == (HEIGHT, WIDTH)


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
    "huge size": (SIZE.replace(str(WIDTH), "1e308"), [an_object()], r"an image of 1e\+308 x 30 pixels"),
    "no box": (SIZE, ["<object><name>dog</name></object>"], "<bndbox/xmin> is missing"),
    "no name": (SIZE, [an_object(name="")], "without <name>"),
    "coordinate is no number": (SIZE, [an_object(box=(1, 1, "x", 3))], "<bndbox/xmax> holds 'x' instead"),
    "NaN": (SIZE, [an_object(box=(1, 1, "nan", 3))], "<bndbox/xmax> holds 'nan' instead"),
    "infinite size": (SIZE.replace(str(WIDTH), "inf"), [], "<size/width> holds 'inf' instead"),
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


def test_annotation_in_an_unknown_encoding(root):
    (root / "Annotations/a.xml").write_text("<?xml version='1.0' encoding='nonsense'?><annotation/>")
    with pytest.raises(ValueError, match=r"a\.xml is not well-formed XML \(unknown encoding: nonsense\)"):
        VOCDataset(root, "train", classes=["dog"]).target(0)


def test_box_of_one_pixel_is_legal(root):
    annotate(root, an_object(box=(40, 30, 40, 30)))
    assert VOCDataset(root, "train").target(0).boxes.tolist() == [[39, 29, 40, 30]]
