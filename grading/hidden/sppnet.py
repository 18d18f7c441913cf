"""Hidden cases of the fourth notebook's exercises."""

import torch
from torch import Generator

from grading.hidden.draws import boxes, one_of, whole

LEVELS = ((6, 3, 2, 1), (4, 2, 1), (2, 3), (3, 3), (1, 4), (5,), (1,))


def _covered_windows(g: Generator) -> list:
    def on_centers(count: int) -> tuple:  # multiples of half a stride, sides of 1.5 strides and more
        stride = one_of((4.0, 8.0, 16.0, 32.0), g)
        return boxes(count, g, smallest=3) * stride, stride

    def between(count: int, stride: float) -> tuple:  # no corner is near a centre, where rounding would decide
        place = torch.randint(1, 10, (count, 4), generator=g) / 10
        return (boxes(count, g, smallest=4).floor() + place) * stride, stride

    cases = [("borders that go through centres", on_centers(n)) for n in (1, 2, 4, 6, 3)]
    cases += [("borders between centres", between(n, 16.0)) for n in (1, 3, 5)]
    cases += [("other strides", between(4, one_of((2.0, 4.0, 8.0, 32.0), g))) for _ in range(3)]
    cases += [("a stride with a fraction", between(4, one_of((10.5, 12.5, 13.25), g))) for _ in range(3)]
    wide, stride = on_centers(4)
    cases += [
        ("fractions of a pixel beside a centre", (wide.ceil() * 16 + torch.tensor([-0.25, -0.5, 0.25, 0.5]), 16.0)),
        ("wide and tall boxes", (wide * torch.tensor([9.0, 1, 9, 1]), stride)),
        ("wide and tall boxes", (wide * torch.tensor([1.0, 7, 1, 7]), stride)),
        ("double precision", (wide.double(), stride)),
        ("no box at all", (wide[:0], stride)),
    ]
    return cases


def _bins(g: Generator) -> list:
    def kind(cells: int, n: int) -> str:
        return "fewer cells than bins" if cells < n else "bins that share cells" if cells % n else "bins of equal size"

    cases = [(kind(cells, n), (cells, n)) for n in (1, 2, 3, 6, 7) for cells in range(1, 15)]
    return cases + [("many cells", (whole(15, 28, g), whole(2, 7, g))) for _ in range(3)]


def _spatial_pyramid(g: Generator) -> list:
    def case(kind: str, channels: int, height: int, width: int, levels: tuple[int, ...] | None = None) -> tuple:
        window = (8 * torch.randn(channels, height, width, generator=g)).round() / 4
        return kind, (window, levels or one_of(LEVELS, g))

    cases = [case("windows of any size", whole(1, 3, g), whole(1, 12, g), whole(1, 12, g)) for _ in range(4)]
    cases += [case("wide and tall windows", 2, *size) for size in ((3, 11), (12, 4), (1, 7), (9, 1))]
    cases += [case("windows with fewer cells than bins", 2, whole(1, 4, g), whole(1, 4, g), (6, 3, 2, 1))]
    cases += [case("a single cell", 3, 1, 1, (2, 1)), case("no finer level first", 2, 7, 5, (1, 2, 3))]
    cases += [case("one level", 2, 8, 8, (n,)) for n in (1, 3)]
    window, levels = case("", 3, 8, 7, (4, 2, 1))[1]
    cases += [
        ("values below 0", (window - 20, levels)),
        ("double precision", (window.double() + 1e-3, levels)),
        ("the paper's levels", (window, LEVELS[0])),
    ]
    return cases


HIDDEN = {"covered_windows": _covered_windows, "bins": _bins, "spatial_pyramid": _spatial_pyramid}
