"""Hidden cases of the second notebook's exercises."""

import torch
from torch import Generator, Tensor

from grading.hidden.draws import whole


def _window_count(g: Generator) -> list:
    def case(kind: str, more: tuple[int, int], stride: int) -> tuple:
        window = whole(5, 12, g), whole(13, 20, g)
        return kind, (tuple(side + extra for side, extra in zip(window, more, strict=True)), window, stride)

    return [
        *(case("steps that fit exactly", (n * whole(2, 5, g), n * whole(6, 9, g)), n) for n in (2, 3, 5)),
        *(case("a last step that does not fit", (n * whole(2, 5, g) + 1, n * whole(6, 9, g) - 1), n) for n in (3, 7)),
        *(case("a stride of 1", (whole(1, 5, g), whole(6, 12, g)), 1) for _ in range(2)),
        case("a window as large as the picture", (0, 0), whole(1, 4, g)),
        case("a window as high as the picture", (0, whole(4, 9, g)), 2),
        case("a window as wide as the picture", (whole(4, 9, g), 0), 2),
        case("a stride larger than the picture", (whole(4, 9, g), whole(4, 9, g)), 50),
        case("a window that is too high", (-whole(1, 4, g), whole(8, 20, g)), 3),
        case("a window that is too wide", (whole(8, 20, g), -whole(4, 9, g)), 3),
        case("a window that is too large", (-4, -whole(4, 9, g)), 2),
        case("a window that is too large", (-4, -whole(4, 9, g)), 1),
        *(case("a window one pixel too large", (extra, -1), 4) for extra in (-1, 0, 9)),
        ("a picture of one pixel", ((1, 1), (1, 1), whole(1, 3, g))),
    ]


def _histogram(bins: int, g: Generator) -> Tensor:
    """A random histogram of sum 1, about a third of whose bins hold nothing."""
    counts = torch.rand(bins, generator=g) * (torch.rand(bins, generator=g) >= 0.3)
    counts[whole(0, bins - 1, g)] += 0.5
    return counts / counts.sum()


def _pairs(g: Generator) -> list[tuple[str, tuple[Tensor, Tensor]]]:
    def pair(bins: int) -> tuple[Tensor, Tensor]:
        return _histogram(bins, g), _histogram(bins, g)

    a, b = pair(6)
    apart = torch.cat([a, 0 * a]), torch.cat([0 * b, b])
    half = torch.cat([a / 2, a / 2, 0 * a]), torch.cat([0 * a, a / 2, a / 2])
    return [
        *(("some bins in common", pair(bins)) for bins in (2, 5, 9, 25)),
        ("many bins", pair(75)),
        ("equal histograms", (a, a.clone())),
        ("the same bins in another order", (a, a.flip(0))),
        ("no bin in common", apart),
        ("one half in common", half),
        ("a single bin", (torch.ones(1), torch.ones(1))),
        ("double precision", (_histogram(6, g).double(), _histogram(6, g).double())),
    ]


def _merged_histogram(g: Generator) -> list:
    sizes = ((40, 40), (300, 100), (1, 999), (50_000, 7), (whole(2, 90, g), whole(91, 400, g)))
    kinds = ("equal sizes", "a large region and a small one", *("sizes far apart",) * 2, "any sizes")
    cases = [(kind, (_histogram(9, g), m, _histogram(9, g), n)) for kind, (m, n) in zip(kinds, sizes, strict=True)]
    return cases + [(kind, (a, whole(2, 90, g), b, whole(91, 400, g))) for kind, (a, b) in _pairs(g)]


HIDDEN = {"window_count": _window_count, "histogram_intersection": _pairs, "merged_histogram": _merged_histogram}
