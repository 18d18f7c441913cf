"""Checks of the seventh notebook's exercises: the slot that dominates, what a faster one is worth, reading a ladder."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from lecture_lib.exercises.cases import Case, check

Seconds = Mapping[str, float]


def check_dominating(function: Callable[[Seconds], tuple[str, float]]) -> str:
    """Judge `function(seconds)`: the slot that takes longest and its share of the sum, of equal ones the first."""
    share = "The share is the longest slot's seconds divided by the sum of all."
    longest = "max(seconds) is the last name of the alphabet; what is wanted is the name with the most seconds."
    equal = "Of slots that take equally long the first one counts."
    calls = (
        ({"encode": 2.0}, "A single slot takes all of the time: its share is 1."),
        ({"encode": 1.0, "propose": 3.0}, share),
        ({"propose": 0.06, "pool": 0.01, "embed": 0.6, "predict": 0.01}, longest),
        ({"encode": 4.0, "propose": 1.0, "predict": 3.0}, longest),
        ({"encode": 0.0, "propose": 1.5, "embed": 1.5}, equal),
    )
    return check(function, [Case((seconds,), _dominating(seconds), hint) for seconds, hint in calls])


def _dominating(seconds: Seconds) -> tuple[str, float]:
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def check_speedup(function: Callable[[Seconds, str, float], float]) -> str:
    """Judge `function(seconds, slot, times)`: how many times faster the whole gets by one slot (Amdahl's law)."""
    whole = "The whole is the sum of all slots, before and after; only one of them changes."
    ratio = "Times faster is before / after, which is above 1 where something got faster."
    free = "A slot that costs nothing leaves the others: seconds / inf is 0 in Python."
    calls = (
        ({"propose": 1.0, "embed": 1.0}, "propose", 1.0, "Once as fast is as fast as before: 1."),
        ({"propose": 1.0, "embed": 1.0}, "propose", 2.0, whole),
        ({"propose": 3.0, "embed": 1.0}, "propose", 3.0, ratio),
        ({"encode": 0.05, "propose": 0.15, "embed": 0.1}, "propose", 10.0, whole),
        ({"encode": 0.05, "propose": 0.15, "embed": 0.1}, "embed", math.inf, free),
        ({"encode": 1.0, "propose": 1.0}, "encode", 0.5, "A slot may also become slower: then the ratio is below 1."),
    )
    cases = [Case((seconds, slot, times), _speedup(seconds, slot, times), hint) for seconds, slot, times, hint in calls]
    return check(function, cases)


def _speedup(seconds: Seconds, slot: str, times: float) -> float:
    before = sum(seconds.values())
    return before / (before - seconds[slot] + seconds[slot] / times)


def check_best_within(function: Callable[[Mapping[str, tuple[float, float]], float], str | None]) -> str:
    """Judge `function(rows, budget)`: of the rows name -> (mAP, seconds) the most accurate one within the budget."""
    none = "Nothing is fast enough here: the answer is None."
    two = "First leave out what is too slow, then take the highest mAP of the rest; the fastest is not always the best."
    edge = "At most `budget` seconds: exactly `budget` is still within it."
    tie = "Of equally accurate ones take the faster."
    rows = {"rcnn": (0.77, 5.0), "sppnet": (0.75, 0.4), "fast_rcnn": (0.78, 0.3), "faster_rcnn": (0.76, 0.1)}
    ties = {"slow": (0.8, 2.0), "quick": (0.8, 1.0), "poor": (0.5, 0.1)}
    calls = (
        ({}, 1.0, none),
        (rows, 0.05, none),
        (rows, 0.2, two),
        (rows, 10.0, two),
        (rows, 0.3, edge),
        (ties, 3.0, tie),
        ({"quick": (0.8, 1.0), "slow": (0.8, 2.0)}, 3.0, tie),
    )
    answered = [(given, budget, _best_within(given, budget), hint) for given, budget, hint in calls]

    def told(given: Mapping[str, tuple[float, float]], budget: float) -> Any:
        answer = function(given, budget)
        return answer if answer is ... else str(answer)  # None is an answer here

    told.__name__ = function.__name__
    return check(told, [Case((given, budget), str(answer), hint) for given, budget, answer, hint in answered])


def _best_within(rows: Mapping[str, tuple[float, float]], budget: float) -> str | None:
    within = {name: (precision, -seconds) for name, (precision, seconds) in rows.items() if seconds <= budget}
    return max(within, key=within.get, default=None)
