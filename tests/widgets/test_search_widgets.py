import re

import pytest

from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH
from lecture_lib.proposals import (
    SlidingWindow,
    Strategy,
    first_regions,
    hierarchical_grouping,
    sliding_windows,
)
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.grouping import grouping_explorer, render_grouping, segmentation_explorer
from lecture_lib.widgets.proposals import proposals_explorer
from lecture_lib.widgets.sliding_window import window_explorer

SIZE = (60, 80)


def caption(html: str) -> str:
    return re.search(r"<figcaption[^>]*>(.*)</figcaption>", html).group(1)


def strokes(html: str, color: str) -> int:
    return html.count(f'stroke="{color}"') - html.count(f'<path d="" stroke="{color}"')


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
    explorer = segmentation_explorer(image, ks=(20.0, 5000.0))
    explorer.children[0].value = 5000.0
    assert caption(explorer.canvas.value) == "k = 5000: 1 regions"


def test_grouping_starts_with_the_first_regions_and_ends_with_one(image, target):
    strategy = Strategy(k=50.0)
    labels, steps = first_regions(image, strategy), list(hierarchical_grouping(image, strategy))
    count = len(labels.unique())
    assert caption(render_grouping(image, labels, [], target)).startswith(f"{count} regions · {count} boxes")
    end = render_grouping(image, labels, steps, target)
    assert caption(end).startswith(f"1 regions · {2 * count - 1} boxes so far · 2 of 2 objects reached")
    assert strokes(end, GROUND_TRUTH) == 2
    assert strokes(end, DETECTION) == 1


def test_grouping_explorer_steps_merge_by_merge(image):
    strategy = Strategy(k=50.0)
    labels, steps = first_regions(image, strategy), list(hierarchical_grouping(image, strategy))
    explorer = grouping_explorer(image, labels, steps, Target.empty(SIZE))
    explorer.children[0].value = 1
    assert f"{len(steps)} regions · {len(steps) + 2} boxes so far" in explorer.canvas.value
    assert "objects" not in explorer.canvas.value


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
