"""Box regression by ridge regression in closed form, one regressor a class (R-CNN, appendix C)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lecture_lib.boxes import BoxCoder
from lecture_lib.matching import RCNN_BOX_REGRESSION, IoURule, label_proposals
from lecture_lib.structures import Proposals, Target


@dataclass(frozen=True)
class BoxRegression:
    """How the box regressors are fitted."""

    rule: IoURule = RCNN_BOX_REGRESSION  # pairs of IoU >= 0.6 with their best object
    ridge: float = 100.0  # lambda; 1000 in appendix C, for ten times as many images: it is weighed against their sum
    feature_norm: float = 20.0  # to which lambda belongs: the authors' release scales features to this mean length


def ridge_regression(
    features: Float[Tensor, "n p"], targets: Float[Tensor, "n t"], ridge: float
) -> tuple[Float[Tensor, "t p"], Float[Tensor, " t"]]:
    """Weights and biases that minimise  sum_i (t_i - w . x_i - b)^2 + ridge |w|^2  for every column of the targets.

    w = (X^T X + ridge I)^-1 X^T t  with X and t centred, so that the bias b is not penalised (R-CNN, eq. 5).
    With fewer examples than features the equal form  X^T (X X^T + ridge I)^-1 t  is the smaller system.
    Raises `ValueError` without examples or for a ridge that is not positive.
    """
    if not len(features) or ridge <= 0:
        raise ValueError(f"ridge_regression: {len(features)} examples and ridge {ridge}; both must be above 0")
    x, t = features.double(), targets.double()
    center, mean = x.mean(0), t.mean(0)
    x, t = x - center, t - mean
    n, p = x.shape
    weight = x.T @ _solve(x @ x.T, t, ridge) if n < p else _solve(x.T @ x, x.T @ t, ridge)
    return weight.T.to(features.dtype), (mean - center @ weight).to(features.dtype)


def _solve(gram: Float[Tensor, "m m"], b: Float[Tensor, "m t"], ridge: float) -> Float[Tensor, "m t"]:
    """(gram + ridge I)^-1 b by Cholesky's factors, as the matrix is symmetric and positive definite."""
    gram.diagonal().add_(ridge)
    return torch.cholesky_solve(b, torch.linalg.cholesky(gram))


@dataclass(frozen=True)
class RegressionPairs:
    """The regions that overlap an object enough to learn to move onto it: row in the set, class and four deltas."""

    rows: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]
    deltas: Float[Tensor, "n 4"]


def regression_pairs(
    regions: Sequence[Proposals], targets: Sequence[Target], rule: IoURule = RCNN_BOX_REGRESSION
) -> RegressionPairs:
    """Pair every region with the object that it overlaps most, if the rule calls it foreground.

    Raises `ValueError` if no region is foreground.
    """
    rows, labels, deltas, start = [], [], [], 0
    for part, target in zip(regions, targets, strict=True):
        found = label_proposals(part, target, rule)
        here = (found.labels > 0).nonzero().flatten()
        if len(here):
            rows.append(start + here)
            labels.append(found.labels[here])
            deltas.append(BoxCoder().encode(part.boxes[here], target.boxes[found.matched[here]]))
        start += len(part)
    if not rows:
        raise ValueError(f"No region is foreground by {rule}: there is nothing to learn. Check boxes and proposals.")
    return RegressionPairs(torch.cat(rows), torch.cat(labels), torch.cat(deltas))


def fit_regressors(
    features: Float[Tensor, "n p"], pairs: RegressionPairs, classes: int, settings: BoxRegression
) -> nn.Linear:
    """One layer p -> 4 K that holds the regressors of all classes; `features` are those of the pairs' rows.

    A class without pairs gets zeros: its boxes stay. The layer takes features of any scale as they come.
    """
    layer = nn.Linear(features.shape[1], 4 * classes, device=features.device)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    scale = settings.feature_norm / features.norm(dim=1).mean()
    for k in range(classes):
        chosen = pairs.labels == k + 1
        if chosen.any():
            weight, bias = ridge_regression(features[chosen] * scale, pairs.deltas[chosen], settings.ridge)
            with torch.no_grad():
                layer.weight[4 * k : 4 * k + 4] = weight * scale
                layer.bias[4 * k : 4 * k + 4] = bias
    return layer.requires_grad_(False)
