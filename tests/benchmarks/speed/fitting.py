"""SVM training with hard negatives and ridge regression beside scikit-learn's, on one thread."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits
from torch import Tensor

from lecture_lib.matching import BACKGROUND
from lecture_lib.training.ridge import BoxRegression, ridge_regression
from lecture_lib.training.svm import HardNegativeMining, SvmSettings, fit_svm, hinge_objective
from tests.benchmarks.speed.measure import Row, in_turn, table, threads

IMAGES, REGIONS, CLASSES = 200, 100, 2
FC7, POOL5 = 1024, 112 * 7 * 7  # widths of the course's R-CNN
SETTINGS = SvmSettings()
RIDGE = BoxRegression().ridge


@dataclass
class Pair:
    """Two ways to do the same: each keeps its last answer."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    answers: dict[str, Any] = field(default_factory=dict)

    def measure(self, rounds: int) -> dict[str, list[float]]:
        """Seconds of both on one thread, in turn."""
        with threads(1), threadpool_limits(1):
            return in_turn({name: lambda name=name: self._run(name) for name in ("ours", "theirs")}, rounds)

    def _run(self, name: str) -> None:
        self.answers[name] = getattr(self, name)()


def fc7_like(rows: int, width: int, generator: torch.Generator) -> Float[Tensor, "rows width"]:
    """Features as a network's: not negative, most of them 0, and of far fewer directions than numbers."""
    directions = torch.randn(64, width, generator=generator) / 8
    own = 0.3 * torch.randn(rows, width, generator=generator)
    return (torch.randn(rows, 64, generator=generator) @ directions + own - 0.5).clamp(min=0)


def regions(generator: torch.Generator) -> tuple[Float[Tensor, "n f"], Int[Tensor, "n k"], list[int]]:
    """Features of the regions of a set, labels by class (3 regions in 100 are positive), first row of every image."""
    labels = (torch.rand(IMAGES * REGIONS, CLASSES, generator=generator) < 0.03).long()
    looks = 0.5 * torch.randn(CLASSES, FC7, generator=generator)
    x = (fc7_like(len(labels), FC7, generator) + labels.float() @ looks).clamp(min=0)
    return x, labels, [image * REGIONS for image in range(IMAGES + 1)]


def with_bias(features: Float[Tensor, "n f"]) -> Float[Tensor, "n f_1"]:
    """The constant feature behind the others, as our SVMs take it."""
    return torch.cat([features, features.new_full((len(features), 1), SETTINGS.bias_feature)], dim=1)


def costs(positive: Bool[Tensor, " n"]) -> Float[Tensor, " n"]:
    """C of every example."""
    return torch.where(positive, SETTINGS.cost * SETTINGS.positive_weight, SETTINGS.cost)


def scikit_svm(features: np.ndarray, positive: np.ndarray) -> Float[Tensor, " f_1"]:
    """The weights, the bias's last, that scikit-learn finds for the same problem, with its own tolerance."""
    found = LinearSVC(
        loss="squared_hinge", dual=False, C=SETTINGS.cost, class_weight={1: SETTINGS.positive_weight, 0: 1.0},
        intercept_scaling=SETTINGS.bias_feature,
    ).fit(features, positive.astype(int))  # fmt: skip
    return torch.from_numpy(np.append(found.coef_[0], found.intercept_ / SETTINGS.bias_feature))


def svm_differences(
    ours: Float[Tensor, "k f_1"], theirs: Float[Tensor, "k f_1"], features: Tensor, labels: Int[Tensor, "n k"]
) -> str:
    """How far the scores lie apart at most, and the objectives, both on all examples and in double precision."""
    x, ours, theirs = with_bias(features).double(), ours.double(), theirs.double()
    apart = float((x @ (ours - theirs).T).abs().max())
    excess = []
    for k in range(len(ours)):
        positive = labels[:, k] == 1
        sign, cost = positive.double() * 2 - 1, costs(positive).double()
        mine, other = (float(hinge_objective(weights[k], x, sign, cost)) for weights in (ours, theirs))
        excess.append(mine / other - 1)
    worst = max(excess, key=abs)
    return f"scores differ by {apart:.2g} at most; our objective over theirs is 1 {worst:+.1g}"


def one_svm(rounds: int) -> Row:
    """The same examples for both: the positives and as many negatives as mining starts with."""
    features, labels, _ = regions(torch.Generator().manual_seed(0))
    features = features * (SETTINGS.feature_norm / features.norm(dim=1).mean())
    positive = labels[:, 0] == 1
    negatives = (~positive).nonzero().flatten()[: SETTINGS.first_negatives]
    chosen = torch.cat([positive.nonzero().flatten(), negatives])
    x, yes = features[chosen], positive[chosen]
    pair = Pair(lambda: fit_svm(with_bias(x), yes, costs(yes)), lambda: scikit_svm(x.numpy(), yes.numpy()))
    seconds = pair.measure(rounds)
    note = svm_differences(pair.answers["ours"][None], pair.answers["theirs"][None], x, yes.long()[:, None])
    setting = f"{len(x):,} examples of {FC7:,} numbers, 1 thread"
    return Row("SVM, one class", setting, seconds["ours"], "scikit-learn LinearSVC", seconds["theirs"], note=note)


def mined_svms(rounds: int) -> Row:
    """Ours mines the set for hard negatives; theirs is given all of it at once."""
    features, labels, starts = regions(torch.Generator().manual_seed(0))
    stored = features.numpy()
    scale = HardNegativeMining(stored, labels, starts, SETTINGS).scale

    def ours() -> Tensor:
        mining = HardNegativeMining(stored, labels, starts, SETTINGS)
        for _ in mining.rounds():
            pass
        return torch.stack(mining.weights)

    def theirs() -> Tensor:
        scaled, positive = stored * scale, (labels != BACKGROUND).numpy()
        return torch.stack([scikit_svm(scaled, positive[:, k]) for k in range(CLASSES)])

    pair = Pair(ours, theirs)
    seconds = pair.measure(rounds)
    note = svm_differences(pair.answers["ours"], pair.answers["theirs"], features * scale, labels)
    setting = f"{CLASSES} classes, {len(stored):,} regions of {FC7:,} numbers, 1 thread"
    other = "scikit-learn LinearSVC on all"
    return Row("SVMs with hard negatives", setting, seconds["ours"], other, seconds["theirs"], note=note)


def ridge(rounds: int, examples: int, width: int) -> Row:
    """Both solve in double precision, from features as they are stored."""
    generator = torch.Generator().manual_seed(0)
    x = fc7_like(examples, width, generator)
    x *= BoxRegression().feature_norm / x.norm(dim=1).mean()
    deltas = x @ torch.randn(width, 4, generator=generator) / 100 + 0.1 * torch.randn(examples, 4, generator=generator)

    def theirs() -> tuple[Tensor, Tensor]:
        found = Ridge(alpha=RIDGE).fit(x.double().numpy(), deltas.double().numpy())
        return torch.from_numpy(found.coef_), torch.from_numpy(found.intercept_)

    pair = Pair(lambda: ridge_regression(x, deltas, RIDGE), theirs)
    seconds = pair.measure(rounds)
    predicted, objectives = zip(*(_ridge_outcome(x, deltas, *pair.answers[n]) for n in ("ours", "theirs")), strict=True)
    apart = float((predicted[0] - predicted[1]).abs().max())
    excess = objectives[0] / objectives[1] - 1
    note = f"{width:,} numbers: deltas differ by {apart:.2g} at most; our objective over theirs is 1 {excess:+.1g}"
    setting = f"{examples:,} pairs of {width:,} numbers, 4 deltas, 1 thread"
    return Row("Box regression by ridge", setting, seconds["ours"], "scikit-learn Ridge", seconds["theirs"], note=note)


def _ridge_outcome(x: Tensor, deltas: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, float]:
    predicted = x.double() @ weight.double().T + bias.double()
    return predicted, float((predicted - deltas).square().sum() + RIDGE * weight.double().square().sum())


def rows(rounds: int = 5) -> list[Row]:
    """SVMs, one and mined, and ridge regression with more and with fewer examples than features."""
    return [one_svm(rounds), mined_svms(min(rounds, 3)), ridge(rounds, 4000, FC7), ridge(rounds, 1000, POOL5)]


if __name__ == "__main__":
    print(table([row.record() for row in rows()]))
