"""Class-specific linear SVMs with hard negative mining (R-CNN, section 2.3; Felzenszwalb et al., PAMI 2010)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lecture_lib.matching import BACKGROUND, RCNN_SVM, IoURule, label_proposals
from lecture_lib.structures import Proposals, Target


@dataclass(frozen=True)
class SvmSettings:
    """How the SVMs are trained; values without a section are those of the authors' release."""

    rule: IoURule = RCNN_SVM  # section 2.3: positive = ground truth, negative = IoU < 0.3, between them ignored
    cost: float = 0.001  # C; it belongs to features of this norm:
    feature_norm: float = 20.0  # mean length to which features are scaled
    positive_weight: float = 2.0  # how much more a missed object costs
    bias_feature: float = 10.0  # the bias is the weight of a feature of this value: large, so hardly penalised
    mine: bool = True  # hard negatives; without, as many random ones
    first_negatives: int = 2000  # random, of every class, to start with
    hard_margin: float = -1.0  # a negative above this is hard: it enters the cache
    easy_margin: float = -1.2  # a negative below this is easy: it leaves the cache
    images_per_round: int = 100  # scanned before the SVMs are trained again
    seed: int = 0


@dataclass(frozen=True)
class MiningStep:
    """One round of hard negative mining: after `images` images, what each class's SVM was trained on."""

    images: int
    hard: tuple[int, ...]  # negatives that were found hard in this round, by class
    negatives: tuple[int, ...]  # negatives in the cache, by class


def svm_labels(
    regions: Sequence[Proposals], targets: Sequence[Target], classes: int, rule: IoURule = RCNN_SVM
) -> Int[Tensor, "n k"]:
    """For every region and class: 1 positive, 0 negative, -1 ignored.

    Class by class: a box that covers half a dog is ignored for the dog and negative for the cat.
    """
    rows = []
    for part, target in zip(regions, targets, strict=True):
        by_class = [label_proposals(part, target.of_class(k), rule).labels.clamp(max=1) for k in range(1, classes + 1)]
        rows.append(torch.stack(by_class, dim=1))
    return torch.cat(rows)


def hinge_objective(
    weight: Float[Tensor, " f_1"], x: Float[Tensor, "n f_1"], sign: Float[Tensor, " n"], cost: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """1/2 |w|^2 + sum_i C_i max(0, 1 - y_i w . x_i)^2, the bias being the last weight.

    The hinge is squared, which makes it smooth; the authors' release leaves it as it is.
    """
    slack = (1 - sign * (x @ weight)).clamp(min=0)
    return weight.square().sum() / 2 + (cost * slack.square()).sum()


def fit_svm(
    x: Float[Tensor, "n f_1"],
    positive: Bool[Tensor, " n"],
    cost: Float[Tensor, " n"],
    start: Float[Tensor, " f_1"] | None = None,
) -> Float[Tensor, " f_1"]:
    """Train one linear SVM to the optimum (L-BFGS; the problem is convex, so neither start nor seed matters).

    x: features, the last one constant for the bias. cost: C of every example.
    Raises `ValueError` unless there are examples of both kinds.
    """
    if not positive.any() or positive.all():
        raise ValueError(f"fit_svm: {int(positive.sum())} positive of {len(positive)} examples; both kinds are needed")
    weight = (torch.zeros_like(x[0]) if start is None else start.clone()).requires_grad_()
    sign = positive.to(x.dtype) * 2 - 1
    optimizer = torch.optim.LBFGS(
        [weight], max_iter=300, tolerance_grad=1e-5, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = hinge_objective(weight, x, sign, cost)
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight.detach()


class HardNegativeMining:
    """Trains K SVMs while it scans a set for negatives that they get wrong; iterate `rounds()`, then take `layer()`.

    features: [n, f], for example memory-mapped, rows in the order of `labels` [n, K]; starts: first row of each image.
    The paper's training set has millions of negatives, nearly all of them easy: an SVM that has seen the hard ones is
    the SVM of all, at a fraction of the memory ("mining converges after a single pass over all images").
    """

    def __init__(
        self, features: np.ndarray, labels: Int[Tensor, "n k"], starts: Sequence[int], settings: SvmSettings
    ) -> None:
        self.features, self.labels, self.starts, self.settings = features, labels, starts, settings
        self.classes = labels.shape[1]
        generator = torch.Generator().manual_seed(settings.seed)
        self.positive = [(labels[:, k] == 1).nonzero().flatten() for k in range(self.classes)]
        negative = [(labels[:, k] == BACKGROUND).nonzero().flatten() for k in range(self.classes)]
        order = [torch.randperm(len(rows), generator=generator) for rows in negative]
        self._shuffled = [rows[o] for rows, o in zip(negative, order, strict=True)]
        self.cache = [rows[: settings.first_negatives].sort().values for rows in self._shuffled]
        self.scale = settings.feature_norm / float(np.linalg.norm(self._sample(), axis=1).mean())
        self.weights: list[Tensor | None] = [None] * self.classes

    def rounds(self) -> Iterator[MiningStep]:
        """Train on the first negatives, then scan the set once; a record after each training."""
        yield self._train(0, [torch.zeros(0, dtype=torch.long)] * self.classes)
        if not self.settings.mine:
            return
        images = len(self.starts) - 1
        for first in range(0, images, self.settings.images_per_round):
            last = min(first + self.settings.images_per_round, images)
            yield self._train(last, self._hard_negatives(self.starts[first], self.starts[last]))

    def layer(self) -> nn.Linear:
        """The K SVMs as one layer that takes the features as they are stored, and gives margins."""
        weight = torch.stack(self.weights)
        layer = nn.Linear(weight.shape[1] - 1, self.classes)
        with torch.no_grad():
            layer.weight.copy_(weight[:, :-1] * self.scale)
            layer.bias.copy_(weight[:, -1] * self.settings.bias_feature)
        return layer.requires_grad_(False)

    def _sample(self) -> np.ndarray:
        """Some rows to measure the features' mean length on."""
        return np.asarray(self.features[:: max(1, len(self.features) // 2000)], dtype=np.float32)

    def _read(self, rows: Tensor | slice) -> Tensor:
        """Scaled features of some rows with the constant feature of the bias behind them."""
        chosen = rows if isinstance(rows, slice) else rows.numpy()
        x = torch.from_numpy(np.asarray(self.features[chosen], dtype=np.float32)) * self.scale
        return torch.cat([x, x.new_full((len(x), 1), self.settings.bias_feature)], dim=1)

    def _hard_negatives(self, first: int, last: int) -> list[Tensor]:
        """Rows of the negatives from `first` to `last` that an SVM scores above the hard margin, by class."""
        margins = self._read(slice(first, last)) @ torch.stack(self.weights).T
        hard = (margins > self.settings.hard_margin) & (self.labels[first:last] == BACKGROUND)
        return [first + hard[:, k].nonzero().flatten() for k in range(self.classes)]

    def _train(self, images: int, hard: Sequence[Tensor]) -> MiningStep:
        """Add the hard negatives to each class's cache, train its SVM on it, then let the easy ones go."""
        sizes, new = [], []
        for k in range(self.classes):
            before = len(self.cache[k])
            self.cache[k] = torch.cat([self.cache[k], hard[k]]).unique()
            new.append(len(self.cache[k]) - before)
            sizes.append(len(self.cache[k]))
            self._train_class(k)
        return MiningStep(images, tuple(new), tuple(sizes))

    def _train_class(self, k: int) -> None:
        settings = self.settings
        if not len(self.positive[k]):
            raise ValueError(f"class {k + 1} has no positive region: its SVM cannot be trained. Leave the class out.")
        x = self._read(torch.cat([self.positive[k], self.cache[k]]))
        positive = torch.arange(len(x)) < len(self.positive[k])
        cost = torch.where(positive, settings.cost * settings.positive_weight, settings.cost)
        self.weights[k] = fit_svm(x, positive, cost, self.weights[k])
        margins = x @ self.weights[k]
        if settings.mine:
            self.cache[k] = self.cache[k][margins[~positive] > settings.easy_margin]
