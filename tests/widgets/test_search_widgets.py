import pytest
import torch

from lecture_lib.proposals import (
    SlidingWindow,
    Strategy,
    first_regions,
    hierarchical_grouping,
    sliding_windows,
)
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.grouping import grouping_explorer, region_colors, segmentation_explorer
from lecture_lib.widgets.proposals import proposals_explorer
from lecture_lib.widgets.sliding_window import window_explorer

SIZE = (60, 80)


def test_window_explorer_offers_no_window_larger_than_the_image(image):
    widget = window_explorer(image, 0.001)
    assert widget.state()["inputs"]["sizes"] == {"min": 16, "max": 60, "step": 4}
    assert widget.values["size"] == 60
    assert "data:image/jpeg" in widget.html()
    tiny = window_explorer(image[:, :9, :12], 1)
    assert (tiny.state()["inputs"]["sizes"]["min"], tiny.values["size"]) == (9, 9)
    tiny.html()


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_window_explorer_refuses_a_time_that_is_none(image, seconds):
    with pytest.raises(ValueError, match="seconds_per_window: expected a positive time"):
        window_explorer(image, seconds)


def test_segmentation_explorer_counts_regions(image):
    widget = segmentation_explorer(image, ks=(20.0, 5000.0))
    assert widget.state()["inputs"] == {"size": [60, 80], "ks": [20.0, 5000.0], "counts": [27, 1]}
    assert len(widget.state()["images"]) == 2
    widget.html()


@pytest.fixture
def grouped(image):
    strategy = Strategy(k=50.0)
    return first_regions(image, strategy), list(hierarchical_grouping(image, strategy))


def test_grouping_explorer_ships_each_region_once(image, target, grouped):
    labels, steps = grouped
    state = grouping_explorer(image, labels, steps, target).state()
    assert state["inputs"]["regions"] == len(labels.unique()) == len(steps) + 1
    assert state["arrays"]["boxes"]["shape"] == [2 * len(steps) + 1, 4]
    assert state["arrays"]["parts"]["shape"] == [len(steps), 5]
    grouping_explorer(image, labels, [], Target.empty(SIZE)).html()


def test_region_colors_are_means_of_all_their_pixels(image, grouped):
    colors = region_colors(image, *grouped)
    assert torch.equal(colors[-1], (255 * image.mean((1, 2))).round().int())


def test_grouping_of_another_image_is_refused(as_user, image, target, grouped):
    labels, steps = grouped
    for wrong in ((labels[:, :9], steps), (labels, steps[1:]), (labels.T, steps)):
        with pytest.raises(ValueError, match="grouping: give the labels and the steps of one grouping"):
            grouping_explorer(image, *wrong, target)


def test_proposals_explorer_offers_no_more_boxes_than_there_are(image, target):
    proposals = sliding_windows(SIZE, SlidingWindow((20,), (1.0,), 10))
    widget = proposals_explorer(image, proposals, target)
    assert widget.state()["inputs"]["counts"] == [1, 3, 10, 30, len(proposals)]
    assert widget.state()["arrays"]["proposals"]["shape"] == [len(proposals), 4]
    widget.html()


def test_no_proposals_and_no_objects_are_no_error(image):
    widget = proposals_explorer(image, Proposals.empty(SIZE), Target.empty(SIZE))
    assert (widget.state()["inputs"]["counts"], widget.values["step"]) == ([0], 0)
    widget.html()


def test_proposals_of_another_picture_are_refused(image, target):
    with pytest.raises(ValueError, match="80 x 60 pixels, but the proposals are of one with 40 x 30"):
        proposals_explorer(image, Proposals.empty((30, 40)), target)
