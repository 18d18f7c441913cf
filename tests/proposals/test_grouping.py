import numpy as np
import pytest
import torch

from lecture_lib.proposals import (
    Strategy,
    boxes_after,
    convert_color,
    describe_regions,
    felzenszwalb,
    first_regions,
    hierarchical_grouping,
    labels_after,
    neighbour_pairs,
    region_boxes,
)
from lecture_lib.proposals.grouping import fast_grouping
from lecture_lib.proposals.similarity import PixelBins


def checkerboard(size, side):
    """Black and white squares: every similarity is a tie with many others."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((x // side + y // side) % 2).float().expand(3, size, size)


def blobs(generator):
    """A few patches of random colours with noise, enlarged: some 20 regions."""
    patches = torch.rand(1, 3, 6, 8, generator=generator)
    image = torch.nn.functional.interpolate(patches, scale_factor=8)[0]
    return (image + 0.05 * torch.randn(3, 48, 64, generator=generator)).clamp(0, 1)


def group_fast(image, strategy):
    labels = first_regions(image, strategy)
    table = describe_regions(labels, PixelBins.of(convert_color(image, strategy.color_space)))
    return fast_grouping(table, neighbour_pairs(labels), strategy.measure)


@pytest.mark.parametrize("size", [(1, 1), (5, 7)])
def test_one_region_has_nothing_to_merge(size):
    flat = torch.full((3, *size), 0.4)
    assert list(hierarchical_grouping(flat)) == []
    assert boxes_after(first_regions(flat), []).tolist() == [[0, 0, size[1], size[0]]]
    assert group_fast(flat, Strategy())[0].tolist() == [[0, 0, size[1], size[0]]]


@pytest.mark.parametrize("measure", ["CTSF", "TSF", "C", "F", "S"])
@pytest.mark.parametrize("space", ["hsv", "i"])
def test_stepping_equals_the_fast_path(measure, space, generator):
    image, strategy = blobs(generator), Strategy(space, 20, measure)
    steps = list(hierarchical_grouping(image, strategy))
    boxes, merges = group_fast(image, strategy)
    assert len(steps) > 10
    assert [step.merged for step in steps] == [tuple(pair) for pair in merges.tolist()]
    assert boxes_after(first_regions(image, strategy), steps).tolist() == boxes.tolist()


@pytest.mark.parametrize("measure", ["CTSF", "C", "S", "F"])
def test_ties_go_the_same_way_on_both_paths(measure):
    image, strategy = checkerboard(64, 8), Strategy("rgb", 1, measure, sigma=0.0)
    steps = list(hierarchical_grouping(image, strategy))
    assert len(steps) == 1  # black and white touch at corners, so 8-connected segmentation finds two regions
    labels = (torch.arange(64) // 8)[:, None] * 8 + torch.arange(64) // 8
    steps = list(hierarchical_grouping(image, strategy, labels))
    table = describe_regions(labels, PixelBins.of(image))
    boxes, merges = fast_grouping(table, neighbour_pairs(labels), measure)
    assert [step.merged for step in steps] == [tuple(pair) for pair in merges.tolist()]
    assert boxes_after(labels, steps).tolist() == boxes.tolist()


def test_every_step_merges_the_most_similar_neighbours(generator):
    """Each step recomputed from the label map alone: neighbours, histograms over pixels, similarities."""
    image, strategy = blobs(generator), Strategy("lab", 60, "CTSF")
    labels = first_regions(image, strategy)
    bins = PixelBins.of(convert_color(image, "lab"))
    steps = list(hierarchical_grouping(image, strategy))
    for done, step in enumerate(steps):
        now = labels_after(labels, steps[:done])
        names, compact = now.unique(return_inverse=True)
        table = describe_regions(compact, bins)
        totals = {}
        for a, b in neighbour_pairs(compact).tolist():
            corner = torch.minimum(table.boxes[a], table.boxes[b])[:2]
            wide, tall = (torch.maximum(table.boxes[a], table.boxes[b])[2:] - corner).tolist()
            sizes = int(table.sizes[a] + table.sizes[b])
            parts = (
                torch.minimum(table.color[a], table.color[b]).sum(),
                torch.minimum(table.texture[a], table.texture[b]).sum(),
                1 - sizes / now.numel(),
                1 - (wide * tall - sizes) / now.numel(),
            )
            totals[names[a].item(), names[b].item()] = float(sum(parts))
        assert totals[step.merged] == pytest.approx(max(totals.values()), abs=1e-8)
        assert step.similarity == pytest.approx(totals[step.merged], abs=1e-8)
        assert step.similarity == pytest.approx(sum(step.parts))


def test_records_follow_the_regions(generator):
    image = blobs(generator)
    labels = felzenszwalb(image, 20, min_size=10)
    first = int(labels.max()) + 1
    steps = list(hierarchical_grouping(image, Strategy(), labels))
    assert [step.region for step in steps] == list(range(first, 2 * first - 1))
    for done, step in enumerate(steps, start=1):
        now = labels_after(labels, steps[:done])
        rows, columns = np.nonzero(now.numpy() == step.region)
        assert len(rows) == step.size
        assert step.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert len(now.unique()) == first - done
    assert steps[-1].box == (0, 0, 64, 48)
    assert boxes_after(labels, steps[:3])[:first].tolist() == region_boxes(labels).tolist()
    assert boxes_after(labels, steps[:3])[first:].tolist() == [list(step.box) for step in steps[:3]]


def test_labels_of_another_image(as_user):
    with pytest.raises(ValueError, match="like the image"):
        next(hierarchical_grouping(torch.rand(3, 4, 5), labels=torch.zeros(5, 4, dtype=torch.int32)))


@pytest.mark.parametrize("bad", [{"color_space": "cmyk"}, {"measure": "CX"}, {"k": 0}, {"sigma": -1.0}])
def test_impossible_strategy(bad):
    with pytest.raises(ValueError, match=r"expected|must be"):
        Strategy(**bad)
