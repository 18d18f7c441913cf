"""Hidden cases of the seventh notebook's exercises."""

import math

import torch
from torch import Generator

from grading.hidden.draws import one_of, whole

SLOTS = ("encode", "propose", "pool", "embed", "predict", "decode")
NAMES = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn", "mask_rcnn", "yolo", "a", "z")


def _some(names: tuple[str, ...], count: int, g: Generator) -> list[str]:
    """So many of the names in any order."""
    return [names[i] for i in torch.randperm(len(names), generator=g)[:count].tolist()]


def _seconds(count: int, g: Generator, steps: int = 1000) -> dict[str, float]:
    return {name: whole(1, steps, g) / 64 for name in _some(SLOTS, count, g)}


def _dominating(g: Generator) -> list:
    cases = [("all slots", (_seconds(6, g),)) for _ in range(5)]
    cases += [("some slots", (_seconds(whole(2, 5, g), g),)) for _ in range(5)]
    cases += [("slots that take equally long", (_seconds(6, g, steps=2),)) for _ in range(5)]
    cases += [("slots that take equally long", (dict.fromkeys(_some(SLOTS, n, g), 0.5),)) for n in (2, 3, 6)]
    idle = _seconds(6, g) | dict.fromkeys(_some(SLOTS, 3, g), 0.0)
    return [*cases, ("slots that take no time", (idle,)), ("a single slot", (_seconds(1, g),))]


def _speedup(g: Generator) -> list:
    def case(kind: str, count: int, times: float) -> tuple:
        seconds = _seconds(count, g)
        return kind, (seconds, one_of(tuple(seconds), g), times)

    cases = [case("a faster slot", whole(2, 6, g), one_of((1.5, 2.0, 3.0, 10.0, 146.0), g)) for _ in range(8)]
    cases += [case("a slower slot", whole(2, 6, g), one_of((0.25, 0.5, 0.8), g)) for _ in range(3)]
    cases += [case("a slot that costs nothing any more", whole(2, 6, g), math.inf) for _ in range(3)]
    return [*cases, case("as fast as before", 4, 1.0), case("a single slot", 1, 7.0)]


def _best_within(g: Generator) -> list:
    def rows(count: int, steps: int = 12) -> dict[str, tuple[float, float]]:
        """Few levels of accuracy, so that many are equal; no two equally fast."""
        eighths = (torch.randperm(3 * count, generator=g)[:count] + 1).tolist()
        names = _some(NAMES, count, g)
        return {name: (whole(1, steps, g) / 16, s / 8) for name, s in zip(names, eighths, strict=True)}

    def case(kind: str, drawn: dict[str, tuple[float, float]], rank: int, more: float = 0.0) -> tuple:
        """A budget that the row of this rank by seconds just keeps to, or one that is so much larger."""
        return kind, (drawn, sorted(s for _, s in drawn.values())[rank] + more)

    cases = [case("a budget between two rows", rows(8), whole(3, 7, g), 0.05) for _ in range(4)]
    cases += [case("a row that takes exactly the budget", rows(6), whole(0, 5, g)) for _ in range(3)]
    best = {"poor": (0.25, 0.5), "best": (0.875, whole(10, 20, g) / 8), "slow": (0.9375, 50.0)}
    cases += [case("a row that takes exactly the budget", best, 1)]
    cases += [case("equally accurate rows", rows(6, steps=1), whole(2, 5, g), 0.05) for _ in range(3)]
    cases += [case("equally accurate rows", rows(6, steps=2), 5, 0.05), case("a single row", rows(1), 0, 0.5)]
    return [*cases, *(("nothing is fast enough", (rows(n), 0.1)) for n in (1, 5)), ("no row at all", ({}, 1.0))]


HIDDEN = {"dominating_slot": _dominating, "speedup": _speedup, "best_within": _best_within}
