"""lecture_lib.training.fine_tuning: what is trained and what is not, and the linear head against scikit-learn."""

from dataclasses import replace

import pytest
import torch

from lecture_lib.training.crops import Crops
from lecture_lib.training.fine_tuning import (
    TransferSettings,
    accuracy,
    augment,
    fit,
    in_batches,
    linear_head,
    prepare,
    random_batches,
    renew_batch_norm,
)

SETTINGS = TransferSettings(crop_size=32, batch_size=4)


def noise(count: int) -> Crops:
    """Crops without any content, two classes in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, 32, 32, generator=generator)
    return Crops(images, torch.arange(count) % 2 + 1, ("a", "b"))


def test_nothing_to_train_on_is_refused(generator: torch.Generator) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        linear_head(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long), 3)
    with pytest.raises(ValueError, match="No images"):
        random_batches(0, 4, 2, generator)


def test_linear_head_is_the_optimum_that_scikit_learn_finds(generator: torch.Generator) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    features = torch.randn(60, 5, generator=generator)
    labels = (features @ torch.randn(5, 3, generator=generator)).argmax(1) + 1
    ours = linear_head(features * 3 + 7, labels, 3, ridge=0.1)
    scaled = (features - features.mean(0)) / (features * 3).std(correction=0) * 3
    theirs = linear_model.LogisticRegression(C=1 / (0.1 * 60), tol=1e-8, max_iter=1000).fit(scaled, labels)
    expected = torch.from_numpy(theirs.predict_proba(scaled)).float()
    with torch.no_grad():
        torch.testing.assert_close(ours(features * 3 + 7).softmax(1), expected, atol=2e-3, rtol=0)


def test_linear_head_survives_features_without_spread() -> None:
    head = linear_head(torch.ones(4, 3), torch.tensor([1, 1, 1, 2]), 2)
    assert torch.isfinite(head.weight).all()
    assert head(torch.ones(1, 3)).argmax().item() == 0


def test_batches_take_every_row_once_a_round_and_go_on(generator: torch.Generator) -> None:
    batches = random_batches(10, 4, 6, generator)
    assert [len(b) for b in batches] == [4, 4, 2] * 2
    assert sorted(torch.cat(batches[:3]).tolist()) == list(range(10)) == sorted(torch.cat(batches[3:]).tolist())
    assert random_batches(10, 4, 0, generator) == []


def test_augmentation_mirrors_half_and_zooms_inside_the_image(generator: torch.Generator) -> None:
    column = (torch.arange(20) + 0.5).expand(64, 3, 20, 20)  # every pixel tells its x
    seen = augment(column, generator)[:, 0, 10]
    slope = (seen[:, 12] - seen[:, 8]) / 4  # x per pixel: the zoom, negative where mirrored
    assert 16 < int((slope < 0).sum()) < 48
    assert float(slope.abs().min()) >= 0.7 - 1e-4
    assert float(slope.abs().max()) <= 1 + 1e-4
    assert float(slope.abs().std()) > 0.05
    assert (seen[:, [0, -1]] - 10).abs().max() <= 9.5 + 1e-4
    edges = 10 + (torch.tensor([[-10.0, 10.0]]) * slope[:, None]) + (seen[:, 9:11].mean(1) - 10)[:, None]
    assert float(edges.min()) >= -1e-3  # the window does not leave the image
    assert float(edges.max()) <= 20 + 1e-3


def test_renewed_statistics_are_means_over_the_images() -> None:
    backbone = prepare("scratch", 2, SETTINGS, torch.Generator().manual_seed(0))
    crops = noise(8)
    renew_batch_norm(backbone, crops.images)
    norm = backbone.trunk.stem.norm
    with torch.no_grad():
        expected = backbone.trunk.stem.conv(backbone.preprocess(crops.images)).mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, expected, atol=1e-5, rtol=1e-4)
    assert norm.momentum == 0.1
    frozen = prepare("fine-tuned", 2, SETTINGS, torch.Generator().manual_seed(0))
    before = frozen.trunk.stem.norm.running_mean.clone()
    renew_batch_norm(frozen, crops.images)
    assert torch.equal(frozen.trunk.stem.norm.running_mean, before)


def test_accuracy_counts_labels_from_one() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 5.0], [1.0, 0.0]])
    assert accuracy(logits, torch.tensor([1, 2, 2])) == pytest.approx(2 / 3)
    assert in_batches(lambda x: x[:, 0, 0], torch.rand(130, 3, 2, 5)).shape == (130, 5)


@pytest.mark.parametrize(
    ("method", "stages", "moved"),
    [
        ("scratch", None, {"stem", "stage1", "stage7", "head", "classifier"}),
        ("fine-tuned", None, {"stem", "stage1", "stage7", "head", "classifier"}),
        ("fine-tuned", 2, {"stage7", "head", "classifier"}),
        ("frozen", None, {"classifier"}),
    ],
)
def test_only_what_a_method_trains_moves(method: str, stages: int | None, moved: set[str]) -> None:
    settings = replace(SETTINGS, tuned_stages=stages)
    backbone = prepare(method, 2, settings, torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    steps = list(fit(backbone, noise(8), 2, settings.pretrained_rate, settings))
    assert [s.step for s in steps] == [1, 2]
    assert not backbone.training
    changed = {k for k, v in backbone.state_dict().items() if not torch.equal(before[k], v)}
    found = {k.split(".")[1] for k in changed}
    assert found & {"stem", "stage1", "stage7", "head", "classifier"} == moved
    statistics = any("running" in k for k in changed)
    assert statistics == (method == "scratch")  # ImageNet's statistics are kept


def test_pretrained_layers_move_a_tenth_as_far() -> None:
    """AdamW's first steps have the size of the rate, so distances are in proportion to it."""
    moved = {}
    for rate in (0.1, 1.0):
        backbone = prepare("fine-tuned", 2, SETTINGS, torch.Generator().manual_seed(0))
        before = backbone.trunk.stage5[0].expand.conv.weight.detach().clone()
        head = backbone.tail.classifier.weight.detach().clone()
        list(fit(backbone, noise(8), 1, rate, replace(SETTINGS, weight_decay=0.0)))
        moved[rate] = (backbone.trunk.stage5[0].expand.conv.weight - before).abs().median().item()
        assert (backbone.tail.classifier.weight - head).abs().max() > 0
    assert moved[0.1] == pytest.approx(0.1 * moved[1.0], rel=0.05)
