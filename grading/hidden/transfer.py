"""Hidden cases of the first notebook's exercises."""

import torch
from torch import Generator

from grading.hidden.draws import one_of, whole

NAMES = ("conv1", "stem", "stage1", "stage10", "stage2", "layer", "layer1", "head", "head_old", "fc", "fc6", "fc7")
LAYERS = (("weight",), ("weight", "bias"), ("conv.weight", "norm.weight", "norm.bias"))


def _separable_cost(g: Generator) -> list:
    def case(kind: str, kernel: int = 0, inputs: int = 0, outputs: int = 0, side: int = 0) -> tuple:
        drawn = one_of((3, 5, 7), g), whole(2, 40, g), whole(2, 40, g), whole(2, 30, g)
        given = kernel, inputs, outputs, side
        return kind, tuple(fixed or free for fixed, free in zip(given, drawn, strict=True))

    return [
        *(case("several channels in and out") for _ in range(5)),
        case("a 1×1 kernel", kernel=1),
        case("an even kernel", kernel=4),
        case("a single channel", inputs=1),
        case("a single channel", outputs=1),
        case("a map of one cell", side=1),
        case("a layer of MobileNet", 3, 512, 1024, 14),
    ]


def _trainable(g: Generator) -> list:
    def network(count: int) -> tuple:
        stages = []
        for row in torch.randperm(len(NAMES), generator=g)[:count].tolist():
            parts = one_of(LAYERS, g)
            blocks = [f"{block}." for block in range(whole(1, 3, g))] if len(parts) > 1 else [""]
            stages.append((NAMES[row], tuple(f"{NAMES[row]}.{block}{part}" for block in blocks for part in parts)))
        return *stages, ("classifier", ("classifier.weight", "classifier.bias"))

    def renamed(stages: tuple, name: str) -> tuple:
        return *stages[:-1], (name, (f"{name}.weight", f"{name}.bias"))

    alike = tuple((name, (f"{name}.weight", f"{name}.bias")) for name in ("fc6", "fc7", "fc8", "fc"))
    return [
        *(("some stages before the classifier", (network(n), whole(1, n - 1, g))) for n in (2, 4, 6, 9, 12)),
        *(("the classifier alone", (network(n), 0)) for n in (1, 5)),
        *(("every stage", (network(n), n)) for n in (1, 4)),
        *(("more stages than there are", (network(4), last)) for last in (4 + whole(1, 3, g), whole(9, 20, g))),
        ("a classifier with another name", (renamed(network(5), "output"), 2)),
        ("a classifier with another name", (renamed(network(5), "output"), 0)),
        ("names that begin alike", (alike, whole(0, 2, g))),
        ("a network that is its classifier", (network(0), whole(0, 2, g))),
    ]


def _reward(g: Generator) -> list:
    def case(kind: str, slower: float, weight: float) -> tuple:
        target = whole(1, 80, g) / 2
        return kind, (whole(40, 90, g) / 1.0, target * slower, target, weight)

    return [
        case("on target", 1.0, -0.07),
        *(case("slower than the target", 1 + whole(1, 20, g) / 4, -0.07) for _ in range(3)),
        *(case("faster than the target", 1 / (1 + whole(1, 20, g) / 4), -0.07) for _ in range(3)),
        *(case("another weight", 1.5 * scale, -whole(1, 8, g) / 8) for scale in (0.5, 1.0, 2.0)),
        case("a weight of 0", 2.5, 0.0),
        ("accuracy as a part of 1", (whole(30, 90, g) / 100, 30.0, whole(5, 25, g) / 1.0, -0.07)),
    ]


HIDDEN = {"separable_cost": _separable_cost, "trainable": _trainable, "reward": _reward}
