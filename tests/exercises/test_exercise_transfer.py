"""lecture_lib.exercises.transfer: right answers pass, the field's classic mistakes fail with a hint that helps."""

import pytest

from lecture_lib.backbones import Backbone, efficientnet_lite0
from lecture_lib.exercises.transfer import check_reward, check_separable_cost, check_trainable


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return efficientnet_lite0(None).new_head(8)


@pytest.mark.parametrize("check", [check_separable_cost, check_reward])
def test_a_stub_is_not_solved(check):
    assert check(lambda *arguments: ...).startswith("Not solved yet")


def test_right_answers(backbone):
    assert check_separable_cost(lambda k, m, n, s: s * s * m * (k * k + n)).startswith("Right")
    assert check_reward(lambda a, lat, t, w: a * (lat / t) ** w).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda k, m, n, s: k * k * m * n * s * s, "add the cost"),  # the standard convolution
        (lambda k, m, n, s: k * k * m * s * s * m * n * s * s, "add the cost"),  # multiplied, not added
        (lambda k, m, n, s: k * k * n * s * s + m * n * s * s, "no N in it"),  # a filter for every output
        (lambda k, m, n, s: k * k * m + m * n, "every cell"),  # parameters, not multiply-adds
        (lambda k, m, n, s: k * m * s * s + m * n * s * s, "add the cost"),  # the side of the kernel not squared
        (lambda k, m, n, s: (k * k * m + m * n) * s, "every cell"),  # the side of the map not squared
        (lambda k, m, n, s: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_costs(wrong, hint):
    answer = check_separable_cost(wrong)
    assert answer.startswith("Not yet")
    assert hint in answer


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, lat, t, w: a * (t / lat) ** w, "LAT / T"),
        (lambda a, lat, t, w: a * lat / t * w, "accuracy itself"),
        (lambda a, lat, t, w: a + (lat / t) ** w, "accuracy itself"),
        (lambda a, lat, t, w: a * (lat / t) ** -0.07, "w = 0"),
        (lambda a, lat, t, w: a * max(lat / t, 1) ** w, "bonus"),
    ],
)
def test_wrong_rewards(wrong, hint):
    answer = check_reward(wrong)
    assert answer.startswith("Not yet")
    assert hint in answer


def names(backbone: Backbone) -> list[str]:
    return [name for name, _ in backbone.named_parameters()]


LEARN = ("tail.stage7.", "tail.head.", "tail.classifier.")


def test_right_names_in_any_collection(backbone):
    for collection in (list, set, tuple, iter):
        answer = check_trainable(lambda b, c=collection: c([n for n in names(b) if n.startswith(LEARN)]), backbone)
        assert answer.startswith("Right"), answer
    everything = check_trainable(names, backbone, stages=9)
    assert everything.startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda b: ..., "Not solved yet"),
        (lambda b: "tail.classifier.weight", "collection"),
        (lambda b: 3, "collection"),
        (lambda b: list(b.parameters()), "collection"),
        (lambda b: ["head.weight"], "no parameter"),
        (lambda b: [n for n in names(b) if "classifier" in n], "nothing of 'tail.head'"),
        (lambda b: [n for n in names(b) if n.startswith(LEARN[:2])], "must always learn"),  # the new head frozen
        (lambda b: [n for n in names(b) if not n.startswith(LEARN)], "must always learn"),  # the complement
        (lambda b: names(b), "must stay frozen"),  # everything
        (lambda b: [n for n in names(b) if n.startswith("tail.")], "must stay frozen"),  # stage6 too
        (lambda b: [n for n in names(b) if n.startswith(LEARN) and n.endswith("weight")], "must always learn"),
        (
            lambda b: [n for n in names(b) if n.startswith(LEARN) and "norm" not in n],
            "BatchNorm",
        ),
        (lambda b: b.nothing, "AttributeError"),
    ],
)
def test_wrong_names(backbone, wrong, hint):
    assert hint in check_trainable(wrong, backbone)
    assert all(parameter.requires_grad for parameter in backbone.parameters())
