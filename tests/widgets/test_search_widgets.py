import re

import pytest
import torch

from lecture_lib.boxes import iou
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
from lecture_lib.widgets.proposals import proposals_explorer, render_proposals
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


def test_no_proposals_find_nothing(target):
    html = render_proposals("data:", Proposals.empty(SIZE), target, 0.5)
    assert caption(html) == "0 boxes · 0 of 2 objects found · mean best overlap 0.00"


def test_proposals_find_what_they_cover(target):
    proposals = sliding_windows(SIZE, SlidingWindow((20, 26), (1.0,), 5))
    best = iou(target.boxes, proposals.boxes).amax(1)
    for threshold in (0.3, 0.9):
        html = render_proposals("data:", proposals, target, threshold)
        found = int((best >= threshold).sum())
        assert f"{found} of 2 objects found" in caption(html)
        assert strokes(html, GROUND_TRUTH) == strokes(html, DETECTION) == found


def test_proposals_explorer_offers_no_more_boxes_than_there_are(image, target):
    proposals = sliding_windows(SIZE, SlidingWindow((20,), (1.0,), 10))
    explorer = proposals_explorer(image, proposals, target)
    count, _ = explorer.children[:2]
    assert count.options[-1] == len(proposals)
    count.value = 1
    assert caption(explorer.canvas.value).startswith("1 boxes")


def test_an_error_is_shown_and_not_swallowed(image, target):
    other = Proposals(torch.tensor([[0.0, 0, 5, 5]]), None, SIZE)
    explorer = proposals_explorer(image, other, target)
    explorer._render = lambda **values: 1 / 0
    explorer.children[1].value = 0.8
    assert "ZeroDivisionError" in explorer.canvas.value
