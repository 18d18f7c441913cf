import math

import pytest

from lecture_lib.exercises.summary import check_best_within, check_dominating, check_speedup

CHECKS = [check_dominating, check_speedup, check_best_within]


def unsolved(*arguments):
    return ...


@pytest.mark.parametrize("judge", CHECKS)
def test_an_unsolved_stub_is_told_so(judge):
    assert judge(unsolved).startswith("Not solved yet")


@pytest.mark.parametrize("judge", CHECKS)
def test_an_error_is_told(judge):
    def broken(*arguments):
        raise KeyError("oops")

    assert "raised KeyError" in judge(broken)


def rejected(verdict: str, hint: str) -> bool:
    return verdict.startswith("Not yet") and hint in verdict


def test_right_answers_pass():
    def dominating(seconds):
        best, most = None, -1.0
        for name, value in seconds.items():
            if value > most:
                best, most = name, value
        return best, most / sum(seconds.values())

    def speedup(seconds, slot, times):
        share = seconds[slot] / sum(seconds.values())
        return 1 / (1 - share + share / times)

    def best_within(rows, budget):
        allowed = sorted((-m, s, name) for name, (m, s) in rows.items() if s <= budget)
        return allowed[0][2] if allowed else None

    assert check_dominating(dominating) == "Right: dominating passes 5 cases."
    assert check_speedup(speedup) == "Right: speedup passes 6 cases."
    assert check_best_within(best_within) == "Right: best_within passes 7 cases."


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
    assert rejected(check_dominating(wrong), hint)


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
    assert rejected(check_speedup(wrong), hint)


def _p(seconds, slot):
    return seconds[slot] / sum(seconds.values())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda rows, b: max(rows, key=lambda n: rows[n][0], default=None), "Nothing is fast enough"),
        (lambda rows, b: _within(rows, b, lambda n: -rows[n][1]), "the fastest is not always the best"),
        (lambda rows, b: _within(rows, b - 1e-9, lambda n: rows[n][0]), "still within it"),
        (lambda rows, b: _within(rows, b, lambda n: rows[n][0]), "take the faster"),
        (lambda rows, b: _within(rows, b, lambda n: rows[n]), "take the faster"),
    ],
)
def test_wrong_best_within(wrong, hint):
    assert rejected(check_best_within(wrong), hint)


def _within(rows, budget, key):
    return max((n for n in rows if rows[n][1] <= budget), key=key, default=None)
