"""Variants compared with their base, deal by deal."""

import math

import pytest

from lecture_lib.files import data_root
from lecture_lib.training.results import read_json
from lecture_lib.training.variants import compare, stored_maps, table

DEALS = [
    {"variants": {"whole": 0.7, "half": 0.6, "noise": 0.72}},
    {"variants": {"whole": 0.5, "half": 0.42, "noise": 0.47}},
    {"variants": {"whole": 0.6}},
]


def test_differences_are_paired():
    difference, spread, effect = compare(DEALS, "half", "whole")
    assert difference == pytest.approx(-0.09)
    assert spread == pytest.approx(0.0141, abs=1e-4)  # that of the deals themselves is ten times as large
    assert effect


def test_a_difference_inside_its_deviation_is_no_effect():
    assert not compare(DEALS, "noise", "whole")[2]


def test_one_deal_says_nothing():
    difference, spread, effect = compare(DEALS[:1], "half", "whole")
    assert difference == pytest.approx(-0.1)
    assert math.isnan(spread)
    assert not effect


def test_a_row_for_each_variant_and_what_it_is_compared_with():
    rows = table(DEALS, {"half": "whole", "noise": "half"}).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["whole", "half", "noise"]
    assert rows[0] == "| whole | 0.600 ± 0.100 | | | |"
    assert "| whole | -0.090 ± 0.014 |" in rows[1]
    assert "| half | +0.085 ± 0.049 |" in rows[2]


def test_a_base_that_was_not_measured_is_left_out():
    rows = table(DEALS, {"half": "another"}).splitlines()[2:]
    assert rows[1] == "| half | 0.510 ± 0.127 | | | |"


def test_what_was_measured_on_each_deal_is_read_back():
    found = stored_maps("one_pass_map.json", "fast_rcnn")
    kept = read_json(data_root() / "results" / "one_pass_map.json")["deals"]
    assert found == {deal["deal"]: deal["variants"]["fast_rcnn"] for deal in kept}
    assert stored_maps("one_pass_map.json", "unheard of") == stored_maps("no such file.json", "fast_rcnn") == {}


def test_a_variant_that_not_all_deals_have_says_so():
    deals = [DEALS[0] | {"variants": DEALS[0]["variants"] | {"rare": 0.5}}, *DEALS[1:]]
    row = next(line for line in table(deals, {"rare": "whole"}).splitlines() if line.startswith("| rare"))
    assert row == "| rare | 0.500 | whole | -0.200 | 1 of 3 deals |"
