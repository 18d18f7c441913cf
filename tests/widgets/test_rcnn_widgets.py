"""The warping widget: what it sends, and what Python answers after a move."""

import pytest
import torch

from lecture_lib.detectors import load
from lecture_lib.pooling import WarpRegions, warp_regions
from lecture_lib.structures import Proposals
from lecture_lib.widgets.frame import pack
from lecture_lib.widgets.warping import scores_of, warping_explorer

SIZE = (60, 80)
POOL = WarpRegions(16, 1.6)


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[10.0, 10, 30, 30], [0, 20, 60, 40], [11, 10, 31, 30]]), None, SIZE)


def red_and_green(square):
    return square[0, :2].mean((1, 2))


def test_without_a_proposal_the_region_is_the_picture(image):
    widget = warping_explorer(image, Proposals.empty(SIZE), POOL)
    assert widget.values == {"region": [0, 0, 80, 60], "number": 0, "context": 2}
    widget.html()


def test_it_starts_at_a_proposal_and_its_pool(image, proposals):
    widget = warping_explorer(image, proposals, POOL, number=99)
    assert widget.values == {"region": [11, 10, 31, 30], "number": 2, "context": 2}
    assert widget.state()["inputs"]["side"] == 16


def test_python_answers_with_the_scores_of_the_square_after_each_move(image, proposals):
    widget = warping_explorer(image, proposals, POOL, 0, red_and_green, ("red", "green"))
    assert widget.answer is None
    widget.values = {"region": [0, 20, 60, 40], "number": 0, "context": 4}
    square = warp_regions(image, torch.tensor([[0.0, 20, 60, 40]]), 16, 4.0)
    assert widget.answer == {"scores": pack(red_and_green(square)), "of": [0, 20, 60, 40, 4]}


def test_the_scores_are_those_of_the_detector_s_own_region():
    detector = load("rcnn")
    image = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0))
    proposals = Proposals(torch.tensor([[10.0, 10, 30, 30]]), None, SIZE)
    with torch.no_grad():
        wanted = detector.predict(detector.embed(detector.pool(detector.encode(image), proposals))).scores[0]
        square = warp_regions(image, proposals.boxes, detector.pool.size, detector.pool.context, detector.pool.fill)
        torch.testing.assert_close(scores_of(detector)(square), wanted)
    assert len(wanted) == len(detector.classes)


def test_what_does_not_belong_together_is_refused(as_user, image, proposals):
    with pytest.raises(ValueError, match="40 x 30 pixels, but the proposals"):
        warping_explorer(image[:, :30, :40], proposals, POOL)
    with pytest.raises(ValueError, match="classes: 2 names are needed"):
        warping_explorer(image, proposals, POOL, 0, red_and_green, ("red",))
