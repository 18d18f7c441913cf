import re

import pytest
import torch

from lecture_lib.plotting.style import BLUE, INK
from lecture_lib.pooling import bins, covered_windows
from lecture_lib.structures import FeatureMap, Proposals
from lecture_lib.widgets.pyramid import ENLARGED, caption, map_uri, pyramid_explorer, render_pyramid

SIZE = (60, 80)


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(3, 8, 11, generator=torch.Generator().manual_seed(0)), (8.0, 8.0), SIZE)


@pytest.fixture
def proposals():
    """The first covers 4 x 4 centres, the second 5 x 2."""
    return Proposals(torch.tensor([[4.0, 4, 36, 36], [20, 30, 60, 46]]), None, SIZE)


def captions(html: str) -> list[str]:
    return re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html)


def rects(html: str, color: str) -> list[tuple[float, ...]]:
    """Corners of the unfilled boxes in a colour."""
    pattern = r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="none" stroke="' + color + '"'
    numbers = [tuple(map(float, found)) for found in re.findall(pattern, html)]
    return [(x, y, x + w, y + h) for x, y, w, h in numbers]


def test_no_proposal_is_told(image, feature_map):
    html = render_pyramid(("data:", "data:"), feature_map, Proposals.empty(SIZE), 3)
    assert captions(html) == ["there is no proposal"]
    assert "<rect" not in html
    assert "there is no proposal" in pyramid_explorer(image, feature_map, Proposals.empty(SIZE)).canvas.value


def test_bins_are_those_of_the_pooling_on_the_map_and_around_their_centres_on_the_picture(feature_map, proposals):
    html = render_pyramid(("data:", "data:"), feature_map, proposals[:1], 2)
    drawn = rects(html, BLUE)
    cells = bins(covered_windows(proposals.boxes[:1], (8.0, 8.0), (8, 11)), 2, 2)[0].flatten(0, 1)
    assert drawn[4:] == [tuple(map(float, row)) for row in cells.tolist()]
    assert drawn[0] == (4, 4, 20, 20)  # cells 1 and 2 are centred on the pixels 8 and 16
    assert rects(html, INK) == [(4, 4, 36, 36)]
    assert captions(html) == ["box: 32 × 32 pixels", "window: 4 × 4 cells → 2 × 2 = 4 bins"]


def test_cells_that_bins_share_are_counted(feature_map, proposals):
    _, right = captions(render_pyramid(("data:", "data:"), feature_map, proposals[:1], 3))
    # 4 cells in 3 bins: 2 + 2 + 2 a side, so 36 cells are pooled, but 16 there are
    assert right == "window: 4 × 4 cells → 3 × 3 = 9 bins, which pool 20 cells more than there are"
    assert caption(torch.tensor([[0.0, 0, 5, 2]]), 1) == "window: 5 × 2 cells → 1 × 1 = 1 bin"


def test_the_explorer_follows_its_sliders(image, feature_map, proposals):
    explorer = pyramid_explorer(image, feature_map, proposals, number=99, level=1)
    number, level = explorer.children[:2]
    assert (number.value, number.max, level.value) == (1, 1, 1)
    assert "window: 5 × 2 cells → 1 × 1" in explorer.canvas.value
    level.value = 4
    assert "window: 5 × 2 cells → 4 × 4 = 16 bins" in explorer.canvas.value
    number.value = 0
    assert "window: 4 × 4 cells → 4 × 4 = 16 bins" in explorer.canvas.value


def test_a_cell_of_the_map_is_a_square_of_pixels(feature_map):
    import base64
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(map_uri(feature_map).partition(",")[2])))
    assert picture.size == (11 * ENLARGED, 8 * ENLARGED)
