"""Hidden cases of the sixth notebook's exercises."""

import torch
from torch import Generator, Tensor

from grading.hidden.draws import boxes, levels, one_of, whole
from lecture_lib.boxes import BoxCoder, clip, iou

NONE, SIZE = "no anchor at all", (14, 20)  # a small image, height and width: many anchors cross its border


def _anchor_count(g: Generator) -> list:
    cases = [("the only cell", (1, 1, whole(1, 12, g), 0, 0, 0))]
    for kind, shape in [("some anchor", (3, 12))] * 8 + [("a long map", (1, 40))] * 4:
        rows, columns = (whole(*shape, g) for _ in range(2))
        k = one_of((1, 3, 6, 9, 15), g)
        cases.append((kind, (rows, columns, k, whole(0, columns - 1, g), whole(0, rows - 1, g), whole(0, k - 1, g))))
        cases.append(("the last anchor", (rows, columns, k, columns - 1, rows - 1, k - 1)))
    return cases


def _anchors(g: Generator) -> list:
    def case(kind: str, sides: list, ratios: list) -> tuple:
        x, y = ((16 * torch.rand(2, generator=g)).round() * one_of((16, 7.5), g)).tolist()
        return kind, (x, y, sides, ratios)

    def some(values: list, count: int) -> list:
        return [values[i] for i in torch.randperm(len(values), generator=g)[:count].tolist()]

    sides, ratios = [8, 16, 30, 64, 100, 128, 256], [0.5, 1.0, 2.0, 0.25, 4.0, 3.0, 1 / 3]
    cases = [case("one anchor", some(sides, 1), some(ratios, 1)) for _ in range(4)]
    cases += [case("the nine anchors of the paper", [128, 256, 512], [0.5, 1.0, 2.0])]
    cases += [
        case("several sides and ratios", some(sides, whole(2, 4, g)), some(ratios, whole(2, 4, g))) for _ in "123"
    ]
    cases += [case("several sides and ratios", some(sides, 2), some(ratios, 5))]
    cases += [case("sides in any order", sorted(some(sides, 4), reverse=True), sorted(some(ratios, 3), reverse=True))]
    return cases


def _objectness(g: Generator) -> list:
    def tens(rows: int, columns: int) -> Tensor:
        return torch.randint(0, 11, (rows, columns), generator=g, dtype=torch.double) / 10

    def rand(rows: int, columns: int) -> Tensor:
        return torch.rand(rows, columns, generator=g, dtype=torch.double)

    cases = [("values on a threshold, and ties", (tens(whole(1, 9, g), whole(1, 4, g)),)) for _ in range(6)]
    cases += [("values on a threshold, and ties", (torch.arange(11, dtype=torch.double)[:, None] / 10,))]
    cases += [("objects with low IoUs only", (tens(8, 3) * 0.6,)), ("objects with low IoUs only", (rand(8, 3) * 0.29,))]
    tied = rand(7, 1) * 0.5
    tied[torch.randperm(7, generator=g)[:2]] = 0.6
    cases += [("anchors that tie for the best", (tied,))]
    cases += [("several objects", (rand(12, 4) ** 2,)) for _ in range(3)]
    untouched = rand(6, 3)
    untouched[:, whole(0, 2, g)] = 0.0
    cases += [("an object that no anchor touches", (untouched,))]
    cases += [("an object that no anchor touches", (torch.zeros(4, 2, dtype=torch.double),))]
    cases += [("no object at all", (rand(n, 0),)) for n in (1, 5)]
    return [*cases, (NONE, (rand(0, 3),)), (NONE, (rand(0, 0),))]


def _deltas(count: int, g: Generator) -> Tensor:
    return (8 * torch.randn(count, 4, generator=g)).round().clamp(-10, 10) / 8


def _move(g: Generator) -> list:
    def case(kind: str, anchors: Tensor, scale: tuple, size: tuple[int, int] = SIZE) -> tuple:
        return kind, (anchors, (_deltas(len(anchors), g) * torch.tensor(scale)).to(anchors.dtype), size)

    ones, large = (1.0, 1.0, 1.0, 1.0), (900, 700)
    middle = 300 + boxes(4, g, smallest=4)
    cases = [case("inside of the image", 300 + boxes(n, g), ones, large) for n in (1, 2, 5)]
    cases += [
        case("inside of the image, moved only", middle, (1.0, 1.0, 0.0, 0.0), large),
        case("inside of the image, scaled only", middle, (0.0, 0.0, 1.0, 1.0), large),
        case("inside of the image, deltas of 0", middle, (0.0, 0.0, 0.0, 0.0), large),
        case("wide and tall", 100 + boxes(4, g) * torch.tensor([9.0, 1, 9, 1]), ones, large),
        case("across the border, deltas of 0", boxes(6, g) * 2 - 5, (0.0, 0.0, 0.0, 0.0)),
        case("outside of the image", boxes(3, g) + 40, (0.5, 0.5, 0.0, 0.0)),
        case("outside of the image", boxes(3, g) - 60, (0.5, 0.5, 0.0, 0.0)),
        case("double precision", boxes(3, g).double(), ones),
        case(NONE, boxes(0, g), ones),
    ]
    return cases + [case("across the border", boxes(8, g) * 2 - 5, ones, size) for size in (SIZE, (9, 30), (30, 9))]


def _proposals(g: Generator) -> list:
    def case(kind: str, count: int, first: int, smallest: float = 2.0, moved: float = 1.0, steps: int = 40) -> tuple:
        """Nothing so near a threshold that rounding would decide, but exact sides where the deltas are 0."""
        while True:
            anchors, deltas = boxes(count, g, smallest=3) * 1.5 - 3, moved * _deltas(count, g) / 4
            found = clip(BoxCoder().decode(anchors, deltas), SIZE)
            sides = ((found[:, 2:] - found[:, :2]) - smallest).abs()
            if ((iou(found, found) - 0.7).abs() > 1e-3).all() and (moved == 0 or (sides > 1e-3).all()):
                scores = 6 * levels((count,), g, steps) - 3
                return kind, (anchors, deltas, scores, SIZE, smallest, first)

    cases = [case("many anchors", 14, 300) for _ in range(2)] + [
        case("many anchors, few wanted", 14, n) for n in (3, 5)
    ]
    cases += [case("anchors that stay where they are", 10, 50, moved=0.0) for _ in range(2)]
    cases += [case("equal scores", 10, n, steps=2) for n in (3, 50)]
    cases += [case("boxes that are too small", 12, 50, smallest=one_of((4.5, 6.0), g), moved=m) for m in (0.0, 1.0)]
    cases += [case("boxes that are too small, all of them", 5, 50, smallest=100.0), case(NONE, 0, 10)]
    cases += [_small_rejects_none(g), _rejected_rejects_none(g), *(_doubles_at_the_border(g) for _ in range(2))]
    return cases


def _small_rejects_none(g: Generator) -> tuple:
    low = float(whole(0, 4, g))
    anchors = torch.tensor([[low, 0.0, low + 8, 3.5], [low, 0, low + 8, 4], [low, 6, low + 8, 12]])
    return "small boxes with the best scores", (anchors, torch.zeros(3, 4), torch.tensor([0.9, 0.5, 0.7]), SIZE, 4.0, 9)


def _rejected_rejects_none(g: Generator) -> tuple:
    """Of three boxes each overlaps the next one too much; the first and the last may both stay."""
    low = float(whole(0, 4, g))
    anchors = torch.tensor([[low, 0.0, low + 10, 5], [low + 1, 0, low + 11, 5], [low + 2, 0, low + 12, 5]])
    return "boxes in a row", (anchors, torch.zeros(3, 4), torch.tensor([0.9, 0.5, 0.1]), SIZE, 2.0, 9)


def _doubles_at_the_border(g: Generator) -> tuple:
    """Three boxes that differ outside of the image only, and two others; the fifth has the lowest score."""
    away = torch.tensor([[30.0, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0], [3, 2, 0, 0]])[torch.randperm(4, generator=g)]
    anchors = torch.cat([torch.tensor([0.0, 0, 8, 8]) - away, torch.tensor([[10.0, 6, 18, 13]])])
    scores = torch.cat([torch.rand(4, generator=g), torch.tensor([-1.0])])
    return "boxes that are equal once clipped", (anchors, torch.zeros(5, 4), scores, SIZE, 2.0, 3)


HIDDEN = {
    "anchor_count": _anchor_count,
    "anchors": _anchors,
    "objectness": _objectness,
    "move": _move,
    "proposals": _proposals,
}
