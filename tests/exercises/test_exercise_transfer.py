"""lecture_lib.exercises.transfer: the field's classic mistakes get a hint that helps."""

import pytest

from lecture_lib.backbones import efficientnet_lite0, freeze_all_but_last
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda k, m, n, s: k * k * m * n * s * s, "add the cost"),  # the standard convolution
        (lambda k, m, n, s: 2 * s * s * m * (k * k + n), "are one multiply-add"),
        (lambda k, m, n, s: k * k * n * s * s + m * n * s * s, "out_channels is no part"),  # a filter for every output
        (lambda k, m, n, s: k * k * m + m * n, "every cell"),  # parameters, not multiply-adds
        (lambda k, m, n, s: (k * k * m + m * n) * s, "every cell"),  # the side of the map not squared
    ],
)
def test_wrong_costs(wrong, hint):
    verdict = check.separable_cost(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, lat, t, w: a * (t / lat) ** w, "LAT / T"),
        (lambda a, lat, t, w: a * lat / t * w, "accuracy itself"),
        (lambda a, lat, t, w: a * (lat / t) ** -0.07, "w = 0"),
        (lambda a, lat, t, w: a * max(lat / t, 1) ** w, "bonus"),
    ],
)
def test_wrong_rewards(wrong, hint):
    verdict = check.reward(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def chosen(stages, last=0):
    return [name for _, names in stages[-1 - last :] for name in names]


@pytest.mark.parametrize(
    ("wrong", "what", "hint"),
    [
        (lambda s, last: "fc.weight", "no list of names", "directly before it"),
        (lambda s, last: ["head"], "a name that no parameter has", "directly before it"),
        (lambda s, last: chosen(s[:-1], last - 1), "a classifier that is frozen", "directly before it"),
        (lambda s, last: chosen(s, len(s)), "to stay frozen", "directly before it"),
        (lambda s, last: chosen(s), "a stage that should learn is missing", "directly before it"),
        (lambda s, last: [n for n in chosen(s, last) if "bias" not in n], "only a part", "BatchNorm"),
        (lambda s, last: [*s[-1][1], *chosen(s[:-1][-last:], 9)], "to stay frozen", "-0 is 0"),
        (lambda s, last: chosen(s[len(s) - 1 - last :], 9), "is missing", "counts from the end"),
    ],
)
def test_wrong_names(wrong, what, hint):
    verdict = check.trainable(wrong)
    assert verdict.startswith("Not yet")
    assert what in verdict
    assert hint in verdict


@pytest.mark.parametrize("last", [0, 2, 8])
def test_the_names_of_a_real_network_are_those_that_the_library_leaves_unfrozen(last):
    backbone = efficientnet_lite0(None).new_head(8)
    parameters = {stage: dict(part.named_parameters(prefix=stage)) for stage, part in backbone.stages().items()}
    names = EXERCISES["trainable"].expected(tuple((stage, tuple(named)) for stage, named in parameters.items()), last)
    freeze_all_but_last(backbone, last)
    assert names == {name for named in parameters.values() for name, p in named.items() if p.requires_grad}
