"""The table of what each part of R-CNN is worth: paired differences, and what counts as no effect."""

import math

import pytest

from lecture_lib.training.rcnn_ablation import COMPLETE, LAMBDAS, compare, table

DEALS = [
    {"variants": {COMPLETE: 0.70, "softmax": 0.60, "no NMS": 0.71, "lambda 10": 0.70}},
    {"variants": {COMPLETE: 0.80, "softmax": 0.68, "no NMS": 0.78, "lambda 10": 0.80}},
    {"variants": {COMPLETE: 0.60, "softmax": 0.52, "no NMS": 0.61, "lambda 10": 0.60}},
]


def test_compares_on_the_same_deal():
    """Deals differ by 0.1, but the differences within a deal do not: pairing shows what the means would hide."""
    difference, spread, effect = compare(DEALS, "softmax")
    assert difference == pytest.approx(-0.1)
    assert spread == pytest.approx(0.02)
    assert effect


def test_a_difference_inside_its_deviation_is_no_effect():
    difference, spread, effect = compare(DEALS, "no NMS")
    assert abs(difference) < spread
    assert not effect
    assert compare(DEALS, "lambda 10") == (0.0, 0.0, False)


def test_one_deal_says_nothing():
    difference, spread, effect = compare(DEALS[:1], "softmax")
    assert difference == pytest.approx(-0.1)
    assert math.isnan(spread)
    assert not effect


def test_the_table_has_a_row_for_each_variant():
    variants = {COMPLETE: 0.7, "fine-tuned, SVM on pool5": 0.6, "no fine-tuning, SVM on pool5": 0.4}
    lines = table({"deals": [{"variants": variants}, {"variants": {name: x + 0.1 for name, x in variants.items()}}]})
    rows = {line.split("|")[1].strip(): line for line in lines.splitlines()[2:]}
    assert list(rows) == list(variants)
    assert "| fine-tuned, SVM on pool5 | -0.200 ± 0.000 |" in rows["no fine-tuning, SVM on pool5"]
    assert "0.750 ± 0.071" in rows[COMPLETE]


def test_lambdas_hold_the_papers():
    assert 1000.0 in LAMBDAS
