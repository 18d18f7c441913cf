"""Hidden cases of the eighth notebook's exercises."""

import torch
from torch import Generator, Tensor

from grading.hidden.draws import levels, one_of, whole

FAR = 1e-3  # from a border between two levels, so that rounding does not decide


def _bilinear(g: Generator) -> list:
    def point(kind: str, steps: int, rows: int | None = None, columns: int | None = None) -> tuple:
        """A point in steps of a cell, on a map of whole numbers."""
        height, width = rows or whole(2, 6, g), columns or whole(2, 6, g)
        values = torch.randint(-9, 10, (height, width), generator=g).float()
        x, y = (whole(0, steps * (n - 1), g) / steps for n in (width, height))
        return kind, (values, x, y)

    def edge(kind: str, last: tuple[bool, bool]) -> tuple:
        _, (values, x, y) = point(kind, 8)
        height, width = values.shape
        return kind, (values, width - 1.0 if last[0] else x, height - 1.0 if last[1] else y)

    cases = [point("between four cells", 8) for _ in range(6)] + [point("on a cell", 1) for _ in range(3)]
    cases += [point("a long map", 8, *size) for size in ((2, 12), (12, 2), (3, 9))]
    cases += [edge("on the last column or row", last) for last in ((True, False), (False, True), (True, True))]
    cases += [point("a map of one row or column", 4, *size) for size in ((1, 5), (5, 1), (1, 1))]
    smooth = torch.rand(5, 7, generator=g)
    cases += [("between four cells", (smooth, whole(0, 599, g) / 100, whole(0, 399, g) / 100)) for _ in range(4)]
    return [*cases, ("double precision", (smooth.double(), 2.3, 1.7))]


def _pyramid_level(g: Generator) -> list:
    def placed(sizes: Tensor) -> Tensor:
        corner = torch.randint(0, 200, sizes.shape, generator=g) / 2
        return torch.cat([corner, corner + sizes], dim=1)

    def some(count: int, side: float) -> Tensor:
        """Widths and heights of all orders, none near a border between levels."""
        sizes = (side * 2.0 ** (6 * torch.rand(4 * count, 2, generator=g) - 3)).round()
        rank = (sizes.prod(dim=1).sqrt() / side).log2()
        return sizes[(rank - rank.round()).abs() > FAR][:count]

    exact = 2.0 ** torch.arange(-2, 4)[:, None].expand(6, 2)
    long = exact * torch.tensor([4.0, 0.25])
    cases = []
    for side in (32.0, 56.0, 64.0, 112.0):
        count = whole(2, 5, g)
        cases.append(("boxes of all sizes", (placed(some(10, side)), side, count)))
        cases.append(("squares exactly at a border", (placed(side * exact), side, count)))
        cases.append(("long boxes", (placed(side * long), side, count)))
        cases.append(("just below a border", (placed(side * exact - 0.5), side, count)))
        cases.append(("long boxes", (placed(side * long.flip(1) + torch.tensor([0.0, 0.5])), side, count)))
    flat = torch.tensor([[0.0, 30.0], [0.0, 0.0], [500.0, 0.0], [90.0, 90.0]])
    cases += [
        ("boxes without area", (placed(flat[torch.randperm(4, generator=g)]), 64.0, 4)),
        ("a single level", (placed(some(5, 64.0)), 64.0, 1)),
        ("very small and very large boxes", (placed(torch.tensor([[0.5, 0.5], [9000.0, 5000.0]])), 100.0, 6)),
        ("double precision", (placed(some(5, 64.0)).double(), 64.0, 3)),
        ("no box at all", (placed(torch.zeros(0, 2)), 64.0, 3)),
    ]
    return cases


def _mask_loss(g: Generator) -> list:
    def case(kind: str, regions: int, classes: int, size: int, scale: float = 2.0) -> tuple:
        logits = scale * torch.randn(regions, classes, size, size, generator=g)
        labels = torch.randint(1, classes + 1, (regions,), generator=g)
        return kind, (logits, labels, levels((regions, size, size), g, steps=1))

    cases = [case("one region", 1, one_of((2, 3, 5), g), whole(2, 5, g)) for _ in range(4)]
    cases += [case("several regions", whole(2, 6, g), whole(2, 6, g), whole(2, 6, g)) for _ in range(5)]
    cases += [case("as many regions as classes", 4, 4, 3), case("a single class", 3, 1, 4)]
    cases += [case("masks of one pixel", 3, 3, 1), case("masks as large as the head's", 2, 3, 28)]
    cases += [case("very sure logits", 2, 3, 4, scale=150.0) for _ in range(3)]
    _, (logits, labels, goals) = case("", 3, 3, 4)
    cases += [("goals of one kind", (logits, labels, torch.full_like(goals, kind))) for kind in (0.0, 1.0)]
    cases += [("the first and the last class", (logits, torch.tensor([1, 3, 1]), goals))]
    return [*cases, ("no region at all", (logits[:0], labels[:0], goals[:0]))]


HIDDEN = {"bilinear": _bilinear, "pyramid_level": _pyramid_level, "mask_loss": _mask_loss}
