"""tests.benchmarks.speed.fitting: what a note says of two solutions."""

import torch

from tests.benchmarks.speed.fitting import FC7, fc7_like, svm_differences


def test_features_are_as_a_networks(generator: torch.Generator) -> None:
    x = fc7_like(200, FC7, generator)
    assert (x >= 0).all()
    assert 0.2 < float((x == 0).float().mean()) < 0.9


def test_differences_of_svms_are_those_of_their_scores(generator: torch.Generator) -> None:
    features, labels = torch.rand(20, 3, generator=generator), torch.arange(20)[:, None] % 2
    weight = torch.tensor([[0.1, 0.2, 0.3, 0.0]])
    assert svm_differences(weight, weight, features, labels).startswith("scores differ by 0 at most")
    moved = weight + torch.tensor([[0.0, 0.0, 0.0, 0.05]])  # of a bias feature of 10
    assert svm_differences(moved, weight, features, labels).startswith("scores differ by 0.5 at most")
