"""Selective Search: class-independent object proposals from hierarchical grouping (Uijlings et al., IJCV 2013)."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.proposals.color_spaces import convert_color
from lecture_lib.proposals.felzenszwalb import cut_graph, pixel_graph
from lecture_lib.proposals.filters import gaussian
from lecture_lib.proposals.grouping import Strategy, fast_grouping
from lecture_lib.proposals.similarity import PixelBins, describe_regions, neighbour_pairs
from lecture_lib.structures import Maps, Proposals, check_image
from lecture_lib.threads import one_thread

ALGORITHM = 1  # raised whenever the same settings give other boxes: cached proposals are then out of date


@dataclass(frozen=True)
class SelectiveSearch:
    """Every combination of colour space, k and measure is one strategy; the boxes of all are pooled (section 3.3).

    Raises `ValueError` for no strategy at all and for fewer than one box.
    """

    color_spaces: tuple[str, ...] = ("hsv", "lab")  # "fast" of section 5.1.3, table 5
    ks: tuple[float | int, ...] = (50.0, 100.0)  # the same
    measures: tuple[str, ...] = ("CTSF", "TSF")  # the same
    sigma: float = 0.8  # smoothing before the segmentation (section 3.1)
    min_side: float | int = 20.0  # narrower or lower boxes are dropped (not in the paper; 20 in R-CNN's release)
    max_boxes: int | None = None  # keep the best only; None: all, about 2,000 on a VOC image
    seed: int = 0  # of the random numbers in the ranking (section 3.3)

    def __post_init__(self) -> None:
        if not self.strategies:
            raise ValueError("selective search: give at least one color space, one k and one measure")
        if self.max_boxes is not None and self.max_boxes < 1:
            raise ValueError(f"max_boxes: expected at least 1, or None for all boxes, got {self.max_boxes}")

    @classmethod
    def fast(cls) -> "SelectiveSearch":
        """8 strategies (table 5)."""
        return cls()

    @classmethod
    def quality(cls) -> "SelectiveSearch":
        """80 strategies (table 5)."""
        spaces, measures = ("hsv", "lab", "rgi", "h", "i"), ("CTSF", "TSF", "F", "S")
        return cls(color_spaces=spaces, ks=(50.0, 100.0, 150.0, 300.0), measures=measures)

    @classmethod
    def single(cls) -> "SelectiveSearch":
        """One strategy (table 5)."""
        return cls(color_spaces=("hsv",), ks=(100.0,), measures=("CTSF",))

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """All the combinations, colour space by colour space."""
        combinations = product(self.color_spaces, self.ks, self.measures)
        return tuple(Strategy(space, k, measure, self.sigma) for space, k, measure in combinations)


def selective_search(image: Float[Tensor, "3 h w"], settings: SelectiveSearch | None = None) -> Proposals:
    """Proposals for an RGB image in 0..1, best first, each box once; score = -rank (section 3.3).

    Raises `ValueError` for an image that is none. The same settings give the same proposals, threads or not.
    """
    check_image(image)
    settings = settings or SelectiveSearch()
    image = image.detach().cpu().float()
    by_space = [tuple(group) for _, group in groupby(settings.strategies, key=lambda strategy: strategy.color_space)]
    with one_thread(), ThreadPoolExecutor(max_workers=len(by_space)) as pool:
        searches = pool.map(lambda strategies: _hierarchies(image, strategies), by_space)
        boxes, ranks = rank_hierarchies([boxes for search in searches for boxes in search], settings.seed)
    height, width = image.shape[1:]
    least = torch.tensor([width, height]).clamp(max=settings.min_side)  # a small image keeps the box around all of it
    kept = (boxes[:, 2:] - boxes[:, :2] >= least).all(dim=1).nonzero().flatten()[: settings.max_boxes]
    return Proposals(boxes[kept], -ranks[kept], (height, width))


@dataclass(frozen=True)
class SearchImage:
    """The `propose` of the first three detectors: Selective Search on the pixels, on the CPU."""

    settings: SelectiveSearch = field(default_factory=SelectiveSearch.fast)

    def __call__(self, image: Float[Tensor, "3 h w"], maps: Maps) -> Proposals:
        """Search the image; the maps are not looked at. Raises `ValueError` for an image that is none."""
        return selective_search(image, self.settings).to(image.device)


def _hierarchies(image: Float[Tensor, "3 h w"], strategies: tuple[Strategy, ...]) -> list[Int[Tensor, "_ 4"]]:
    """The regions' boxes of every strategy of one colour space: they share its edges, bins and segmentations."""
    converted = convert_color(image, strategies[0].color_space)
    graph = pixel_graph(gaussian(converted, strategies[0].sigma))
    bins = PixelBins.of(converted)
    hierarchies = []
    for (k, min_size), group in groupby(strategies, key=lambda strategy: (strategy.k, strategy.min_size)):
        labels = cut_graph(graph, k, min_size)
        table, pairs = describe_regions(labels, bins), neighbour_pairs(labels)
        hierarchies += [fast_grouping(table, pairs, strategy.measure)[0] for strategy in group]
    return hierarchies


def rank_hierarchies(
    hierarchies: Iterable[Int[Tensor, "_ 4"]], seed: int = 0
) -> tuple[Float[Tensor, "r 4"], Float[Tensor, " r"]]:
    """Distinct boxes of several hierarchies by ascending rank  v = RND * i  (section 3.3).

    i = 1 is the last region of a hierarchy (the whole image), 2 the one before; RND is random in [0, 1), so that the
    large regions come early, but not all of them first. Of equal boxes the best rank stays.
    """
    generator = torch.Generator().manual_seed(seed)
    hierarchies = list(hierarchies)
    positions = torch.cat([torch.arange(len(boxes), 0, -1) for boxes in hierarchies])
    ranks = positions * torch.rand(len(positions), generator=generator, dtype=torch.float64)
    ranks, order = ranks.sort(stable=True)
    boxes = torch.cat(hierarchies)[order]
    _, group = torch.unique(boxes, dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(boxes)).scatter_reduce(0, group, torch.arange(len(boxes)), "amin")
    first = first.sort().values
    return boxes[first].float(), ranks[first].float()
