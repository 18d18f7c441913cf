"""lecture_lib.training.ridge: closed form against scikit-learn, pairs against a loop."""

import pytest
import torch
from torch import Tensor

from lecture_lib.boxes import BoxCoder
from lecture_lib.matching import RCNN_BOX_REGRESSION, IoURule
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.ridge import (
    BoxRegression,
    RegressionPairs,
    fit_regressors,
    regression_pairs,
    ridge_regression,
)

SIZE = (60, 80)


def test_nothing_to_fit_is_refused(target: Target) -> None:
    with pytest.raises(ValueError, match=r"0 examples and ridge 1\.0; both must be above 0"):
        ridge_regression(torch.zeros(0, 3), torch.zeros(0, 4), 1.0)
    with pytest.raises(ValueError, match=r"ridge 0\.0"):
        ridge_regression(torch.zeros(2, 3), torch.zeros(2, 4), 0.0)
    with pytest.raises(ValueError, match="nothing to learn"):
        regression_pairs([], [])
    with pytest.raises(ValueError, match="nothing to learn"):
        regression_pairs([Proposals.empty(SIZE)], [target])
    pairs = RegressionPairs(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    assert (fit_regressors(torch.zeros(0, 3), pairs, 2, BoxRegression()).weight == 0).all()


@pytest.mark.parametrize(("n", "p"), [(50, 7), (7, 50), (20, 20), (1, 3)])
@pytest.mark.parametrize("ridge", [0.5, 1000.0])
def test_against_scikit_learn(n: int, p: int, ridge: float, device: torch.device, generator: torch.Generator) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    features = 5 + 3 * torch.randn(n, p, generator=generator)
    targets = features[:, :2] @ torch.randn(2, 4, generator=generator) + torch.randn(n, 4, generator=generator) - 7
    weight, bias = ridge_regression(features.to(device), targets.to(device), ridge)
    theirs = linear_model.Ridge(alpha=ridge, fit_intercept=True).fit(features.double(), targets.double())
    assert (weight.shape, bias.shape, weight.device.type) == ((4, p), (4,), device.type)
    torch.testing.assert_close(weight.cpu().double(), torch.from_numpy(theirs.coef_), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(bias.cpu().double(), torch.from_numpy(theirs.intercept_), atol=1e-4, rtol=1e-4)


def random_pairs(count: int, classes: int, generator: torch.Generator) -> RegressionPairs:
    labels = torch.arange(count) % classes + 1
    return RegressionPairs(torch.arange(count), labels, torch.randn(count, 4, generator=generator))


@pytest.mark.parametrize("p", [6, 60])
def test_regressors_are_ridge_on_scaled_features_by_class(
    p: int, device: torch.device, generator: torch.Generator
) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    settings = BoxRegression(ridge=30.0, feature_norm=20.0)
    features, pairs = 0.3 * torch.rand(40, p, generator=generator), random_pairs(40, 3, generator)
    pairs.labels[pairs.labels == 2] = 4  # no pair is of class 2
    moved = RegressionPairs(*(t.to(device) for t in (pairs.rows, pairs.labels, pairs.deltas)))
    layer = fit_regressors(features.to(device), moved, 4, settings)
    assert layer.weight.device.type == device.type
    assert not layer.weight.requires_grad
    lengths = [float(row.square().sum()) ** 0.5 for row in features]
    scaled = features.double() * 20.0 / (sum(lengths) / 40)
    predicted = layer(features.to(device)).cpu().double().view(40, 4, 4)
    assert (predicted[:, 1] == 0).all()
    for k in (0, 2, 3):
        chosen = pairs.labels == k + 1
        theirs = linear_model.Ridge(alpha=30.0).fit(scaled[chosen], pairs.deltas[chosen].double())
        torch.testing.assert_close(predicted[:, k], torch.from_numpy(theirs.predict(scaled)), atol=1e-4, rtol=1e-4)


def test_regressors_that_know_the_way_move_boxes_onto_the_objects(generator: torch.Generator) -> None:
    """The features tell the deltas themselves: what comes out, decoded, is the ground truth."""
    corner = torch.rand(30, 2, generator=generator) * 30
    boxes = torch.cat([corner, corner + 5 + 20 * torch.rand(30, 2, generator=generator)], dim=1)
    objects = boxes + torch.rand(30, 4, generator=generator)
    deltas = BoxCoder().encode(boxes, objects)
    features = deltas @ torch.randn(4, 6, generator=generator)
    pairs = RegressionPairs(torch.arange(30), torch.ones(30, dtype=torch.long), deltas)
    layer = fit_regressors(features, pairs, 1, BoxRegression(ridge=1e-6))
    torch.testing.assert_close(BoxCoder().decode(boxes, layer(features)), objects, atol=0.01, rtol=0)


def overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared)


def slow_pairs(regions: list[Proposals], targets: list[Target], threshold: float) -> list[tuple[int, int, Tensor]]:
    """(row in the set, class, object's box) of every region that overlaps its best object enough."""
    pairs, start = [], 0
    for part, target in zip(regions, targets, strict=True):
        for r in range(len(part)):
            best, which = 0.0, -1
            for g in range(len(target)):
                found = overlap(part.boxes[r].tolist(), target.boxes[g].tolist())
                if found > best and not target.difficult[g]:
                    best, which = found, g
            if best >= threshold:
                pairs.append((start + r, int(target.labels[which]), target.boxes[which]))
        start += len(part)
    return pairs


@pytest.mark.parametrize("rule", [RCNN_BOX_REGRESSION, IoURule(foreground=0.3, background=None)])
def test_pairs_against_a_loop(rule: IoURule, generator: torch.Generator) -> None:
    regions, targets = [], []
    for objects in (3, 0, 5, 1):
        corner = torch.rand(objects, 2, generator=generator) * torch.tensor([50.0, 30.0])
        boxes = torch.cat([corner, corner + 10 + torch.rand(objects, 2, generator=generator) * 20], dim=1)
        labels = torch.randint(1, 4, (objects,), generator=generator)
        targets.append(Target(boxes, labels, torch.arange(objects) % 3 == 1, None, SIZE))
        near = boxes.repeat(6, 1) + 4 * torch.randn(6 * objects, 4, generator=generator)
        near = torch.cat([torch.minimum(near[:, :2], near[:, 2:]), torch.maximum(near[:, :2], near[:, 2:])], dim=1)
        regions.append(Proposals(near, None, SIZE))
    found, expected = regression_pairs(regions, targets, rule), slow_pairs(regions, targets, rule.foreground)
    assert 10 < len(expected) < sum(map(len, regions))
    assert found.rows.tolist() == [row for row, _, _ in expected]
    assert found.labels.tolist() == [label for _, label, _ in expected]
    rows = torch.cat([part.boxes for part in regions])[found.rows]
    objects = torch.stack([box for _, _, box in expected])
    torch.testing.assert_close(BoxCoder().decode(rows, found.deltas), objects, atol=1e-3, rtol=0)
