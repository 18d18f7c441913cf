"""Checks of notebook 01: what a separable convolution costs, which parameters a transfer trains, MnasNet's reward."""

from collections.abc import Callable, Iterable

from lecture_lib.backbones import Backbone
from lecture_lib.exercises.cases import Case, check
from lecture_lib.mobile import mnasnet_reward, separable_multiply_adds

BOTH_LAYERS = (
    "Two layers run one after the other: add the cost of the depthwise one, D_K² M D_F², and of the 1×1, M N D_F²."
)
NO_MIXING = "Depthwise means one filter per channel: its cost has no N in it, and only the 1×1 layer costs M N a cell."
SQUARES = "Both layers work at every cell of the map: both terms carry side². A depthwise filter has kernel² numbers."


def check_separable_cost(function: Callable) -> str:
    """Check f(kernel, in_channels, out_channels, side) -> multiply-adds (MobileNet 2017, section 3.1)."""
    calls = (
        ((1, 1, 1, 1), BOTH_LAYERS),
        ((3, 1, 1, 1), BOTH_LAYERS),
        ((3, 2, 5, 1), NO_MIXING),
        ((3, 32, 64, 112), SQUARES),
        ((5, 64, 32, 14), SQUARES),
    )
    return check(function, [Case(call, separable_multiply_adds(*call), hint) for call, hint in calls])


def check_reward(function: Callable) -> str:
    """Check f(accuracy, latency, target, weight) -> ACC * (LAT / T)^w (MnasNet 2019, equation 2)."""
    calls = (
        ((70.0, 20.0, 20.0, -0.07), "On target the factor is 1: the reward is the accuracy itself."),
        ((70.0, 40.0, 20.0, -0.07), "Twice too slow must cost about 5 %. Is it (LAT / T) to the power w?"),
        ((60.0, 10.0, 20.0, -0.07), "A network that is faster than the target earns a bonus."),
        ((60.0, 30.0, 20.0, 0.0), "With w = 0 latency does not matter."),
    )
    return check(function, [Case(call, mnasnet_reward(*call), hint) for call, hint in calls])


def check_trainable(function: Callable[[Backbone], Iterable[str]], backbone: Backbone, stages: int = 2) -> str:
    """Check f(backbone) -> names of the parameters that learn when the classifier and the last `stages` stages do.

    Compares names, so the student may return any collection; the backbone is not changed.
    """
    names = [name for name, _ in backbone.named_parameters()]
    learn = {name for name in names if name.startswith(_last_stages(backbone, stages))}
    try:
        got = function(backbone)
    except Exception as error:
        return f"Not yet: {function.__name__}(backbone) raised {type(error).__name__}: {error}"
    if got is None or got is ...:
        return f"Not solved yet: {function.__name__}(backbone) returned nothing. Replace the `...`."
    got = list(got) if isinstance(got, Iterable) and not isinstance(got, str) else [None]
    if not all(isinstance(name, str) for name in got):
        return "Not yet: return a collection of names, such as those of `backbone.named_parameters()`."
    return _compare(set(got), learn, set(names))


def _last_stages(backbone: Backbone, stages: int) -> tuple[str, ...]:
    """Return the prefixes of the parameters of the classifier and of the `stages` weighted stages before it."""
    parts = {"trunk": backbone.trunk, "tail": backbone.tail}
    prefixes = [
        f"{part}.{name}."
        for part, module in parts.items()
        for name, stage in module.named_children()
        if any(True for _ in stage.parameters())
    ]
    return tuple(prefixes[-1 - stages :])


def _stage(name: str) -> str:
    """Return "tail.head" of "tail.head.0.conv.weight"."""
    return ".".join(name.split(".")[:2])


def _compare(got: set[str], learn: set[str], everything: set[str]) -> str:
    unknown, missing, extra = sorted(got - everything), sorted(learn - got), sorted(got - learn)
    if unknown:
        return f"Not yet: the network has no parameter {unknown[0]!r}. Names come from `backbone.named_parameters()`."
    if any("classifier" in name for name in missing):
        return f"Not yet: {missing[0]!r} is missing. The new head was drawn at random: it must always learn."
    if missing and extra and got.isdisjoint(learn):
        return "Not yet: these are the frozen ones. Return the names of those that learn."
    if extra:
        return f"Not yet: {extra[0]!r} must stay frozen. Only the last stages and the classifier learn."
    touched = {_stage(name) for name in got}
    absent = [name for name in missing if _stage(name) not in touched]
    if absent:
        return f"Not yet: nothing of {_stage(absent[0])!r} is in your answer. That stage learns too."
    if missing:
        return f"Not yet: {missing[0]!r} is missing. Biases and BatchNorm scales of a stage learn with its kernels."
    return f"Right: {len(learn)} of {len(everything)} parameter tensors learn."
