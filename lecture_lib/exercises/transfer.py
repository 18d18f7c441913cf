"""The first notebook's exercises: the cost of a separable convolution, parameters that learn, MnasNet's reward."""

from typing import Any

from lecture_lib.exercises.record import Exercise
from lecture_lib.mobile import mnasnet_reward, separable_multiply_adds

NOTEBOOK = "01_transfer_learning"
Stages = tuple[tuple[str, tuple[str, ...]], ...]


def _cost_calls() -> tuple:
    both = (
        "Two layers run one after the other: add the cost of the depthwise one, kernel² numbers for each channel in, "
        "and of the 1×1, which takes every channel in for every channel out. Both do so at each of the side² cells. "
        "A multiplication and its addition are one multiply-add; biases are left out."
    )
    mixing = (
        "Depthwise means one filter for each channel in: out_channels is no part of its cost. "
        "Only the 1×1 layer costs in_channels · out_channels a cell."
    )
    squares = (
        "Both layers work at every cell of the map: both terms carry side². A depthwise filter has kernel² numbers."
    )
    return (
        ((1, 1, 1, 1), both),
        ((3, 1, 1, 1), both),
        ((3, 2, 5, 1), mixing),
        ((3, 4, 2, 5), squares),
        ((3, 32, 64, 112), squares),
        ((5, 64, 32, 14), squares),
    )


def _names(stage: str, *parts: str) -> tuple[str, tuple[str, ...]]:
    return stage, tuple(f"{stage}.{part}" for part in parts)


def _trainable_calls() -> tuple:
    part = "The classifier learns, and so do the `last` stages that stand directly before it."
    alone = "With last = 0 only the classifier learns. Mind that stages[-0:] is everything: -0 is 0."
    whole = "Biases, and the scales and shifts of BatchNorm, learn with the kernels of their stage."
    more = (
        "Where there are fewer than `last` stages, all of them learn. A slice that starts below 0 counts from the end."
    )
    named = "A stage is known by its place, not by how names begin: fc, fc6 and fc7 are three stages."
    stem, first = _names("stem", "conv.weight"), _names("stage1", "0.conv.weight", "0.norm.weight", "0.norm.bias")
    head, new = _names("head", "conv.weight"), _names("classifier", "weight")
    layers = tuple(_names(name, "weight", "bias") for name in ("conv5", "fc6", "fc7", "fc"))
    return (
        (((stem, head, new), 1), part),
        (((stem, first, _names("classifier", "weight", "bias")), 1), whole),
        (((stem, first, head, new), 2), part),
        (((stem, head, new), 0), alone),
        ((layers, 1), named),
        ((layers, 0), named),
        (((stem, head, new), 3), more),
        (((head, new), 5), more),
        (((new,), 0), "A network may be its classifier alone."),
    )


def _trainable(stages: Stages, last: int) -> set[str]:
    """The names of the classifier, which is the last stage, and of `last` stages before it."""
    places = range(len(stages))
    return {name for place in places if place >= len(stages) - 1 - last for name in stages[place][1]}


def _trainable_problem(arguments: tuple, got: Any, expected: set[str]) -> str | None:
    if not isinstance(got, list | tuple | set) or not all(isinstance(name, str) for name in got):
        return "no list of names"
    stages, learn = arguments[0], set(got)
    if learn - {name for _, names in stages for name in names}:
        return "a name that no parameter has"
    if not learn & set(stages[-1][1]):
        return "a classifier that is frozen, although it was drawn at random and must always learn"
    if learn - expected:
        return "parameters that are to stay frozen"
    if any(learn.isdisjoint(names) for _, names in stages if expected & set(names)):
        return "a stage that should learn is missing"
    return "only a part of a stage that learns" if expected - learn else None


def _reward_calls() -> tuple:
    factor = "Twice too slow must cost about 5 %. Is it (LAT / T) to the power w?"
    faster = "A network that is faster than the target earns a bonus."
    return (
        ((70.0, 20.0, 20.0, -0.07), "On target the factor is 1: the reward is the accuracy itself."),
        ((70.0, 40.0, 20.0, -0.07), factor),
        ((60.0, 10.0, 20.0, -0.07), faster),
        ((60.0, 30.0, 20.0, 0.0), "With w = 0 latency does not matter."),
        ((0.75, 3.0, 2.0, -1.0), "The exponent is the argument `weight`, whatever its value."),
    )


EXERCISES = (
    Exercise("separable_cost", NOTEBOOK, "separable_cost", 2, _cost_calls(), separable_multiply_adds),
    Exercise("trainable", NOTEBOOK, "trainable_names", 2, _trainable_calls(), _trainable, _trainable_problem),
    Exercise("reward", NOTEBOOK, "reward", 2, _reward_calls(), mnasnet_reward),
)
