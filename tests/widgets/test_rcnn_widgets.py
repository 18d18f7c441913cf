import re
from dataclasses import replace

import pytest
import torch

from lecture_lib.boxes import nms
from lecture_lib.decoding import DecodeRule
from lecture_lib.detectors import Trace
from lecture_lib.plotting.style import MUTED, ORANGE, PROPOSAL, class_color
from lecture_lib.structures import Detections, Predictions, Proposals, RegionFeatures
from lecture_lib.widgets.suppression import render_suppression, suppression_explorer
from lecture_lib.widgets.warping import render_warping, warping_explorer

SIZE = (60, 80)
CLASSES = ("red", "green")


@pytest.fixture
def image():
    picture = torch.full((3, *SIZE), 0.2)
    picture[0, 10:30, 10:30] = 0.9
    return picture


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[10.0, 10, 30, 30], [0, 20, 60, 40], [11, 10, 31, 30]]), None, SIZE)


def trace_of(proposals: Proposals, scores: torch.Tensor) -> Trace:
    predictions = Predictions(scores, torch.zeros(*scores.shape, 4))
    return Trace((), proposals, RegionFeatures.empty(1, 1), predictions, Detections.empty(SIZE), {})


@pytest.fixture
def trace(proposals):
    return trace_of(proposals, torch.tensor([[0.9, -1.0], [0.1, 0.5], [0.8, -1.0]]))


def captions(html: str) -> list[str]:
    return re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html)


def rects(html: str, color: str) -> list[tuple[float, ...]]:
    """Corners of the boxes in a colour."""
    found = re.findall(
        r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*?stroke="(#\w+)"', html
    )
    numbers = [(*map(float, parts[:4]), parts[4]) for parts in found]
    return [(x, y, x + w, y + h) for x, y, w, h, stroke in numbers if stroke == color]


def test_no_proposal_is_told(image):
    html = render_warping("data:", image, Proposals.empty(SIZE), 16, 2)
    assert captions(html) == ["there is no proposal"]
    assert "<rect" not in html
    explorer = warping_explorer(image, Proposals.empty(SIZE), 16, 2)
    assert "there is no proposal" in explorer.canvas.value


def test_region_context_and_square_are_shown(image, proposals):
    html = render_warping("data:", image, proposals[:1], 16, 4)
    picture, square = captions(html)
    assert picture == "region 20 × 20, stretched 1.0 to 1"
    assert square == "16 × 16 for the network"
    assert rects(html, ORANGE) == [(0, 0, 40, 40)]  # 16 / (16 - 8) = twice the box
    assert rects(html, PROPOSAL) == [(10, 10, 30, 30), (4, 4, 12, 12)]


def test_what_lies_outside_the_picture_is_said(image, proposals):
    inside, _ = captions(render_warping("data:", image, proposals[1:2], 16, 0))
    assert inside == "region 60 × 20, stretched 3.0 to 1"
    outside, _ = captions(render_warping("data:", image, proposals[1:2], 16, 4))
    # the window is 120 x 40 from (-30, 10): 80 x 40 of it lie in the picture
    assert outside == "region 60 × 20, stretched 3.0 to 1 · 33% of the square is filling"


def test_warping_explorer_follows_its_sliders(image, proposals):
    explorer = warping_explorer(image, proposals, 16, 1.6, number=99)
    number, context = explorer.children[:2]
    assert (number.value, number.max, context.value) == (2, 2, 2)
    number.value = 1
    assert "region 60 × 20" in explorer.canvas.value
    context.value = 4
    assert "33% of the square is filling" in explorer.canvas.value


def test_nothing_is_suppressed_of_nothing(image):
    empty = trace_of(Proposals.empty(SIZE), torch.zeros(0, 2))
    assert captions(render_suppression("data:", empty, CLASSES, DecodeRule())) == ["0 boxes above 0.05 · 0 are left"]
    assert "0 are left" in suppression_explorer(image, empty, CLASSES, DecodeRule()).canvas.value


def test_suppression_keeps_what_nms_keeps(trace):
    rule = DecodeRule(score_threshold=0.0, nms_threshold=0.3)
    html = render_suppression("data:", trace, CLASSES, rule)
    first_class = trace.predictions.scores[:, 0]
    kept = nms(trace.proposals.boxes, first_class, 0.3)
    assert kept.tolist() == [0, 1]
    assert captions(html) == ["4 boxes above 0.00 · 3 are left"]
    assert sorted(rects(html, class_color(1))) == [(0, 20, 60, 40), (10, 10, 30, 30)]
    assert rects(html, class_color(2)) == [(0, 20, 60, 40)]
    assert len(rects(html, MUTED)) == 4
    assert re.findall(r">(\w+ -?\d\.\d\d)</text>", html) == ["red 0.90", "green 0.50", "red 0.10"]


def test_without_suppression_every_candidate_is_left(trace):
    rule = DecodeRule(score_threshold=0.0, nms_threshold=None)
    assert captions(render_suppression("data:", trace, CLASSES, rule)) == ["4 boxes above 0.00 · 4 are left"]
    assert captions(render_suppression("data:", trace, CLASSES, replace(rule, nms_threshold=1.0))) == [
        "4 boxes above 0.00 · 4 are left"
    ]


def test_suppression_explorer_follows_its_sliders(image, trace):
    explorer = suppression_explorer(image, trace, CLASSES, DecodeRule(score_threshold=0.0, nms_threshold=0.3))
    score, threshold = explorer.children[:2]
    score.value = score.min
    assert "4 boxes above 0.00 · 3 are left" in explorer.canvas.value
    threshold.value = 1.0
    assert "4 boxes above 0.00 · 4 are left" in explorer.canvas.value
    score.value = 0.6
    assert re.search(r"2 boxes above 0\.\d\d · 2 are left", explorer.canvas.value)


def test_a_class_name_is_no_markup(trace):
    html = render_suppression("data:", trace, ("<b>", "&"), DecodeRule(score_threshold=0.0))
    assert "&lt;b&gt; 0.90" in html
    assert "<b>" not in html
