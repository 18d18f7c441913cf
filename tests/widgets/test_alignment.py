import re

import pytest
import torch

from lecture_lib.plotting.style import BLUE, INK, ORANGE
from lecture_lib.pooling import align_points, roi_align, roi_pool
from lecture_lib.structures import FeatureMap
from lecture_lib.widgets.alignment import STEP, alignment_explorer, render_alignment

SIZE = (60, 80)
BOX = torch.tensor([10.0, 12, 42, 44])


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(3, 8, 11, generator=torch.Generator().manual_seed(0)), (8.0, 8.0), SIZE)


def captions(html: str) -> list[str]:
    return re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html)


def test_both_methods_are_side_by_side(feature_map):
    html = render_alignment("data:", feature_map, BOX, (0.0, 0.0), grid=(2, 3))
    left, right = captions(html)
    assert left.startswith("RoIPool: ")
    assert right.startswith("RoIAlign: 0.0 pixels beside its parts")
    assert len(re.findall(rf'stroke="{ORANGE}"', html)) == 2 * 3
    assert len(re.findall(r"<circle", html)) == 2 * 3 * 4
    assert len(re.findall(r'fill="rgb\(', html)) == 2 * 2 * 3


def test_points_are_roialigns_in_pixels_and_the_box_is_where_it_was_moved_to(feature_map):
    html = render_alignment("data:", feature_map, BOX, (3.5, -2.25), grid=(1, 2))
    moved = BOX + torch.tensor([3.5, -2.25, 3.5, -2.25])
    points = align_points(moved[None], (8.0, 8.0), (1, 2)) * 8
    drawn = [tuple(map(float, p)) for p in re.findall(rf'cx="([\d.]+)" cy="([\d.]+)" r="1.6" fill="{BLUE}"', html)]
    assert drawn == [tuple(p) for p in points.flatten(0, 3).double().round(decimals=2).tolist()]
    found = re.findall(rf'<rect x="([\d.]+)" y="([\d.]+)" width="32.0" height="32.0" fill="none" stroke="{INK}"', html)
    assert [tuple(map(float, p)) for p in found] == [pytest.approx((13.5, 9.75), abs=0.06)] * 2


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, 0.5), (2.25, 0.5), (-4.75, 3.0)])
def test_the_text_tells_the_largest_change_of_the_last_quarter_pixel(feature_map, shift):
    html = render_alignment("data:", feature_map, BOX, shift, channel=1, grid=(3, 3))
    for said, pool in zip(captions(html), (roi_pool, roi_align), strict=True):
        boxes = torch.stack([BOX + torch.tensor([x, shift[1]] * 2) for x in (shift[0] - STEP, shift[0])])
        before, now = pool(feature_map.tensor, boxes, (8.0, 8.0), (3, 3))[:, 1]
        assert said.endswith(f"changed by up to {float((now - before).abs().max()):.3f}")


def test_the_explorer_moves_the_box_and_roipool_jumps(image, feature_map):
    explorer = alignment_explorer(image, feature_map, BOX, grid=(3, 3))
    right, down = explorer.children[:2]
    assert (right.value, down.value, right.step, right.min, right.max) == (0, 0, STEP, -12, 12)
    changes = []
    for quarter in range(17):
        right.value = quarter * STEP
        changes.append([float(said.rpartition(" ")[2]) for said in captions(explorer.canvas.value)])
    pooled, aligned = zip(*changes, strict=True)
    assert 0 < sum(change > 0 for change in pooled) < 5
    assert all(change > 0 for change in aligned)
    assert max(pooled) > 2 * max(aligned)
    down.value = 5.0
    assert "RoIAlign: 0.0 pixels" in explorer.canvas.value
