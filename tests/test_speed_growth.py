"""tests.benchmarks.speed.growth: exponents of known curves, and a table that names what grows too fast."""

import pytest

from tests.benchmarks.speed.alone import Used, alone, use
from tests.benchmarks.speed.growth import WORSE, Growth, exponent, notes, table

COUNTS = [10, 100, 1000]
MIB = 2**20


def growth(what: str, against: str, seconds_power: float, bytes_power: float = 1.0) -> Growth:
    used = [Used(3e-4 * n**seconds_power, round(MIB * n**bytes_power)) for n in COUNTS]
    return Growth(what, against, COUNTS, used)


@pytest.mark.parametrize("counts", [[], [5], [5, 5]])
def test_no_slope_without_two_counts(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="two different counts"):
        exponent(counts, [1.0] * len(counts))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponent_of_a_power(power: float) -> None:
    assert exponent(COUNTS, [7 * n**power for n in COUNTS]) == pytest.approx(power)


def test_exponent_is_the_least_squares_slope() -> None:
    assert exponent([1, 10, 100], [1, 100, 100]) == pytest.approx(1.0)  # 0, 2, 2: (2 - 0) / (2 - 0)


def test_memory_below_what_can_be_told_apart_has_no_exponent() -> None:
    quiet = Growth("x", "y", COUNTS, [Used(1.0, size) for size in (0, 5, 900)])
    assert quiet.record()["bytes_exponent"] == pytest.approx(0)


def test_a_rise_at_the_end_is_noticed() -> None:
    late = Growth("x", "y", COUNTS, [Used(s, MIB) for s in (1.0, 1.0, 20.0)]).record()
    assert late["seconds_exponent"] < 1 < late["seconds_last"] == pytest.approx(1.301, abs=1e-3)
    assert "x, seconds against y" in notes([late])[0]


def test_notes_name_what_is_worse_than_linear_and_why() -> None:
    (what, cost, against), why = next(iter(WORSE.items()))
    records = [
        growth("a", "b", 1.05).record(),
        growth(what, against, 1.4).record(),
        growth("c", "d", 0.9, 2.0).record(),
    ]
    first, second = notes(records)
    assert f"{what}, {cost} against {against}" in first
    assert why in first
    assert "c, bytes against d" in second
    assert "not explained" in second


def test_notes_say_where_nothing_is_worse() -> None:
    assert notes([growth("a", "b", 1.0).record()]) == ["nothing grows faster than linearly"]


def test_table_has_every_point_and_both_exponents() -> None:
    row = next(line for line in table([growth("rcnn", "proposals", 1.0, 0.5).record()]).splitlines() if "rcnn" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "rcnn",
        "proposals",
        "10, 100, 1,000",
        "0.003, 0.03, 0.3",
        "**1.00** (1.00)",
        "3, 10, 32",
        "**0.50** (0.50)",
    ]


def allocate(mebibytes: int) -> Used:
    bytearray(100 * MIB)  # freed again: it must not hide what follows
    return use(lambda: bytearray(mebibytes * MIB))


def test_peak_of_a_call_in_a_process_of_its_own() -> None:
    used = alone(allocate, 40)
    assert used.bytes == pytest.approx(40 * MIB, rel=0.2)
