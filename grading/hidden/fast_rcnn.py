"""Hidden cases of the fifth notebook's exercises."""

import torch
from torch import Generator, Tensor

from grading.hidden.draws import one_of, whole


def _smooth_l1(g: Generator) -> list:
    def errors(count: int, scale: float) -> Tensor:
        return scale * torch.randn(count, generator=g)

    eighths = torch.randint(-16, 17, (24,), generator=g) / 8
    cases = [("errors of any size", errors(n, 1.5)) for n in (1, 3, 8, 40)]
    cases += [("small errors", errors(6, 0.2)), ("large errors", errors(6, 50.0).abs() + 1.5)]
    cases += [("large errors", -errors(6, 50.0).abs() - 1.5), ("errors around 1 and -1", eighths)]
    cases += [("errors around 1 and -1", torch.tensor([1.0, -1.0])), ("no error", torch.zeros(3))]
    cases += [("double precision", errors(5, 1.5).double()), ("an empty tensor", torch.zeros(0))]
    return [(kind, (x,)) for kind, x in cases]


def _multi_task_loss(g: Generator) -> list:
    def case(kind: str, labels: Tensor, classes: int, weight: float, sure: float = 1.0) -> tuple:
        count = len(labels)
        logits = sure * (8 * torch.randn(count, classes + 1, generator=g)).round() / 4
        deltas = (8 * torch.randn(count, classes, 4, generator=g)).round() / 4
        targets = (4 * torch.randn(count, 4, generator=g)).round() / 4
        return kind, (logits, deltas, labels, targets, weight)

    def labels(count: int, lowest: int, classes: int) -> Tensor:
        return torch.randint(lowest, classes + 1, (count,), generator=g)

    mixed = torch.cat([labels(4, 1, 4), torch.zeros(3).long()])[torch.randperm(7, generator=g)]
    cases = [case("objects and background", labels(whole(4, 9, g), 0, k), k, 1.0) for k in (1, 2, 3, 5)]
    cases += [case("objects and background", mixed, 4, weight) for weight in (1.0, 0.25, 3.0)]
    cases += [case("objects only", labels(n, 1, 3), 3, one_of((0.5, 1.0, 2.0), g)) for n in (1, 5)]
    cases += [case("background only", torch.zeros(n).long(), 3, 2.0) for n in (1, 6)]
    cases += [case("a weight of 0", mixed, 4, 0.0), case("no region at all", mixed[:0], 4, 1.0)]
    cases += [case("probabilities near 0", mixed, 4, 1.0, sure=400.0)]
    arguments = case("", mixed, 4, 0.5)[1]
    double = tuple(x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in arguments)
    return [*cases, ("double precision", double)]


def _truncated_svd(g: Generator) -> list:
    def case(kind: str, u: int, v: int, rank: int) -> tuple:
        return kind, (torch.randn(u, v, generator=g), rank)

    cases = [case("square weights", n, n, whole(1, n - 1, g)) for n in (3, 6)]
    cases += [case("wide weights", n, n + whole(1, 6, g), whole(1, n - 1, g)) for n in (2, 4, 8)]
    cases += [case("tall weights", n + whole(1, 6, g), n, whole(1, n - 1, g)) for n in (2, 4, 8)]
    cases += [case("the full rank", 5, 7, 5), case("rank 1", 6, 4, 1), case("a single row or column", 1, 5, 1)]
    flat = torch.randn(6, 2, generator=g) @ torch.randn(2, 5, generator=g)
    order = torch.randperm(4, generator=g)
    cases += [
        ("weights of a low rank", (flat, 2)),
        ("equal singular values", (torch.eye(4)[order], 2)),
        ("singular values on the diagonal", (torch.diag(1.0 + order), 2)),
        ("double precision", (flat.double() + torch.eye(6, 5).double(), 3)),
    ]
    return cases


def _roi_pool(g: Generator) -> list:
    def case(kind: str, size: tuple[int, int], n: int, stride: float = 16.0, count: int = 2) -> tuple:
        features = (8 * torch.randn(whole(1, 3, g), *size, generator=g)).round() / 4
        boxes = _halfway(count, *size, g) if "halfway" in kind else _boxes(count, *size, g)
        return kind, (features, boxes * stride, stride, n)

    cases = [case("boxes on the map", (whole(4, 9, g), whole(4, 9, g)), whole(2, 4, g)) for _ in range(4)]
    cases += [case("corners halfway between two cells", (7, 8), 2) for _ in range(2)]
    cases += [case("wide and tall maps", size, 3) for size in ((3, 12), (11, 4))]
    cases += [case("other strides", (6, 7), 2, stride) for stride in (8.0, one_of((2.0, 4.0, 32.0), g))]
    cases += [case("a stride with a fraction", (6, 7), 3, 12.5), case("windows of few cells", (3, 3), 4)]
    cases += [case("the paper's grid", (9, 9), 7), case("many boxes", (8, 8), 1, count=12)]
    features, boxes, stride, n = case("", (5, 6), 3)[1]
    border = torch.tensor([[4.0, 0, 6, 5], [0, 3, 6, 5], [5.25, 4.25, 6, 5], [3, 2, 5.5, 4.5]]) * stride
    cases += [("boxes up to the border", (features - 20, border, stride, k)) for k in (n, 2, 4)]
    cases += [
        ("values below 0", (features - 20, boxes, stride, n)),
        ("no box at all", (features, boxes[:0], stride, n)),
    ]
    return [*cases, ("double precision", (features.double(), boxes.double(), stride, n))]


def _boxes(count: int, height: int, width: int, g: Generator) -> Tensor:
    """Boxes [count, 4] in cells, whose corners are near enough to a cell of the map that rounding is sure."""
    cells = (torch.rand(count, 2, 2, generator=g) * torch.tensor([width, height])).floor()
    beside = torch.randint(-3, 4, (count, 2, 2), generator=g) / 8
    return (cells + beside).clamp(min=0).sort(dim=1).values.flatten(1)


def _halfway(count: int, height: int, width: int, g: Generator) -> Tensor:
    """Boxes [count, 4] in cells, every corner between two cells of the map."""
    cells = (torch.rand(count, 2, 2, generator=g) * torch.tensor([width - 1, height - 1])).floor()
    return (cells + 0.5).sort(dim=1).values.flatten(1)


HIDDEN = {
    "smooth_l1": _smooth_l1,
    "multi_task_loss": _multi_task_loss,
    "truncated_svd": _truncated_svd,
    "roi_pool": _roi_pool,
}
