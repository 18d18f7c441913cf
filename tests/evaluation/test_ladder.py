"""lecture_lib.evaluation.ladder: equal numbers of regions, passes of the CNN, multiply-adds counted by slot."""

import pytest
import torch

from lecture_lib.detectors import ALL_SLOTS, LADDER, SLOTS, mask_rcnn
from lecture_lib.evaluation.ladder import cnn_passes, multiply_adds, with_regions
from lecture_lib.proposals import RegionProposalNetwork
from tests.tiny_pyramid import tiny_pyramid_backbone


@pytest.mark.parametrize("name", LADDER)
def test_no_more_regions_than_asked_for_and_they_are_the_first(small_ladder, image, name):
    detector = small_ladder(name)
    every = detector.trace(image).proposals
    few = with_regions(detector, 3).trace(image).proposals
    assert len(every) > 3
    assert torch.equal(few.boxes, every.boxes[:3])
    assert len(detector.trace(image).proposals) == len(every), "the detector itself stays as it was"


def test_weights_are_shared(small_ladder):
    detector = small_ladder("faster_rcnn")
    network = with_regions(detector, 5).propose
    assert isinstance(network, RegionProposalNetwork)
    assert network.window.weight is detector.propose.window.weight


def test_no_region_is_an_error(small_ladder):
    with pytest.raises(ValueError, match="at least one region"):
        with_regions(small_ladder("rcnn"), 0)


def test_passes(small_ladder):
    assert [cnn_passes(small_ladder(name), 300) for name in LADDER] == [300, 2, 1, 1]


def test_multiply_adds_by_hand(small_ladder, image):
    """conv1 3 -> 4 and conv2 4 -> 6, both 3x3 of stride 2, on 16 px; fc6 96 -> 12, fc7 12 -> 10; K = 2."""
    trunk = (3 * 9 * 4) * 8 * 8 + (4 * 9 * 6) * 4 * 4
    tail, head = 96 * 12 + 12 * 10, 10 * 2 + 96 * 8
    counted = multiply_adds(with_regions(small_ladder("rcnn"), 4), image)
    assert list(counted) == list(SLOTS)
    assert counted == dict.fromkeys(SLOTS, 0) | {"embed": 4 * (trunk + tail), "predict": 4 * head}


def test_where_the_cut_is_the_work_is(small_ladder, image):
    counted = {name: multiply_adds(with_regions(small_ladder(name), 4), image) for name in LADDER}
    assert counted["rcnn"]["encode"] == 0 < counted["sppnet"]["encode"]
    assert counted["fast_rcnn"]["encode"] == counted["faster_rcnn"]["encode"] > 0
    assert counted["fast_rcnn"]["propose"] == 0 < counted["faster_rcnn"]["propose"]
    assert counted["fast_rcnn"]["embed"] == 4 * (96 * 12 + 12 * 10)


def test_masks_are_counted_too(image):
    """Two 3x3 convolutions on 14x14 cells, then 2x2 each, of 8 -> 64 -> 64 -> 64 -> K = 2 channels, a detection."""
    detector = mask_rcnn(("a", "b"), tiny_pyramid_backbone(), torch.Generator().manual_seed(0), (96,))
    counted, found = multiply_adds(detector, image), len(detector.detect(image))
    assert list(counted) == list(ALL_SLOTS)
    assert counted["mask"] == found * (14 * 14 * (9 * 8 * 64 + 9 * 64 * 64) + 28 * 28 * (64 * 64 + 64 * 2)) > 0


def test_counting_leaves_nothing_behind(small_ladder, image):
    detector = small_ladder("fast_rcnn")
    multiply_adds(detector, image)
    assert all(not layer._forward_hooks for module in detector.modules().values() for layer in module.modules())
