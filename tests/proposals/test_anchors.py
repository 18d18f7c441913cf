"""lecture_lib.proposals.anchors: against torchvision's AnchorGenerator and a slow loop."""

import math

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator

from lecture_lib.encoders import ConvTrunk
from lecture_lib.proposals import Anchors, anchor_grid, inside
from lecture_lib.structures import FeatureMap

WHOLE_HALVES = Anchors(sides=(8, 20, 64), ratios=(0.25, 1.0, 4.0), stride=8)  # half widths and heights are whole


def map_of(rows: int, columns: int, stride: tuple[float, float] = (16.0, 16.0)) -> FeatureMap:
    size = (max(1, math.ceil(rows * stride[0])), max(1, math.ceil(columns * stride[1])))
    return FeatureMap(torch.zeros(1, rows, columns), stride, size)


def torchvisions(rows: int, columns: int, anchors: Anchors, stride: tuple[float, float]) -> torch.Tensor:
    """Its grid takes any strides, but its anchors are not scaled with the image."""
    generator = AnchorGenerator((anchors.sides,), (anchors.ratios,))
    return generator.grid_anchors([[rows, columns]], [[torch.tensor(step) for step in stride]])[0]


def test_no_cell_no_anchor_and_no_box_inside(device):
    empty = map_of(0, 5).to(device)
    assert anchor_grid(empty, Anchors()).shape == (0, 4)
    found = inside(torch.zeros(0, 4, device=device), (10, 10))
    assert (found.shape, found.dtype, found.device.type) == ((0,), torch.bool, device.type)


def test_the_papers_nine_anchors():
    """Three areas, three shapes of height / width: table 1 names them by their learned sizes, section 3.3 by these."""
    boxes, k = Anchors().about_origin(), len(Anchors())
    assert (k, boxes.shape) == (9, (9, 4))
    torch.testing.assert_close(boxes[:, :2], -boxes[:, 2:])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    torch.testing.assert_close(width * height, torch.tensor([128.0, 256, 512]).square().repeat(3), rtol=1e-5, atol=0)
    torch.testing.assert_close(height / width, torch.tensor([0.5, 1, 2]).repeat_interleave(3))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (7, 2)])
def test_equals_torchvision_where_nothing_is_rounded(rows, columns, device):
    found = anchor_grid(map_of(rows, columns, (8.0, 8.0)).to(device), WHOLE_HALVES)
    assert found.device.type == device.type
    torch.testing.assert_close(found.cpu(), torchvisions(rows, columns, WHOLE_HALVES, (8.0, 8.0)), rtol=0, atol=1e-4)


def test_equals_torchvision_within_its_rounding():
    anchors = Anchors(sides=(64, 96, 144))
    found = anchor_grid(map_of(4, 6), anchors)
    expected = torchvisions(4, 6, anchors, (16.0, 16.0))
    assert 0.1 < float((found - expected).abs().max()) <= 0.5 + 1e-4


def test_of_a_resized_image_are_torchvisions_in_the_original_pixels():
    """The image was made 1.6 times smaller in y and 2.5 times in x; on what the network sees all is as above."""
    resized, stride = torchvisions(3, 4, WHOLE_HALVES, (8.0, 8.0)), (8 * 1.6, 8 * 2.5)
    found = anchor_grid(map_of(3, 4, stride), WHOLE_HALVES)
    torch.testing.assert_close(found, resized * torch.tensor([2.5, 1.6, 2.5, 1.6]), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("stride", [(4.0, 4.0), (5.0, 3.5)])
def test_rows_are_cell_by_cell_and_then_ratio_by_ratio(stride):
    anchors = Anchors(sides=(10, 30), ratios=(0.5, 1.0, 3.0), stride=4)
    found, row = anchor_grid(map_of(3, 4, stride), anchors), 0
    for y in range(3):
        for x in range(4):
            for ratio in anchors.ratios:
                for side in anchors.sides:
                    half_width = side / math.sqrt(ratio) / 2 * stride[1] / 4
                    half_height = side * math.sqrt(ratio) / 2 * stride[0] / 4
                    box = [x * stride[1] - half_width, y * stride[0] - half_height]
                    box += [x * stride[1] + half_width, y * stride[0] + half_height]
                    assert found[row].tolist() == pytest.approx(box, abs=1e-4)
                    row += 1
    assert row == len(found) == 3 * 4 * len(anchors)


def test_centres_are_those_of_the_cells_of_a_resized_image(small_backbone):
    """Through an encoder that makes the image half as large: its stride, in pixels of the original, is what counts."""
    trunk = ConvTrunk(small_backbone(), (40,))
    feature_map = trunk.at_scale(torch.zeros(3, 80, 120), 40)
    boxes = anchor_grid(feature_map, Anchors((16,), (1.0,), stride=4)).reshape(*feature_map.tensor.shape[1:], 4)
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert centre[3, 7].tolist() == [7 * 8, 3 * 8]  # a cell is 4 resized pixels, 8 of the image
    assert (boxes[..., 2:] - boxes[..., :2])[0, 0].tolist() == [32, 32]


def test_inside_is_border_included(device):
    boxes = [[0, 0, 30, 20], [-0.1, 0, 9, 9], [0, -0.1, 9, 9], [0, 0, 30.1, 9], [0, 0, 9, 20.1], [25, 1, 29, 19]]
    found = inside(torch.tensor(boxes, dtype=torch.float32, device=device), (20, 30))
    assert found.tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("wrong", [{"sides": ()}, {"ratios": ()}, {"sides": (0,)}, {"ratios": (-1.0,)}, {"stride": 0}])
def test_impossible_anchors_are_a_clear_error(wrong):
    with pytest.raises(ValueError, match=r"Anchors: .*must be positive"):
        Anchors(**wrong)
