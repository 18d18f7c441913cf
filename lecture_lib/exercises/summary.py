"""The seventh notebook's exercises: the slot that dominates, what a faster one is worth, reading a ladder."""

import math
from collections.abc import Mapping

from lecture_lib.exercises.record import Exercise

NOTEBOOK = "07_summary"
Seconds = Mapping[str, float]


def _dominating_calls() -> tuple:
    share = "The share is the longest slot's seconds divided by the sum of all."
    longest = "max(seconds) is the last name of the alphabet; what is wanted is the name with the most seconds."
    equal = "Of slots that take equally long the first one counts."
    return (
        (({"encode": 2.0},), "A single slot takes all of the time: its share is 1."),
        (({"encode": 1.0, "propose": 3.0},), share),
        (({"propose": 0.06, "pool": 0.01, "embed": 0.6, "predict": 0.01},), longest),
        (({"encode": 4.0, "propose": 1.0, "predict": 3.0},), longest),
        (({"encode": 0.0, "propose": 1.5, "embed": 1.5},), equal),
        (({"embed": 1.5, "propose": 1.5},), equal),
    )


def _dominating(seconds: Seconds) -> tuple[str, float]:
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())


def _speedup_calls() -> tuple:
    whole = "The whole is the sum of all slots, before and after; only one of them changes."
    ratio = "Times faster is before / after, which is above 1 where something got faster."
    free = "A slot that costs nothing leaves the others: seconds / inf is 0 in Python."
    three = {"encode": 0.05, "propose": 0.15, "embed": 0.1}
    return (
        (({"propose": 1.0, "embed": 1.0}, "propose", 1.0), "Once as fast is as fast as before: 1."),
        (({"propose": 1.0, "embed": 1.0}, "propose", 2.0), whole),
        (({"propose": 3.0, "embed": 1.0}, "propose", 3.0), ratio),
        ((three, "propose", 10.0), whole),
        ((three, "embed", math.inf), free),
        (({"encode": 1.0, "propose": 1.0}, "encode", 0.5), "A slot may also become slower: then it is below 1."),
        (({"propose": 3.0}, "propose", 4.0), "Where there is one slot, the whole is this slot."),
    )


def _speedup(seconds: Seconds, slot: str, times: float) -> float:
    before = sum(seconds.values())
    return before / (before - seconds[slot] + seconds[slot] / times)


def _best_within_calls() -> tuple:
    none = "Nothing is fast enough here: the answer is None."
    two = "First leave out what is too slow, then take the highest mAP of the rest; the fastest is not always the best."
    edge = "At most `budget` seconds: exactly `budget` is still within it."
    tie = "Of equally accurate ones take the faster."
    rows = {"rcnn": (0.77, 5.0), "sppnet": (0.75, 0.4), "fast_rcnn": (0.78, 0.3), "faster_rcnn": (0.76, 0.1)}
    slow, quick, poor = (0.8, 2.0), (0.8, 1.0), (0.5, 0.1)
    return (
        ((rows, 10.0), two),
        ((rows, 0.2), two),
        ((rows, 0.05), none),
        (({}, 1.0), none),
        ((rows, 0.3), edge),
        (({"slow": slow, "quick": quick, "poor": poor}, 3.0), tie),
        (({"quick": quick, "slow": slow}, 3.0), tie),
    )


def _best_within(rows: Mapping[str, tuple[float, float]], budget: float) -> str | None:
    within = {name: (precision, -seconds) for name, (precision, seconds) in rows.items() if seconds <= budget}
    return max(within, key=within.get, default=None)


EXERCISES = (
    Exercise("dominating_slot", NOTEBOOK, "dominating", 2, _dominating_calls(), _dominating),
    Exercise("speedup", NOTEBOOK, "speedup", 2, _speedup_calls(), _speedup),
    Exercise("best_within", NOTEBOOK, "best_within", 2, _best_within_calls(), _best_within),
)
