"""tests.benchmarks.speed.regions: the plain loop gives the same features, and the floor is the network's own work."""

import pytest
import torch

from lecture_lib.detectors import rcnn
from tests.benchmarks.speed.growth_points import random_boxes
from tests.benchmarks.speed.measure import Row
from tests.benchmarks.speed.regions import one_by_one, speeds, work_per_region
from tests.tiny import tiny_backbone


def test_the_plain_loop_gives_the_same_features() -> None:
    detector = rcnn(["a"], tiny_backbone())
    maps = detector.encode(torch.rand(3, 40, 60))
    regions = random_boxes(5, (40, 60))
    with torch.no_grad():
        torch.testing.assert_close(one_by_one(detector, maps, regions), detector.features(maps, regions).fc7)


def test_work_of_a_region_is_that_of_its_layers() -> None:
    image = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(0))
    convolution, fc6, fc7 = 2 * 2 * 2 * 3 * 4 * 4, 8 * 6, 6 * 5
    assert work_per_region(rcnn(["a"], tiny_backbone()), image) == convolution + fc6 + fc7


def test_speeds_are_regions_over_median_seconds() -> None:
    (line,) = speeds([Row("features", "", [4.0, 5.0, 50.0], "loop", [40.0, 20.0, 10.0])])
    assert line == "400 regions a second; loop: 100 a second"


@pytest.mark.parametrize("count", [0, 7])
def test_random_boxes_lie_in_the_image(count: int) -> None:
    boxes = random_boxes(count, (30, 20)).boxes
    assert boxes.shape == (count, 4)
    assert (boxes >= 0).all()
    assert (boxes <= torch.tensor([20.0, 30.0, 20.0, 30.0])).all()
