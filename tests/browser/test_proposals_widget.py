import pytest
import torch

from lecture_lib.boxes import iou
from tests.browser.lab import NEEDS_BROWSER
from tests.browser.test_iou import random_boxes

pytestmark = NEEDS_BROWSER

BEST = """({proposals, objects, count}) =>
    script.bestOf(new Float32Array(proposals), new Float32Array(objects), count)"""


def check_best(evaluate, proposals, objects, count):
    data = {"proposals": proposals.flatten().tolist(), "objects": objects.flatten().tolist(), "count": count}
    got = evaluate(BEST, data)
    assert len(got) == len(objects)
    overlaps = iou(objects, proposals[:count])
    for row, found in enumerate(got):
        if count == 0 or overlaps[row].max() == 0:
            assert (found["best"], found["row"]) == (0, -1)
        else:
            assert torch.tensor(found["best"]).float() == overlaps[row].max()
            assert found["row"] == int(overlaps[row].argmax())


def test_no_proposal_and_no_object(javascript):
    check_best(javascript("proposals"), torch.zeros(0, 4), torch.rand(2, 4).cumsum(1), 0)
    check_best(javascript("proposals"), torch.rand(2, 4).cumsum(1), torch.zeros(0, 4), 2)


@pytest.mark.parametrize("count", [1, 7, 300])
def test_the_best_boxes_are_those_of_the_library(javascript, generator, count):
    check_best(javascript("proposals"), random_boxes(300, 90.0, generator), random_boxes(5, 90.0, generator), count)


@pytest.mark.parametrize(
    ("sabotage", "count"), [(("r < count", "r <= count"), 39), (("overlap > best", "overlap >= best"), 79)]
)
def test_a_wrong_search_would_be_seen(javascript, generator, sabotage, count):
    boxes = random_boxes(40, 90.0, generator).repeat(2, 1)
    check_best(javascript("proposals"), boxes, boxes[[38, 39]], count)
    with pytest.raises(AssertionError):
        check_best(javascript("proposals", sabotage), boxes, boxes[[38, 39]], count)
