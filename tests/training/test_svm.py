"""lecture_lib.training.svm: the optimum that scikit-learn finds, and mining that finds what was hidden."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lecture_lib.matching import RCNN_SVM, IoURule
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.svm import HardNegativeMining, SvmSettings, fit_svm, hinge_objective, svm_labels

SIZE = (60, 80)
IMAGES, REGIONS, WIDTH = 24, 60, 6


def test_nothing_to_learn_from(target: Target) -> None:
    assert svm_labels([Proposals.empty(SIZE)], [target], 2).shape == (0, 2)
    none = torch.zeros(0)
    assert float(hinge_objective(torch.tensor([3.0, 4.0]), torch.zeros(0, 2), none, none)) == 12.5
    with pytest.raises(ValueError, match="0 positive of 0 examples"):
        fit_svm(torch.zeros(0, 2), none.bool(), none)
    for positive in (torch.ones(3).bool(), torch.zeros(3).bool()):
        with pytest.raises(ValueError, match="both kinds are needed"):
            fit_svm(torch.ones(3, 2), positive, torch.ones(3))


def slow_objective(weight: np.ndarray, x: np.ndarray, positive: np.ndarray, cost: float, weight_of_positive: float):
    total = 0.5 * sum(float(w) ** 2 for w in weight)
    for row, yes in zip(x, positive, strict=True):
        margin = float(np.dot(row, weight))
        slack = max(0.0, 1 - margin) if yes else max(0.0, 1 + margin)
        total += cost * (weight_of_positive if yes else 1.0) * slack**2
    return total


def test_objective_against_a_loop(device: torch.device, generator: torch.Generator) -> None:
    x, weight = torch.randn(30, 5, generator=generator), torch.randn(5, generator=generator)
    positive = torch.rand(30, generator=generator) < 0.3
    cost = torch.where(positive, 0.6, 0.2)
    tensors = (weight, x, positive.float() * 2 - 1, cost)
    found = hinge_objective(*(t.to(device) for t in tensors))
    assert float(found) == pytest.approx(
        slow_objective(weight.numpy(), x.numpy(), positive.numpy(), 0.2, 3.0), rel=1e-5
    )


@pytest.mark.parametrize("cost", [0.001, 0.1, 5.0])
@pytest.mark.parametrize("shift", [0.5, 4.0])  # classes that overlap, and classes that do not
def test_svm_is_the_optimum_that_scikit_learn_finds(cost: float, shift: float, generator: torch.Generator) -> None:
    svm = pytest.importorskip("sklearn.svm")
    positive = torch.arange(90) < 30
    features = torch.randn(90, 4, generator=generator) + shift * positive[:, None] + 1
    x = torch.cat([features, torch.full((90, 1), 10.0)], dim=1)
    found = fit_svm(x, positive, torch.where(positive, 2 * cost, cost))
    theirs = svm.LinearSVC(
        loss="squared_hinge", dual=False, C=cost, class_weight={1: 2.0, -1: 1.0}, intercept_scaling=10.0, tol=1e-8,
        max_iter=100_000,
    ).fit(features.double(), positive.long() * 2 - 1)  # fmt: skip
    torch.testing.assert_close(found[:4].double(), torch.from_numpy(theirs.coef_[0]), atol=1e-3, rtol=1e-2)
    assert float(found[4]) * 10 == pytest.approx(float(theirs.intercept_[0]), abs=1e-2)


def test_the_start_does_not_matter(device: torch.device, generator: torch.Generator) -> None:
    positive = torch.arange(60, device=device) < 20
    x = torch.randn(60, 4, generator=generator).to(device) + positive[:, None]
    cost = torch.full((60,), 0.1, device=device)
    elsewhere = fit_svm(x, positive, cost, torch.full((4,), 5.0, device=device))
    torch.testing.assert_close(fit_svm(x, positive, cost), elsewhere, atol=1e-3, rtol=1e-2)


def planted(dtype: type = np.float32) -> tuple[np.ndarray, Tensor, list[int], dict[int, list[int]]]:
    """Features, labels, first rows and, by class, the rows of a few negatives that lie close to the positives.

    They are 12 of 1,392; nearly all others are far away.
    """
    generator = np.random.default_rng(0)
    features = generator.normal(0, 0.7, (IMAGES * REGIONS, WIDTH))
    labels, hard = torch.zeros(len(features), 2, dtype=torch.long), {}
    features[:, 5] += 3
    for k in (0, 1):
        positive = np.arange(IMAGES) * REGIONS + k
        features[positive] += 4 * np.eye(WIDTH)[k]
        labels[positive, k] = 1
        hard[k] = (np.arange(0, IMAGES, 2) * REGIONS + 10 + k).tolist()
        features[hard[k]] += 4 * np.eye(WIDTH)[k] + 1.5 * np.eye(WIDTH)[2 + k]
    labels[20::60] = -1  # one region an image that is ignored, though it looks like an object of both classes
    features[20::60, :2] += 8
    return features.astype(dtype), labels, [i * REGIONS for i in range(IMAGES + 1)], hard


SETTINGS = SvmSettings(first_negatives=40, images_per_round=5, seed=2)


def full_objective(layer: nn.Linear, scale: float, features: np.ndarray, labels: Tensor, k: int) -> float:
    """What the SVM of class k costs on all examples of the set, mined or not."""
    used = labels[:, k].numpy() >= 0
    x = np.concatenate([features[used] * scale, np.full((used.sum(), 1), SETTINGS.bias_feature)], axis=1)
    weight = np.append(layer.weight[k].numpy() / scale, float(layer.bias[k]) / SETTINGS.bias_feature)
    return slow_objective(weight, x, labels[used, k].numpy() == 1, SETTINGS.cost, SETTINGS.positive_weight)


def test_mining_finds_the_hard_negatives_that_the_random_start_missed() -> None:
    features, labels, starts, hard = planted()
    mining = HardNegativeMining(features, labels, starts, SETTINGS)
    for k in (0, 1):
        assert len(mining.cache[k]) == 40
        assert not set(mining.cache[k].tolist()) & set(hard[k])
        assert (labels[mining.cache[k], k] == 0).all()
    records = list(mining.rounds())
    assert [record.images for record in records] == [0, 5, 10, 15, 20, 24]
    assert records[0].hard == (0, 0)
    assert records[0].negatives == (40, 40)
    assert all(min(record.hard) > 0 for record in records[1:3])
    for k in (0, 1):
        assert set(hard[k]) <= set(mining.cache[k].tolist())
        assert (labels[mining.cache[k], k] == 0).all()


def test_mined_svm_is_the_svm_of_all_examples() -> None:
    svm = pytest.importorskip("sklearn.svm")
    features, labels, starts, _ = planted()
    mining = HardNegativeMining(features, labels, starts, SETTINGS)
    records = list(mining.rounds())
    lengths = np.sqrt((features.astype(np.float64) ** 2).sum(axis=1))
    assert mining.scale == pytest.approx(20.0 / lengths.mean(), rel=1e-5)  # of less than 2,000 rows all are measured
    first = HardNegativeMining(features, labels, starts, SETTINGS)
    next(first.rounds())
    for k in (0, 1):
        used = labels[:, k].numpy() >= 0
        theirs = svm.LinearSVC(
            loss="squared_hinge", dual=False, C=SETTINGS.cost, class_weight={1: 2.0, 0: 1.0}, intercept_scaling=10.0,
            tol=1e-8, max_iter=100_000,
        ).fit(features[used].astype(np.float64) * mining.scale, labels[used, k].numpy())  # fmt: skip
        everything = nn.Linear(WIDTH, 2).requires_grad_(False)
        everything.weight[k] = torch.from_numpy(theirs.coef_[0] * mining.scale)
        everything.bias[k] = float(theirs.intercept_[0])
        best = full_objective(everything, mining.scale, features, labels, k)
        found = full_objective(mining.layer(), mining.scale, features, labels, k)
        start = full_objective(first.layer(), mining.scale, features, labels, k)
        assert best <= found * (1 + 1e-4)
        assert found <= 1.01 * best
        assert start > 1.5 * best
        assert records[-1].negatives[k] < 0.2 * int((labels[:, k] == 0).sum())


def test_easy_negatives_leave_the_cache() -> None:
    features, labels, starts, _ = planted()
    mining = HardNegativeMining(features, labels, starts, SETTINGS)
    for record in mining.rounds():
        margins = mining.layer()(torch.from_numpy(features))
        for k in (0, 1):
            assert len(mining.cache[k]) < record.negatives[k]
            assert (margins[mining.cache[k], k] > -1.2 - 1e-4).all()


def test_layer_gives_margins_of_the_features_as_they_are_stored() -> None:
    features, labels, starts, _ = planted()
    mining = HardNegativeMining(features, labels, starts, SETTINGS)
    list(mining.rounds())
    layer = mining.layer()
    assert not layer.weight.requires_grad
    x = np.concatenate([features * mining.scale, np.full((len(features), 1), 10.0)], axis=1)
    margins = x @ torch.stack(mining.weights).double().numpy().T
    np.testing.assert_allclose(layer(torch.from_numpy(features)).numpy(), margins, atol=1e-3)
    for k in (0, 1):
        assert margins[labels[:, k].numpy() == 1, k].mean() > 1 + margins[labels[:, k].numpy() == 0, k].mean()


def test_stored_features_in_half_precision_are_as_good() -> None:
    exact, half = (HardNegativeMining(*planted(dtype)[:3], SETTINGS) for dtype in (np.float32, np.float16))
    list(exact.rounds()), list(half.rounds())
    torch.testing.assert_close(exact.layer().weight, half.layer().weight, atol=0.01, rtol=0.02)


def test_without_mining_it_is_the_svm_of_the_random_start() -> None:
    features, labels, starts, _ = planted()
    mining = HardNegativeMining(features, labels, starts, replace(SETTINGS, mine=False))
    before = [rows.clone() for rows in mining.cache]
    (record,) = mining.rounds()
    assert (record.images, record.hard, record.negatives) == (0, (0, 0), (40, 40))
    for k in (0, 1):
        assert torch.equal(mining.cache[k], before[k])
        rows = torch.cat([(labels[:, k] == 1).nonzero().flatten(), before[k]])
        x = torch.from_numpy(features)[rows] * mining.scale
        positive = torch.arange(len(rows)) < IMAGES
        cost = torch.where(positive, 0.002, 0.001)
        expected = fit_svm(torch.cat([x, torch.full((len(x), 1), 10.0)], dim=1), positive, cost)
        torch.testing.assert_close(mining.weights[k], expected, atol=1e-4, rtol=1e-3)


def test_same_seed_same_svm_other_seed_other_start() -> None:
    caches = [HardNegativeMining(*planted()[:3], replace(SETTINGS, seed=s)).cache[0] for s in (1, 1, 2)]
    assert torch.equal(caches[0], caches[1])
    assert not torch.equal(caches[0], caches[2])


def test_a_class_without_positives_is_named() -> None:
    features, labels, starts, _ = planted()
    labels[:, 1] = labels[:, 1].clamp(max=0)
    with pytest.raises(ValueError, match=r"class 2 has no positive region.*Leave the class out"):
        list(HardNegativeMining(features, labels, starts, SETTINGS).rounds())


def test_labels_are_given_class_by_class(target: Target) -> None:
    """The red square is (10, 10, 30, 30), of class 1; the green one, of class 2, is far from all these boxes."""
    boxes = torch.tensor(
        [
            [10.0, 10, 30, 30],  # the object
            [10, 10, 30, 29],  # nearly: IoU 0.95
            [10, 10, 30, 16],  # IoU 0.3, no longer negative
            [10, 10, 30, 15.9],  # below 0.3
            [0, 40, 9, 60],  # ground
            [45, 30, 75, 55],  # the other object
        ]
    )
    found = svm_labels([Proposals(boxes, None, SIZE)], [target], 3)
    assert found.tolist() == [[1, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    strict = svm_labels([Proposals(boxes, None, SIZE)], [target], 3, IoURule(0.5, (0.0, 0.5)))
    assert strict.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_labels_of_a_set_are_those_of_its_images(target: Target) -> None:
    hard = Target(target.boxes, target.labels, torch.tensor([True, False]), None, SIZE)
    empty, none = Proposals.empty(SIZE), Target.empty(SIZE)
    boxes = Proposals(torch.cat([target.boxes, torch.tensor([[12.0, 10, 30, 30]])]), None, SIZE)
    found = svm_labels([boxes, empty, boxes, boxes], [target, target, none, hard], 2, RCNN_SVM)
    assert found[:3].tolist() == [[1, 0], [0, 1], [-1, 0]]
    assert found[3:6].tolist() == [[0, 0]] * 3
    assert found[6:, 1].tolist() == [0, 1, 0]
    assert found[6, 0] == -1  # a difficult object is no example of its class
    assert (found[6:, 0] < 1).all()
