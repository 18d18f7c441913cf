import re

import pytest
import torch

from lecture_lib.plotting.style import ORANGE, PROPOSAL
from lecture_lib.structures import Proposals
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
