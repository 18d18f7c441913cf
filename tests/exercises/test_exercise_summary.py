import math

import pytest

from lecture_lib.exercises import check
from tests.exercises.verdicts import rejected


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda s: (max(s), s[max(s)] / sum(s.values())), "the name with the most seconds"),
        (lambda s: (max(s, key=s.get), max(s.values())), "its share is 1"),
        (lambda s: (max(s, key=s.get), max(s.values()) / len(s)), "its share is 1"),
        (lambda s: (max(reversed(s), key=s.get), max(s.values()) / sum(s.values())), "the first one counts"),
    ],
)
def test_wrong_dominating(wrong, hint):
    assert rejected(check.dominating_slot(wrong), hint)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda s, slot, t: t, "only one of them changes"),
        (lambda s, slot, t: (sum(s.values()) - s[slot] + s[slot] / t) / sum(s.values()), "only one of them changes"),
        (lambda s, slot, t: sum(s.values()) / (sum(s.values()) - s[slot] + s[slot] * t), "only one of them changes"),
        (lambda s, slot, t: sum(s.values()) / (sum(s.values()) / t), "only one of them changes"),
        (lambda s, slot, t: 1.0 if math.isinf(t) else 1 / (1 - _p(s, slot) + _p(s, slot) / t), "costs nothing"),
    ],
)
def test_wrong_speedup(wrong, hint):
    assert rejected(check.speedup(wrong), hint)


def _p(seconds, slot):
    return seconds[slot] / sum(seconds.values())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda rows, b: max(rows, key=lambda n: rows[n][0], default=None), "First leave out what is too slow"),
        (lambda rows, b: _within(rows, b, lambda n: -rows[n][1]), "the fastest is not always the best"),
        (lambda rows, b: _within(rows, b - 1e-9, lambda n: rows[n][0]), "still within it"),
        (lambda rows, b: _within(rows, b, lambda n: rows[n][0]), "take the faster"),
        (lambda rows, b: _within(rows, b, lambda n: rows[n]), "take the faster"),
    ],
)
def test_wrong_best_within(wrong, hint):
    assert rejected(check.best_within(wrong), hint)


def _within(rows, budget, key):
    return max((n for n in rows if rows[n][1] <= budget), key=key, default=None)
