"""Hidden cases of the third notebook's exercises."""

import torch
from torch import Generator, Tensor

from grading.hidden.draws import boxes, levels, one_of, whole
from lecture_lib.boxes import iou

NONE, FEW = "no box at all", 4


def _iou(g: Generator) -> list:
    crowds = [boxes(whole(1, 6, g), g) for _ in range(12)]
    cases = [("boxes that overlap", (a, b)) for a, b in zip(crowds[:6], crowds[6:], strict=True)]
    same, shift = boxes(FEW, g), torch.tensor([[3.0, 0, 3, 0]])
    apart = boxes(FEW, g) + 40 * torch.arange(FEW)[:, None]
    cases += [
        ("equal boxes", (same, same.clone())),
        ("a box inside another", (same, same + torch.tensor([-1.0, -2, 3, 4]))),
        ("boxes that touch or lie apart", (boxes(3, g, span=4) - 50, boxes(5, g))),
        ("boxes that touch or lie apart", (apart, apart.flip(0))),
        ("boxes that touch or lie apart", (same[:, [0, 1, 2, 3]], torch.cat([same[:, 2:], same[:, 2:] + 2], 1))),
        ("long rows", (same * torch.tensor([10.0, 1, 10, 1]), same * torch.tensor([10.0, 1, 10, 1]) + shift)),
        ("boxes without area", (boxes(5, g, smallest=0, span=2), boxes(5, g, smallest=0, span=2))),
        ("boxes without area", (same[:, [0, 1, 0, 3]], same[:, [0, 1, 0, 3]])),
        (NONE, (same[:0], same)),
        (NONE, (same, same[:0])),
        (NONE, (same[:0], same[:0])),
        ("fractions of a pixel", (boxes(FEW, g) / 37, boxes(3, g) / 37)),
        ("large pictures", (boxes(FEW, g) * 301, boxes(3, g) * 301)),
        ("double precision", (boxes(FEW, g).double(), boxes(2, g).double())),
        ("many boxes", (boxes(40, g), boxes(50, g))),
    ]
    return cases


def _label(g: Generator) -> list:
    def case(kind: str, overlap: Tensor, band: tuple[float, float]) -> tuple:
        return kind, (overlap, torch.randint(1, 21, (overlap.shape[1],), generator=g), *band)

    bands = ((0.5, 0.25), (0.75, 0.25), (0.5, 0.5), (0.625, 0.125), (1.0, 0.375))
    cases = [
        case("values on a threshold, and ties", levels((whole(1, 9, g), whole(2, 5, g)), g), one_of(bands, g))
        for _ in range(8)
    ]
    ladder = torch.arange(9)[:, None] / 8
    cases += [case("values on a threshold, and ties", ladder, (0.5, 0.25))]
    cases += [case("the ignored band", torch.rand(12, 1, generator=g), (0.5, 0.3)) for _ in range(2)]
    cases += [case("several objects", torch.rand(12, 4, generator=g) ** 2, (0.7, 0.3)) for _ in range(3)]
    cases += [case("no object at all", torch.zeros(n, 0), (0.5, 0.25)) for n in (1, 5)]
    cases += [case("no proposal at all", torch.zeros(0, 3), (0.5, 0.25))]
    return cases


def _encode(g: Generator) -> list:
    cases = [("pairs of boxes", (boxes(n, g), boxes(n, g))) for n in (1, 2, 5, 9, 3)]
    wide = boxes(FEW, g) * torch.tensor([9.0, 1, 9, 1])
    cases += [
        ("wide and tall boxes", (wide, boxes(FEW, g) * torch.tensor([1.0, 7, 1, 7]))),
        ("the same centre", (wide, wide + torch.tensor([-1.0, -2, 1, 2]))),
        ("equal boxes", (wide, wide.clone())),
        ("negative coordinates", (boxes(3, g) - 20, boxes(3, g) - 25)),
        ("fractions of a pixel", (boxes(3, g) / 37, boxes(3, g) / 41)),
        ("double precision", (boxes(3, g).double(), boxes(3, g).double())),
        (NONE, (wide[:0], wide[:0])),
    ]
    return cases


def _decode(g: Generator) -> list:
    def case(kind: str, proposals: Tensor, scale: Tensor) -> tuple:
        deltas = (8 * torch.randn(len(proposals), 4, generator=g)).round().clamp(-16, 16) / 8
        return kind, (proposals, (deltas * scale).to(proposals.dtype))

    ones = torch.ones(4)
    cases = [case("boxes moved and scaled", boxes(n, g), ones) for n in (1, 2, 5, 9)]
    cases += [
        case("boxes moved only", boxes(FEW, g), torch.tensor([1.0, 1, 0, 0])),
        case("boxes scaled only", boxes(FEW, g), torch.tensor([0.0, 0, 1, 1])),
        case("wide and tall boxes", boxes(FEW, g) * torch.tensor([9.0, 1, 9, 1]), ones),
        case("negative coordinates", boxes(3, g) - 20, ones),
        case("deltas of 0", boxes(3, g), 0 * ones),
        case("double precision", boxes(3, g).double(), ones),
        case(NONE, boxes(0, g), ones),
    ]
    return cases


def _ridge(g: Generator) -> list:
    def case(kind: str, shape: tuple[int, int, int], ridge: float, mean: float = 0.0) -> tuple:
        examples, features, targets = shape
        x, t = (torch.randint(-8, 9, (examples, n), generator=g) / 8 for n in (features, targets))
        return kind, (x.double() + mean, t.double() + mean, ridge)

    cases = [
        case("several targets", (whole(6, 12, g), n, whole(2, 4, g)), ridge)
        for n, ridge in ((2, 0.5), (3, 2.0), (4, 1.0), (5, 8.0))
    ]
    cases += [
        case("a single target", (9, 3, 1), 1.5),
        case("a single feature", (9, 1, 3), 0.5),
        case("as many features as examples", (4, 4, 4), 0.75),
        case("more features than examples", (3, 7, 2), 1.0),
        case("a single example", (1, 3, 2), 2.0),
        case("means far from 0", (8, 3, 4), 1.0, mean=5.0),
        case("a large ridge", (9, 3, 4), 1000.0),
        case("a ridge of less than 1", (12, 2, 4), 0.25),
        case("no example", (0, 3, 4), 1.0),
    ]
    x, t = torch.randint(-8, 9, (9, 3), generator=g) / 8, torch.randint(-8, 9, (9, 4), generator=g) / 8
    return [*cases, ("single precision", (x, t, 10.0))]


def _nms(g: Generator) -> list:
    cases = []
    for n in (2, 5, 12, 25):
        cases.append(("equal scores", (boxes(n, g), levels((n,), g, 3), one_of((0.25, 0.5), g))))
        cases.append(("boxes in a crowd", (*_apart_from(0.3, n, g), 0.3)))
        cases.append(("boxes in a crowd", (*_apart_from(0.7, n, g), 0.7)))
    square = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 4], [0, 4, 8, 8], [0, 0, 4, 4], [2, 0, 6, 8]])
    for threshold in (0.5, 0.25):
        scores = torch.rand(5, generator=g)
        cases.append(("an IoU exactly at the threshold", (square + whole(0, 30, g), scores, threshold)))
    row = torch.tensor([[4.0 * i, 0, 4 * i + 10, 10] for i in range(8)])
    shuffled = torch.randperm(8, generator=g)
    cases += [
        ("a chain of boxes", (row, torch.linspace(0.9, 0.2, 8), 0.4)),
        ("a chain of boxes", (row[shuffled], torch.linspace(0.9, 0.2, 8)[shuffled], 0.4)),
        ("equal boxes", (row[:1].repeat(5, 1), torch.rand(5, generator=g), 0.5)),
        ("boxes apart, with low scores", (row * 10, torch.rand(8, generator=g) / 100 - 0.005, 0.5)),
        ("a single box", (row[:1], torch.rand(1, generator=g), 0.5)),
        (NONE, (row[:0], torch.zeros(0), 0.5)),
    ]
    return cases


def _apart_from(threshold: float, count: int, g: Generator) -> tuple[Tensor, Tensor]:
    """Boxes and scores, no IoU so near the threshold that rounding would decide."""
    while True:
        drawn = boxes(count, g, smallest=4)
        if ((iou(drawn, drawn) - threshold).abs() > 1e-3).all():
            return drawn, torch.rand(count, generator=g)


def _sample(g: Generator) -> list:
    def case(kind: str, counts: tuple[int, int, int], size: int, objects: int) -> tuple:
        foreground, background, ignored = counts
        classes = torch.randint(1, 9, (foreground,), generator=g)
        labels = torch.cat([classes, torch.zeros(background), torch.full((ignored,), -1)]).long()
        seed = torch.Generator().manual_seed(whole(0, 10_000, g))
        return kind, (labels[torch.randperm(len(labels), generator=g)], size, objects, seed)

    return [
        *(case("enough of both", (whole(60, 90, g), whole(200, 400, g), 50), 128, 32) for _ in range(3)),
        *(case("fewer objects than are asked for", (whole(1, 20, g), 300, 30), 128, 32) for _ in range(3)),
        *(case("little background", (60, whole(1, 40, g), 30), 128, 32) for _ in range(3)),
        case("no object", (0, 200, 20), 128, 32),
        case("no background", (50, 0, 20), 128, 32),
        case("ignored proposals only", (0, 0, 9), 128, 32),
        case("another size", (90, 90, 9), 64, 48),
        case("another size", (90, 300, 9), 256, 64),
        case("no proposal at all", (0, 0, 0), 128, 32),
    ]


def _average_precision(g: Generator) -> list:
    def case(kind: str, scores: Tensor, share: float, missed: int) -> tuple:
        correct = torch.rand(len(scores), generator=g) < share
        return kind, (scores, correct, max(1, int(correct.sum()) + missed))

    random = [torch.rand(n, generator=g) for n in (3, 8, 15, 30, 60)]
    cases = [case("detections in any order", scores, 0.5, whole(1, 6, g)) for scores in random]
    cases += [case("detections that are sorted already", s.sort(descending=True).values, 0.6, 2) for s in random[1:4]]
    cases += [case("equal scores", levels((n,), g, 2), 0.5, 2) for n in (6, 12, 24)]
    cases += [case("every object found", random[2], 0.5, 0), case("every detection wrong", random[1], 0.0, 3)]
    cases += [case("every detection right", random[1], 2.0, 0), case("no detection at all", torch.zeros(0), 0.5, 3)]
    return [*cases, case("a single detection", torch.rand(1, generator=g), 2.0, 4)]


HIDDEN = {
    "iou": _iou,
    "label": _label,
    "encode": _encode,
    "decode": _decode,
    "ridge": _ridge,
    "nms": _nms,
    "sample": _sample,
    "average_precision": _average_precision,
}
