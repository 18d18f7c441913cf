import pytest
import torch

from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

BOXES = [[0, 0, 40, 40], [10, 10, 20, 20], [10, 10, 20, 20], [30, 30, 60, 50], [5, 5, 5, 9]]


def box_at(evaluate, boxes, point):
    return evaluate(
        "([b, p]) => script.boxAt(new Float32Array(b), p)", [[side for box in boxes for side in box], point]
    )


def test_no_box_is_no_row(javascript):
    assert box_at(javascript("detection_browser"), [], [3, 3]) == -1


@pytest.mark.parametrize(
    ("point", "row"), [((5, 7), 0), ((10, 10), 1), ((20, 19), 0), ((35, 35), 3), ((59, 49), 3), ((60, 49), -1)]
)
def test_the_smallest_box_around_a_point_is_chosen(javascript, point, row):
    assert box_at(javascript("detection_browser"), BOXES, point) == row


def test_a_wrong_order_would_be_seen(javascript):
    sabotage = ("area(boxes, i) - area(boxes, j)", "area(boxes, j) - area(boxes, i)")
    assert box_at(javascript("detection_browser", sabotage), BOXES, (10, 10)) != 1


def test_classes_come_by_their_scores(javascript):
    scores = torch.tensor([-1.5, 0.5, 0.25, 0.5, -3.0])
    best = javascript("detection_browser")("s => script.bestClasses(new Float32Array(s), 3)", scores.tolist())
    assert best == [[k, float(scores[k])] for k in scores.sort(descending=True, stable=True).indices[:3].tolist()]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0001, "0.1 ms"), (0.0421, "42 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (12.34, "12.3 s")],
)
def test_durations_have_a_unit_that_fits(javascript, seconds, said):
    assert javascript("detection_browser")("s => script.duration(s)", seconds) == said
