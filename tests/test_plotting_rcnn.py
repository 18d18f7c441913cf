from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import same_color
from matplotlib.patches import FancyBboxPatch

from lecture_lib.boxes import nms_steps
from lecture_lib.detectors import SLOTS, rcnn
from lecture_lib.plotting import rcnn as figures
from lecture_lib.plotting.style import (
    BLUE,
    DETECTION,
    GREEN,
    GROUND_TRUTH,
    IGNORED,
    NEGATIVE,
    POSITIVE,
    PROPOSAL,
    RED,
)
from lecture_lib.pooling import WarpRegions
from lecture_lib.structures import FeatureMap, Proposals, Target
from tests.drawn import boxes_of, texts, titles
from tests.tiny import tiny_backbone

SIZE = (60, 80)
NO_BOX = torch.zeros(0, 4)


pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def detector():
    return rcnn(("red", "green"), tiny_backbone(), torch.Generator().manual_seed(0))


def test_nothing_is_drawn_of_nothing(image):
    assert len(figures.show_warps(image, NO_BOX, torch.zeros(0, 3, 8, 8)).axes) == 1
    assert figures.warp_and_back(image, NO_BOX, 8) == []
    assert len(figures.stretch(NO_BOX)) == 0
    figures.lost_by_warping(image, NO_BOX, 8)
    moved = figures.moved_boxes(image, NO_BOX, NO_BOX, Target.empty(SIZE))
    assert all(not axes.patches for axes in moved.axes)
    strip = figures.suppression_strip(image, NO_BOX, torch.zeros(0), [])
    assert titles(strip) == ["Before: 0 boxes"]
    labels = figures.show_labels(image, {"rule": (NO_BOX, torch.zeros(0, dtype=torch.long))})
    assert titles(labels) == ["rule\n0 positive, 0 ignored, 0 background"]


def test_slots_are_read_from_the_detector(detector):
    axes = figures.slots(detector, now=("pool",)).axes[0]
    written = [text for text in texts(axes) if text]  # the arrows are empty texts
    assert written[0::4] == list(SLOTS)
    assert {"WholeImage", "SearchImage", "WarpRegions", "WholeCNN", "RegionHead", "decode"} <= set(written)
    assert f"{sum(p.numel() for p in detector.embed.parameters())} weights" in written
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert [same_color(box.get_facecolor(), BLUE) for box in boxes] == [name == "pool" for name in SLOTS]


def test_another_filling_is_another_drawing(detector):
    def my_search(image, maps):
        return Proposals.empty(SIZE)

    assert "my_search" in texts(figures.slots(replace(detector, propose=my_search)).axes[0])


def test_warps_stand_beside_their_boxes(image, target):
    squares = WarpRegions(16, 2.0)((FeatureMap(image, (1.0, 1.0), SIZE),), Proposals(target.boxes, None, SIZE))
    figure = figures.show_warps(image, target.boxes, squares)
    assert titles(figure) == ["Proposals", "1: 20 × 20", "2: 30 × 25"]
    assert texts(figure.axes[0]) == ["1", "2"]
    assert np.allclose(figure.axes[1].images[0].get_array(), squares[0].permute(1, 2, 0))


def test_map_sizes_are_those_of_the_network():
    sizes = figures.map_sizes(tiny_backbone(), [(8, 8), (16, 12)])
    assert sizes == {(8, 8): (2, 2), (16, 12): (4, 3)}


def test_a_map_is_green_only_where_the_layers_behind_can_read_it():
    axes = figures.show_map_sizes({(8, 8): (2, 2), (16, 12): (4, 3)}, wanted=(2, 2)).axes[0]
    assert texts(axes) == ["8 × 8\npixels", "2 × 2 cells ✓", "12 × 16\npixels", "3 × 4 cells ✗"]
    for color, cells in ((GREEN, 4), (RED, 12)):
        filled = [p for p in axes.patches if same_color(p.get_facecolor()[:3], color)]
        assert len(filled) == cells


def test_stretch_is_how_far_from_square():
    assert figures.stretch(torch.tensor([[0.0, 0, 10, 10], [0, 0, 30, 10], [5, 5, 10, 25]])).tolist() == [1, 3, 4]


def test_a_flat_region_survives_warping_and_a_fine_pattern_does_not():
    stripes = torch.zeros(3, 64, 64)
    stripes[:, :, ::2] = 1
    flat = torch.full((3, 64, 64), 0.3)
    box = torch.tensor([[0.0, 0, 64, 32]])
    ((region, warped, back),) = figures.warp_and_back(flat, box, 16)
    assert [tuple(part.shape) for part in (region, warped, back)] == [(3, 32, 64), (3, 16, 16), (3, 32, 64)]
    assert torch.allclose(region, back, atol=1e-6)
    ((region, _, back),) = figures.warp_and_back(stripes, box, 16)
    assert (region - back).abs().mean() > 0.3


def test_lost_by_warping_says_shape_stretch_and_error(image):
    figure = figures.lost_by_warping(image, torch.tensor([[0.0, 0, 60, 20], [10, 10, 30, 30]]), 16)
    assert [t for axes in figure.axes[:3] for t in texts(axes)] == ["region", "warped to 16 × 16", "warped back"]
    said = titles(figure)[3:]
    assert said[0::3] == ["60 × 20", "20 × 20"]
    assert said[1::3] == ["stretched 3.0 to 1", "stretched 1.0 to 1"]
    assert all(text.startswith("mean error 0.") for text in said[2::3])


def test_labels_are_counted_and_coloured(image):
    boxes = torch.tensor([[0.0, 0, 5, 5], [1, 1, 9, 9], [2, 2, 9, 9], [3, 3, 9, 9]])
    (axes,) = figures.show_labels(image, {"rule": (boxes, torch.tensor([2, -1, 0, 0]))}).axes
    assert axes.get_title(loc="left") == "rule\n1 positive, 1 ignored, 2 background"
    assert boxes_of(axes, POSITIVE) == [(0, 0, 5, 5)]
    assert boxes_of(axes, IGNORED) == [(1, 1, 9, 9)]
    assert boxes_of(axes, NEGATIVE) == [(2, 2, 9, 9), (3, 3, 9, 9)]


def test_of_many_background_boxes_some_are_drawn_and_all_counted(image):
    boxes = torch.tensor([[0.0, 0, 5, 5]]).repeat(1000, 1)
    (axes,) = figures.show_labels(image, {"rule": (boxes, torch.zeros(1000, dtype=torch.long))}).axes
    assert "1,000 background" in axes.get_title(loc="left")
    assert 0 < len(boxes_of(axes, NEGATIVE)) <= figures.NEGATIVES


def test_a_moved_box_is_shown_with_its_object_and_both_overlaps(image, target):
    before, after = torch.tensor([[10.0, 10, 30, 20]]), torch.tensor([[10.0, 10, 30, 30]])
    (axes,) = figures.moved_boxes(image, before, after, target, ["red 0.5"]).axes
    assert axes.get_title(loc="left") == "red 0.5\nIoU 0.50 → 1.00"
    assert boxes_of(axes, PROPOSAL) == [(10, 10, 30, 20)]
    assert boxes_of(axes, DETECTION) == [(10, 10, 30, 30)]
    assert boxes_of(axes, GROUND_TRUTH) == [(10, 10, 30, 30)]


def test_without_ground_truth_a_move_has_no_overlap(image):
    boxes = torch.tensor([[10.0, 10, 30, 20]])
    (axes,) = figures.moved_boxes(image, boxes, boxes + 2, Target.empty(SIZE), ["red"]).axes
    assert axes.get_title(loc="left") == "red"
    assert boxes_of(axes, GROUND_TRUTH) == []


def test_suppression_is_drawn_round_by_round(image):
    boxes = torch.tensor([[10.0, 10, 30, 30], [11, 10, 31, 30], [45, 30, 75, 55]])
    scores = torch.tensor([0.5, 0.9, 0.3])
    figure = figures.suppression_strip(image, boxes, scores, list(nms_steps(boxes, scores, 0.3)))
    assert titles(figure) == ["Before: 3 boxes", "Round 1: 1 rejected, 1 wait", "Round 2: 0 rejected, 0 wait"]
    before, first, second = figure.axes
    assert len(boxes_of(before, PROPOSAL)) == 3
    assert boxes_of(first, RED) == [(10, 10, 30, 30)]
    assert boxes_of(first, DETECTION) == [(11, 10, 31, 30)]
    assert boxes_of(first, PROPOSAL) == [(45, 30, 75, 55)]
    assert sorted(boxes_of(second, DETECTION)) == [(11, 10, 31, 30), (45, 30, 75, 55)]
    assert texts(first) == ["kept 0.90"]
