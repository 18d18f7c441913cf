"""Hierarchical grouping, the heart of Selective Search (IJCV'13, algorithm 1), one merge at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.proposals.color_spaces import COLOR_SPACES, convert_color
from lecture_lib.proposals.felzenszwalb import felzenszwalb
from lecture_lib.proposals.similarity import (
    PixelBins,
    RegionTable,
    Similarities,
    describe_regions,
    merge,
    neighbour_pairs,
    region_boxes,
    similarities,
    used_parts,
)


@dataclass(frozen=True)
class Strategy:
    """One way to look at an image; Selective Search pools the boxes of several (section 3.3).

    Raises `ValueError` for an unknown colour space or measure, a k that is not positive, a negative sigma.
    """

    color_space: str = "hsv"  # one of color_spaces.COLOR_SPACES
    k: float | int = 100.0  # of the segmentation: larger k, larger first regions
    measure: str = "CTSF"  # which similarities are summed: Colour, Texture, Size, Fill
    sigma: float = 0.8  # smoothing before the segmentation (section 3.1)

    def __post_init__(self) -> None:
        if self.color_space not in COLOR_SPACES:
            raise ValueError(f"color space: expected one of {', '.join(COLOR_SPACES)}, got {self.color_space!r}")
        if self.k <= 0 or self.sigma < 0:
            raise ValueError(f"strategy: k must be positive and sigma not negative, got k={self.k}, sigma={self.sigma}")
        used_parts(self.measure)

    @property
    def min_size(self) -> int:
        """Smallest first region in pixels: k, as in the authors' release (the paper does not say)."""
        return round(self.k)


@dataclass(frozen=True)
class MergeStep:
    """Regions `merged` became `region`, with its size in pixels, its box and why: their similarity and its parts.

    The first regions have the numbers 0..R-1 of the label map; merges make R, R+1, ..., 2R-2, the whole image.
    """

    merged: tuple[int, int]
    region: int
    size: int
    box: tuple[int, int, int, int]
    parts: Similarities
    similarity: float


def first_regions(image: Float[Tensor, "3 h w"], strategy: Strategy | None = None) -> Int[Tensor, "h w"]:
    """The label map that a strategy starts from: a segmentation in its colour space."""
    strategy = strategy or Strategy()
    converted = convert_color(image, strategy.color_space)
    return felzenszwalb(converted, strategy.k, strategy.sigma, strategy.min_size)


def hierarchical_grouping(
    image: Float[Tensor, "3 h w"], strategy: Strategy | None = None, labels: Int[Tensor, "h w"] | None = None
) -> Iterator[MergeStep]:
    """Merge the two most similar neighbours, again and again, until the whole image is one region.

    `labels` 0..R-1 is where to start from; without it, `first_regions(image, strategy)`. Equal similarities (to 1e-9)
    go by the smaller region numbers. `fast_grouping` is the same in one go. Raises `ValueError` for labels that are no
    label map of this image.
    """
    strategy = strategy or Strategy()
    labels = first_regions(image, strategy) if labels is None else labels
    if labels.shape != image.shape[1:]:
        raise ValueError(f"labels: expected [h, w] = {list(image.shape[1:])} like the image, got {list(labels.shape)}")
    table = describe_regions(labels, PixelBins.of(convert_color(image, strategy.color_space)))
    regions = {row: table[row] for row in range(len(table))}
    area = labels.numel()

    def compare(pair: tuple[int, int]) -> Similarities:
        return similarities(regions[pair[0]], regions[pair[1]], area)

    def key(pair: tuple[int, int]) -> tuple[int, int, int]:
        return -round(alive[pair].total(strategy.measure) * 1e9), *pair

    alive = {pair: compare(pair) for pair in map(tuple, neighbour_pairs(labels).tolist())}
    for new in range(len(table), 2 * len(table) - 1):
        a, b = min(alive, key=key)
        parts = alive[a, b]
        regions[new] = merge(regions[a], regions[b])
        touching = [pair for pair in alive if a in pair or b in pair]
        for pair in touching:
            del alive[pair]
        for other in {region for pair in touching for region in pair} - {a, b}:
            alive[other, new] = compare((other, new))
        yield MergeStep((a, b), new, regions[new].size, regions[new].box, parts, parts.total(strategy.measure))


def fast_grouping(
    table: RegionTable, pairs: Int[Tensor, "n 2"], measure: str
) -> tuple[Int[Tensor, "m 4"], Int[Tensor, "k 2"]]:
    """`hierarchical_grouping` compiled: the boxes of all 2R - 1 regions, row r for region r, and the pairs merged."""
    from lecture_lib.proposals.kernels import group_regions

    use = used_parts(measure)
    color = table.color if use[0] else table.color[:, :0]  # no bins, no work
    texture = table.texture if use[1] else table.texture[:, :0]
    arrays = [tensor.numpy() for tensor in (pairs, table.sizes, table.boxes, color, texture)]
    boxes, merges = group_regions(*arrays, use[2], use[3])
    return torch.from_numpy(boxes), torch.from_numpy(merges)


def labels_after(labels: Int[Tensor, "h w"], steps: Iterable[MergeStep]) -> Int[Tensor, "h w"]:
    """The label map after the first merges, for drawing: the pixels of a merged region carry its number."""
    number = list(range(int(labels.max()) + 1))  # where every first region is now
    for step in steps:
        number = [step.region if region in step.merged else region for region in number]
    return labels.new_tensor(number)[labels.long()]


def boxes_after(labels: Int[Tensor, "h w"], steps: Iterable[MergeStep]) -> Float[Tensor, "n 4"]:
    """The boxes found so far, row r for region r: those of the first regions, then one for every merge."""
    first = region_boxes(labels)
    return torch.cat([first, first.new_tensor([step.box for step in steps]).view(-1, 4)])
