"""lecture_lib.heads: which features are read, and which number of a layer is which class's."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lecture_lib.heads import ForegroundSoftmax, RegionHead, WholeCNN, svm_and_ridge
from lecture_lib.structures import RegionFeatures


def features(count: int, generator: torch.Generator) -> RegionFeatures:
    return RegionFeatures(torch.randn(count, 6, generator=generator), torch.randn(count, 5, generator=generator))


def test_no_region(small_backbone: Callable, device: torch.device) -> None:
    head = svm_and_ridge(6, 5, 3).to(device)
    predictions = head(RegionFeatures.empty(6, 5).to(device))
    assert (predictions.scores.shape, predictions.deltas.shape) == ((0, 3), (0, 3, 4))
    predictions = RegionHead(head.score, None)(RegionFeatures.empty(6, 5).to(device))
    assert (predictions.scores.shape, predictions.deltas.shape) == ((0, 3), (0, 3, 4))
    assert ForegroundSoftmax()(torch.zeros(0, 4, device=device)).shape == (0, 3)
    embedded = WholeCNN(small_backbone().to(device))(torch.zeros(0, 3, 16, 16, device=device))
    assert (embedded.pool5.shape, embedded.fc7.shape) == ((0, 96), (0, 10))


def test_softmax_drops_the_background(device: torch.device, generator: torch.Generator) -> None:
    logits = 3 * torch.randn(7, 4, generator=generator)
    found = ForegroundSoftmax()(logits.to(device)).cpu()
    torch.testing.assert_close(found, torch.softmax(logits, dim=1)[:, 1:])
    for r in range(7):
        powers = [2.718281828459045 ** float(value) for value in logits[r]]
        assert found[r].tolist() == pytest.approx([power / sum(powers) for power in powers[1:]], rel=1e-5)


@pytest.mark.parametrize("reads", ["fc7", "pool5"])
def test_scores_read_what_they_are_told_and_boxes_always_pool5(reads: str, generator: torch.Generator) -> None:
    found = features(4, generator)
    score, regress = nn.Linear(5 if reads == "fc7" else 6, 3), nn.Linear(6, 12)
    predictions = RegionHead(score, regress, reads)(found)
    for r in range(4):
        for k in range(3):
            margin = getattr(found, reads)[r] @ score.weight[k] + score.bias[k]
            assert predictions.scores[r, k].item() == pytest.approx(margin.item(), abs=1e-5)
            for c in range(4):
                delta = found.pool5[r] @ regress.weight[4 * k + c] + regress.bias[4 * k + c]
                assert predictions.deltas[r, k, c].item() == pytest.approx(delta.item(), abs=1e-5)


def test_softmax_classifier_scores_as_one_module(generator: torch.Generator) -> None:
    found, classifier = features(4, generator), nn.Linear(5, 4)
    predictions = RegionHead(nn.Sequential(classifier, ForegroundSoftmax()), None)(found)
    torch.testing.assert_close(predictions.scores, classifier(found.fc7).softmax(1)[:, 1:])


def test_without_regressors_boxes_stay(device: torch.device, generator: torch.Generator) -> None:
    head = RegionHead(nn.Linear(5, 3), None).to(device)
    predictions = head(features(4, generator).to(device))
    assert torch.equal(predictions.deltas, torch.zeros(4, 3, 4, device=device))
    assert predictions.scores.abs().min() > 0


def test_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="'fc7' or 'pool5', got 'fc6'"):
        RegionHead(nn.Linear(5, 3), None, "fc6")


def test_untrained_head_scores_nothing_and_moves_nothing(device: torch.device, generator: torch.Generator) -> None:
    head = svm_and_ridge(6, 5, 3).to(device)
    predictions = head(features(4, generator).to(device))
    assert torch.equal(predictions.scores, torch.zeros(4, 3, device=device))
    assert torch.equal(predictions.deltas, torch.zeros(4, 3, 4, device=device))
    shapes = {name: tuple(t.shape) for name, t in head.state_dict().items()}
    expected = {"score.weight": (3, 5), "score.bias": (3,), "regress.weight": (12, 6), "regress.bias": (12,)}
    assert shapes == expected


def test_whole_cnn_gives_both_depths(small_backbone: Callable, device: torch.device) -> None:
    backbone = small_backbone().to(device)
    regions = torch.rand(3, 3, 16, 16, device=device)
    with torch.no_grad():
        found = WholeCNN(backbone)(regions)
        torch.testing.assert_close(found.pool5, backbone.trunk(backbone.preprocess(regions)).flatten(1))
        torch.testing.assert_close(found.fc7, backbone.features(regions))
