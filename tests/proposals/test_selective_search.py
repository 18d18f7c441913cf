from dataclasses import replace
from xml.etree import ElementTree

import pytest
import skimage.data
import torch

from lecture_lib.boxes import iou
from lecture_lib.images import read_image
from lecture_lib.proposals import (
    SelectiveSearch,
    Strategy,
    hierarchical_grouping,
    opencv_selective_search,
    selective_search,
)
from lecture_lib.proposals.grouping import boxes_after, first_regions
from lecture_lib.proposals.selective_search import rank_hierarchies


@pytest.fixture(scope="module")
def photograph():
    return torch.from_numpy(skimage.data.coffee()[::2, ::2].copy()).permute(2, 0, 1) / 255  # 200 x 300


@pytest.mark.parametrize("image", [torch.rand(1, 9, 9), torch.zeros(3, 0, 5), torch.full((3, 9, 9), 1.5)])
def test_no_image(image, as_user):
    with pytest.raises(ValueError, match="image: "):
        selective_search(image)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (60, 80)])
def test_flat_image_is_one_box_even_when_tiny(size):
    assert selective_search(torch.full((3, *size), 0.5)).boxes.tolist() == [[0, 0, size[1], size[0]]]


def test_best_first_distinct_whole_pixels_inside(photograph):
    found = selective_search(photograph)
    assert found.image_size == (200, 300)
    assert 100 < len(found) < 2000
    assert found.scores.diff().max() <= 0
    assert len(found.boxes.unique(dim=0)) == len(found)
    assert torch.equal(found.boxes, found.boxes.round())
    assert found.boxes.amin() >= 0
    assert (found.boxes[:, 2:] <= torch.tensor([300.0, 200.0])).all()
    assert (found.boxes[:, 2:] - found.boxes[:, :2]).min() >= 20


def test_finds_the_cup(photograph):
    cup = torch.tensor([[86.5, 9, 204.5, 154.5]])  # drawn by hand
    assert iou(cup, selective_search(photograph)[:100].boxes).max() > 0.7


def test_same_seed_same_boxes_other_seed_other_order(photograph):
    settings = SelectiveSearch()
    first, second = selective_search(photograph, settings), selective_search(photograph, settings)
    assert torch.equal(first.boxes, second.boxes)
    assert torch.equal(first.scores, second.scores)
    other = selective_search(photograph, replace(settings, seed=1))
    assert not torch.equal(first.boxes, other.boxes)
    assert {tuple(box) for box in first.boxes.tolist()} == {tuple(box) for box in other.boxes.tolist()}


def test_boxes_of_a_strategy_are_those_of_stepping(photograph):
    small = photograph[:, ::2, ::2].contiguous()
    strategy = Strategy("lab", 60.0, "TSF")
    stepped = boxes_after(first_regions(small, strategy), hierarchical_grouping(small, strategy))
    found = selective_search(small, SelectiveSearch(("lab",), (60.0,), ("TSF",), min_side=0))
    assert {tuple(box) for box in found.boxes.tolist()} == {tuple(box) for box in stepped.tolist()}


def test_more_strategies_add_boxes(photograph):
    all_of = {
        name: {tuple(box) for box in selective_search(photograph, settings).boxes.tolist()}
        for name, settings in (("single", SelectiveSearch.single()), ("fast", SelectiveSearch.fast()))
    }
    assert all_of["single"] < all_of["fast"]


def test_presets_are_the_papers():
    presets = (SelectiveSearch.single(), SelectiveSearch.fast(), SelectiveSearch.quality())
    assert [len(settings.strategies) for settings in presets] == [1, 8, 80]


def test_max_boxes_keeps_the_best(photograph):
    best = selective_search(photograph, SelectiveSearch(max_boxes=50))
    assert torch.equal(best.boxes, selective_search(photograph).boxes[:50])


@pytest.mark.parametrize(
    "bad", [{"color_spaces": ()}, {"color_spaces": ("cmyk",)}, {"measures": ("X",)}, {"ks": (0.0,)}, {"max_boxes": 0}]
)
def test_impossible_settings(bad):
    with pytest.raises(ValueError, match=r"expected|give|must be"):
        SelectiveSearch(**bad)


def test_rank_by_hand():
    """The rank is RND * i with i counted from the end of each hierarchy; the better of two equal boxes stays."""
    hierarchies = [torch.tensor([[0, 0, 1, 1], [0, 0, 2, 2]]), torch.tensor([[0, 0, 1, 1], [5, 5, 6, 6], [0, 0, 9, 9]])]
    boxes, ranks = rank_hierarchies(hierarchies, seed=3)
    random = torch.rand(5, generator=torch.Generator().manual_seed(3), dtype=torch.float64).tolist()
    expected = {}
    for box, position, number in zip(torch.cat(hierarchies).tolist(), (2, 1, 3, 2, 1), random, strict=True):
        expected[tuple(box)] = min(position * number, expected.get(tuple(box), 9))
    expected = sorted(expected.items(), key=lambda item: item[1])
    assert boxes.tolist() == [list(box) for box, _ in expected]
    assert ranks.tolist() == pytest.approx([rank for _, rank in expected])


def test_large_regions_come_early(photograph):
    """Whole images, at position 1 of every hierarchy, rank before nearly everything, the first regions rather late."""
    boxes = selective_search(photograph).boxes
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    assert areas[:50].mean() > 2 * areas[-200:].mean()


def test_finds_more_than_opencv_in_as_many_boxes(real):
    """On two photographs; `python -m tests.benchmarks.selective_search` is the full comparison."""
    folder, sides = real / "voc2007", ("xmin", "ymin", "xmax", "ymax")
    overlaps = {"ours": [], "opencv": []}
    for annotation in sorted((folder / "Annotations").glob("*.xml"))[:2]:
        tree = ElementTree.parse(annotation)
        objects = torch.tensor([[float(box.findtext(side)) for side in sides] for box in tree.iter("bndbox")])
        image = read_image(folder / "JPEGImages" / f"{annotation.stem}.jpg")
        for name, found in (("ours", selective_search(image)), ("opencv", opencv_selective_search(image))):
            best = [iou(objects, found.boxes[:count]).amax(dim=1) for count in (100, 500)]
            overlaps[name].append(torch.stack(best, dim=1))
    ours, theirs = (torch.cat(overlaps[name]) for name in ("ours", "opencv"))
    assert (ours.mean(dim=0) >= theirs.mean(dim=0)).all()
