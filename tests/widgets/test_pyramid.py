import pytest
import torch

from lecture_lib.structures import FeatureMap, Proposals
from lecture_lib.widgets.pyramid import ENLARGED, enlarged, one_channel, pyramid_explorer

SIZE = (60, 80)


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(3, 8, 11, generator=torch.Generator().manual_seed(0)), (8.0, 8.0), SIZE)


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[4.0, 4, 36, 36], [20.4, 30, 60.6, 46]]), None, SIZE)


def test_without_proposals_it_starts_in_the_middle(image, feature_map):
    widget = pyramid_explorer(image, feature_map, Proposals.empty(SIZE))
    assert widget.values["box"] == [20, 15, 60, 45]
    widget.html()


def test_it_starts_with_the_proposal_in_whole_pixels(image, feature_map, proposals):
    values = pyramid_explorer(image, feature_map, proposals, number=1, level=4).values
    assert values == {"box": [20, 30, 61, 46], "rule": "covered", "pooling": "grid", "level": 4, "number": 2}
    assert pyramid_explorer(image, feature_map, proposals, number=99).values["number"] == 2
    pyramid_explorer(image, feature_map, proposals).html()


def test_a_region_is_never_empty_and_never_leaves_the_picture(image, feature_map):
    thin = Proposals(torch.tensor([[80.0, 12.2, 80, 12.3], [-5, -5, 3, 90]]), None, SIZE)
    assert pyramid_explorer(image, feature_map, thin).values["box"] == [79, 12, 80, 13]
    assert pyramid_explorer(image, feature_map, thin, number=1).values["box"] == [0, 0, 3, 60]


def test_the_channel_is_the_one_that_varies_most_or_the_one_asked_for(image, feature_map, proposals):
    feature_map.tensor[1] *= 3
    one, channel = one_channel(feature_map, None)
    assert channel == 1
    assert torch.equal(one.tensor, feature_map.tensor[1:2])
    widget = pyramid_explorer(image, feature_map, proposals, channel=2)
    assert widget.state()["inputs"]["channel"] == 2
    assert widget.state()["arrays"]["channel"]["shape"] == [8, 11]


def test_what_does_not_belong_together_is_refused(as_user, image, feature_map, proposals):
    with pytest.raises(ValueError, match="channels 0 to 2, not 3"):
        pyramid_explorer(image, feature_map, proposals, channel=3)
    with pytest.raises(ValueError, match="40 x 30 pixels, but the proposals are of one with 80 x 60"):
        pyramid_explorer(torch.zeros(3, 30, 40), feature_map, proposals)


def test_a_cell_of_the_map_is_a_square_of_pixels(feature_map):
    picture = enlarged(feature_map)
    assert picture.shape == (3, 8 * ENLARGED, 11 * ENLARGED)
    mean = feature_map.tensor.mean(0)
    grey = (mean - mean.min()) / (mean.max() - mean.min())
    assert torch.allclose(picture[0, ENLARGED // 2 :: ENLARGED, ENLARGED // 2 :: ENLARGED], grey)
