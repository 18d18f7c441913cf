import pytest
import torch

from lecture_lib.plotting.faster_rcnn import rows_at
from lecture_lib.proposals import Anchors, anchor_grid
from lecture_lib.structures import FeatureMap
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

ANCHORS = Anchors((8, 16, 32), (0.5, 1.0), stride=4)
MAP = FeatureMap(torch.zeros(1, 5, 7), (4.5, 4.0), (20, 28))
CHOOSE = """([point, stride, map, count]) => {
    const cell = script.cellAt(point, stride, map);
    return [cell, script.firstRow(cell, map, count)];
}"""


def chosen(evaluate, point):
    return evaluate(CHOOSE, [point, list(MAP.stride), [5, 7], len(ANCHORS)])


def check_nearest(evaluate):
    boxes = anchor_grid(MAP, ANCHORS)
    centers = (boxes[:, :2] + boxes[:, 2:])[:: len(ANCHORS)] / 2
    for point in torch.cartesian_prod(torch.arange(-3, 34, 2.5), torch.arange(-3, 26, 2.25)):
        (x, y), first = chosen(evaluate, point.tolist())
        assert first == rows_at(MAP, ANCHORS, (x, y)).start
        distances = (centers - point).norm(dim=1)
        assert distances[first // len(ANCHORS)] <= distances.min() + 1e-4


def test_the_cell_nearest_to_a_point_has_its_anchors_about_it(javascript):
    check_nearest(javascript("anchors"))


def test_another_order_of_the_cells_would_be_seen(javascript):
    with pytest.raises(AssertionError):
        check_nearest(javascript("anchors", ("(y * columns + x) * count", "(x * columns + y) * count")))
