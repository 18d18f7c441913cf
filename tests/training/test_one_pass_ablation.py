"""The ablations of SPPnet and Fast R-CNN: heads that are put in the other's place, and measurements that are kept."""

import argparse

import pytest
import torch
from torch import nn

from lecture_lib.heads import JointHead
from lecture_lib.structures import RegionFeatures
from lecture_lib.training import one_pass_ablation as ablation
from lecture_lib.training.one_pass_ablation import BASES, VARIANTS, ScoresOnly, SvmAndDeltas, measure_deal


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return RegionFeatures(torch.rand(5, 7, generator=generator), torch.rand(5, 6, generator=generator))


@pytest.fixture
def head():
    return JointHead(6, 3, torch.Generator().manual_seed(1))


def test_scores_only_leaves_the_boxes(features, head):
    plain, still = head(features), ScoresOnly(head)(features)
    assert torch.equal(plain.scores, still.scores)
    assert plain.deltas.abs().sum() > 0
    assert still.deltas.abs().sum() == 0


def test_svms_score_and_the_joint_head_moves(features, head):
    svm = nn.Linear(6, 3)
    both = SvmAndDeltas(svm, head)(features)
    torch.testing.assert_close(both.scores, features.fc7 @ svm.weight.T + svm.bias)
    assert torch.equal(both.deltas, head(features).deltas)


def test_every_variant_has_something_to_be_compared_with():
    assert set(VARIANTS) == set(BASES)
    assert set(BASES.values()) <= {"rcnn", *VARIANTS}


@pytest.fixture
def calls(monkeypatch):
    made = []

    def variant(name, value):
        def measure(deal):
            made.append((deal.deal, name))
            return value

        return measure

    monkeypatch.setattr(ablation, "VARIANTS", {name: variant(name, v) for name, v in (("a", 0.5), ("b", 0.25))})
    monkeypatch.setattr(ablation, "svd_table", lambda deal: [{"rank": None}])
    monkeypatch.setattr(ablation.Deal, "run", argparse.Namespace(settings="those"))
    return made


def options(tmp_path, **changed):
    defaults = {"out": tmp_path, "data": "set", "backbone": "lite0", "steps": None, "scales": [320], "only": None}
    return argparse.Namespace(**(defaults | changed))


def test_what_was_measured_is_not_measured_again(tmp_path, calls):
    first = measure_deal(options(tmp_path, only=["b"]), 1)
    assert first["variants"] == {"b": 0.25}
    assert "svd" not in first
    both = measure_deal(options(tmp_path), 1)
    assert both["variants"] == {"b": 0.25, "a": 0.5}
    assert both["svd"] == [{"rank": None}]
    measure_deal(options(tmp_path), 1)
    assert calls == [(1, "b"), (1, "a")]


def test_other_settings_are_measured_anew(tmp_path, calls):
    measure_deal(options(tmp_path), 1)
    measure_deal(options(tmp_path, steps=7), 1)
    assert calls == [(1, "a"), (1, "b")] * 2
