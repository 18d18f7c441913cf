import numpy as np
import pytest
import skimage.data
import skimage.segmentation
import torch

from lecture_lib.proposals import felzenszwalb
from lecture_lib.proposals.felzenszwalb import pixel_graph
from lecture_lib.proposals.kernels import sorted_edges


def partition_by_loop(image, k, min_size):
    """Algorithm 1 straight from the paper, with sets of pixels; labels in scan order."""
    _, height, width = image.shape
    edges = []
    for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        for y in range(height):
            for x in range(width):
                if 0 <= y + down < height and x + right < width:
                    weight = (image[:, y, x] - image[:, y + down, x + right]).square().sum().sqrt().item()
                    edges.append((weight, y * width + x, (y + down) * width + x + right))
    edges.sort(key=lambda edge: edge[0])  # stable: equal weights keep their order
    region_of = {pixel: frozenset([pixel]) for pixel in range(height * width)}
    inner = dict.fromkeys(region_of.values(), 0.0)

    def join(a, b, weight):
        inner[a | b] = weight
        region_of.update(dict.fromkeys(a | b, a | b))

    for weight, p, q in edges:
        a, b = region_of[p], region_of[q]
        if a != b and weight < min(inner[a] + k / 255 / len(a), inner[b] + k / 255 / len(b)):
            join(a, b, weight)
    for weight, p, q in edges:
        a, b = region_of[p], region_of[q]
        if a != b and min(len(a), len(b)) < min_size:
            join(a, b, weight)
    numbers = {}
    labels = [numbers.setdefault(region_of[pixel], len(numbers)) for pixel in range(height * width)]
    return torch.tensor(labels, dtype=torch.int32).view(height, width)


@pytest.mark.parametrize("shape", [(3, 0, 4), (1, 0, 0)])
def test_no_pixels(shape):
    with pytest.raises(ValueError, match="h, w >= 1"):
        felzenszwalb(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 1, 7), (3, 6, 9)])
@pytest.mark.parametrize("levels", [3, 256])  # three grey levels: nearly all weights are ties
@pytest.mark.parametrize(("k", "min_size"), [(1.0, 1), (60.0, 1), (60.0, 5), (400.0, 3)])
def test_equals_the_loop(shape, levels, k, min_size, generator):
    image = torch.randint(0, levels, shape, generator=generator) / levels
    found = felzenszwalb(image, k, sigma=0.0, min_size=min_size)
    assert torch.equal(found, partition_by_loop(image, k, min_size))


@pytest.mark.parametrize(("k", "sigma", "min_size"), [(100.0, 0.8, 20), (300.0, 1.5, 50)])
def test_same_regions_as_scikit_image_on_a_photograph(k, sigma, min_size):
    pixels = skimage.data.astronaut()[::2, ::2] / 255.0
    expected = skimage.segmentation.felzenszwalb(pixels, k, sigma, min_size)
    found = felzenszwalb(torch.from_numpy(pixels).permute(2, 0, 1).float(), k, sigma, min_size).numpy()
    pairs, counts = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1, return_counts=True)
    biggest = [counts[pairs[0] == region].max() for region in range(found.max() + 1)]
    assert found.max() == expected.max()
    assert sum(biggest) / found.size > 0.999  # float32 against float64: a nearly equal pair of edges may change places


def test_flat_image_is_one_region():
    assert felzenszwalb(torch.full((3, 8, 9), 0.3)).unique().tolist() == [0]


def test_larger_k_gives_fewer_regions_and_labels_count_up_in_scan_order(generator):
    image = torch.rand(3, 40, 50, generator=generator)
    counts = []
    for k in (20.0, 100.0, 500.0):
        labels = felzenszwalb(image, k)
        first_seen = list(dict.fromkeys(labels.flatten().tolist()))
        assert first_seen == sorted(first_seen)
        assert torch.bincount(labels.flatten()).min() >= 20
        counts.append(len(first_seen))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_edges_are_sorted_and_stable(generator):
    weights = (torch.randint(0, 50, (5000,), generator=generator) / 50).float().numpy()
    weights[:10] = [0.0, 1e-30, 1.7, 1e-8, 0.5, 1.0, 3e38, 1e-45, 0.1, 0.0]
    first, second = np.arange(5000, dtype=np.int32), np.arange(5000, dtype=np.int32)[::-1].copy()
    given, order = weights.copy(), np.argsort(weights, kind="stable")
    for found, before in zip(sorted_edges(first, second, weights), (first, second, given), strict=True):
        assert found.tolist() == before[order].tolist()
    assert weights.tolist() == given.tolist()
    graph = pixel_graph(torch.rand(3, 5, 7, generator=generator))
    assert graph.weights.diff().min() >= 0
    assert len(graph.weights) == 5 * 6 + 4 * 7 + 2 * 4 * 6


@pytest.mark.parametrize("bad", [{"k": 0.0}, {"image": torch.full((3, 4, 4), float("nan"))}])
def test_bad_input(bad):
    with pytest.raises(ValueError, match="expected"):
        felzenszwalb(**{"image": torch.zeros(3, 4, 4), **bad})
