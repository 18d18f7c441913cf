import math

import pytest
import torch

from lecture_lib.proposals import describe_regions, merge, neighbour_pairs, region_boxes, similarities
from lecture_lib.proposals.filters import gaussian_derivatives
from lecture_lib.proposals.similarity import COLOR_BINS, TEXTURE_BINS, PixelBins, Region, Similarities, used_parts

LABELS = torch.tensor([[0, 0, 1, 1], [0, 2, 2, 1], [3, 3, 3, 1]])


@pytest.fixture
def image(generator):
    return torch.rand(3, *LABELS.shape, generator=generator)


def test_one_pixel():
    one = torch.zeros(1, 1, dtype=torch.int32)
    table = describe_regions(one, PixelBins.of(torch.rand(3, 1, 1)))
    assert len(table) == 1
    assert table[0].box == (0, 0, 1, 1)
    assert neighbour_pairs(one).shape == (0, 2)


def test_size_box_and_color_of_every_region_equal_a_loop(image):
    table = describe_regions(LABELS, PixelBins.of(image))
    assert table.boxes.tolist() == [[0, 0, 2, 2], [2, 0, 4, 3], [1, 1, 3, 2], [0, 2, 3, 3]]
    assert table.boxes.tolist() == region_boxes(LABELS).tolist()
    for label in range(4):
        region, pixels = table[label], image[:, label == LABELS]
        counts = [torch.histc(channel, COLOR_BINS, 0, 1) for channel in pixels]
        assert region.size == pixels.shape[1]
        torch.testing.assert_close(region.color, torch.cat(counts).double() / (3 * region.size))


def test_texture_of_every_region_equals_a_loop(image):
    table = describe_regions(LABELS, PixelBins.of(image))
    along_x, along_y = gaussian_derivatives(image, 1.0).tolist()
    for label in range(4):
        counts = torch.zeros(3, 8, TEXTURE_BINS, dtype=torch.double)
        for y, x in (label == LABELS).nonzero().tolist():
            for channel in range(3):
                for turn in range(8):
                    angle = turn * math.pi / 4
                    slope = math.cos(angle) * along_x[channel][y][x] + math.sin(angle) * along_y[channel][y][x]
                    counts[channel, turn, min(max(int(slope / 0.2 * 10), 0), 9)] += 1
        torch.testing.assert_close(table[label].texture, counts.flatten() / counts.sum())


def test_neighbours_share_a_side_and_not_only_a_corner():
    assert neighbour_pairs(LABELS).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert neighbour_pairs(torch.tensor([[0, 1], [2, 3]])).tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]


def test_the_four_similarities_by_hand():
    a = Region(4, (0, 0, 2, 2), torch.tensor([0.5, 0.5, 0.0]), torch.tensor([1.0, 0.0]))
    b = Region(6, (3, 0, 5, 3), torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.4, 0.6]))
    found = similarities(a, b, 100)  # the joint box is 5 x 3
    assert found == pytest.approx((0.5, 0.4, 1 - 10 / 100, 1 - (15 - 10) / 100))
    assert found.total("CTSF") == pytest.approx(2.75)
    assert found.total("F") == pytest.approx(0.95)
    assert similarities(b, a, 100) == found


def test_merged_histograms_are_those_of_the_union(image):
    bins = PixelBins.of(image)
    table = describe_regions(LABELS, bins)
    union = merge(table[1], table[2])
    direct = describe_regions(torch.tensor([0, 1, 1, 2])[LABELS], bins)[1]
    assert (union.size, union.box) == (direct.size, direct.box)
    torch.testing.assert_close(union.color, direct.color)
    torch.testing.assert_close(union.texture, direct.texture)


@pytest.mark.parametrize("measure", ["", "CC", "ctsf", "CX"])
def test_unknown_measure(measure):
    with pytest.raises(ValueError, match="letters C, T, S, F"):
        Similarities(0.0, 0.0, 0.0, 0.0).total(measure)


def test_order_of_letters_does_not_matter():
    assert used_parts("FS") == used_parts("SF") == (False, False, True, True)


@pytest.mark.parametrize("labels", [[[0, 2]], [[-1, 0]], [[]]])
def test_no_label_map(labels):
    with pytest.raises(ValueError, match=r"0\.\.R-1"):
        region_boxes(torch.tensor(labels, dtype=torch.int32))
