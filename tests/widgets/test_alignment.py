import pytest
import torch

from lecture_lib.structures import FeatureMap
from lecture_lib.widgets.alignment import alignment_explorer, surroundings

SIZE = (60, 80)
BOX = torch.tensor([10.0, 12, 42, 44])


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(3, 8, 11, generator=torch.Generator().manual_seed(0)), (8.0, 8.0), SIZE)


def test_it_starts_with_the_box_where_it_is(image, feature_map):
    widget = alignment_explorer(image, feature_map, BOX, channel=1, grid=(2, 3))
    state = widget.state()
    assert widget.values == {"right": 0.0, "down": 0.0}
    assert state["inputs"]["reach"] == 12
    assert state["inputs"]["grid"] == [2, 3]
    assert state["arrays"]["channel"]["shape"] == [8, 11]
    widget.html()


def test_the_picture_is_cut_around_the_box_and_ends_with_the_image(image):
    part, offset = surroundings(image, BOX, 5)
    assert offset == [5, 7]
    assert torch.equal(part, image[:, 7:50, 5:48])
    part, offset = surroundings(image, BOX, 100)
    assert offset == [0, 0]
    assert torch.equal(part, image)


def test_what_does_not_belong_together_is_refused(as_user, image, feature_map):
    with pytest.raises(ValueError, match="channels 0 to 2, not 7"):
        alignment_explorer(image, feature_map, BOX, channel=7)
    with pytest.raises(ValueError, match="40 x 30 pixels"):
        alignment_explorer(torch.zeros(3, 30, 40), feature_map, BOX)
    with pytest.raises(ValueError, match="x2 < x1"):
        alignment_explorer(image, feature_map, BOX.flip(0))
