"""lecture_lib.training.transfer: the three methods on crops that only ImageNet knowledge or colour tells apart."""

from pathlib import Path

import pytest
import torch

from lecture_lib.backbones import efficientnet_lite0
from lecture_lib.training import transfer
from lecture_lib.training.crops import Crops
from lecture_lib.training.fine_tuning import TransferSettings
from lecture_lib.training.transfer import TransferExperiment, learning_curves, measure, probe_by_depth

QUICK = TransferSettings(images_per_class=(1, 2), crop_size=32, steps=3, scratch_steps=2, batch_size=4)


def patterns(count: int, seed: int) -> Crops:
    """Noisy stripes, upright (1) or lying (2): a class that no mean colour gives away."""
    generator = torch.Generator().manual_seed(seed)
    stripes = (torch.arange(32) // 4 % 2).float().expand(3, 32, 32)
    labels = torch.arange(count) % 2 + 1
    images = (
        torch.stack([stripes if k == 1 else stripes.transpose(1, 2) for k in labels.tolist()]) if count else stripes[:0]
    )
    images = images.reshape(count, 3, 32, 32)
    return Crops(images * 0.6 + 0.4 * torch.rand(images.shape, generator=generator), labels, ("upright", "lying"))


def test_no_training_crops_are_refused() -> None:
    with pytest.raises(ValueError, match="No crop of"):
        next(learning_curves(patterns(0, 0), patterns(4, 1), QUICK))


def test_curves_have_every_point_in_order_and_are_repeatable() -> None:
    train, test = patterns(8, 0), patterns(8, 1)
    points = list(learning_curves(train, test, QUICK))
    assert [(p.images_per_class, p.method) for p in points] == [
        (n, m) for n in (1, 2) for m in ("scratch", "frozen", "fine-tuned")
    ]
    assert all(0 <= p.accuracy <= 1 and p.seconds > 0 for p in points)
    torch.rand(7)  # the state of the global generator must not matter
    again = list(learning_curves(train, test, QUICK))
    assert [p.accuracy for p in points] == [p.accuracy for p in again]


def test_frozen_features_tell_stripes_apart_and_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(transfer, "efficientnet_lite0", lambda: built.append(1) or efficientnet_lite0())
    experiment = TransferExperiment(patterns(8, 0), patterns(20, 1), QUICK)
    ready = []
    monkeypatch.setattr(transfer, "perf_counter", lambda: ready.append("features" in vars(experiment)) or 0.0)
    assert experiment.run("frozen", 4).accuracy == 1
    assert ready == [True, True]  # their time is no part of the first point's
    assert experiment.run("frozen", 1).accuracy > 0.5
    assert len(built) == 1


def test_probes_see_every_stage_and_mean_colour_is_blind() -> None:
    found = probe_by_depth(efficientnet_lite0(), patterns(16, 0), patterns(16, 1))
    assert list(found) == ["stem", *(f"stage{i}" for i in range(1, 8)), "head"]
    assert found["stage3"] == 1  # oriented edges are known early


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(transfer, "stamp_crops", lambda settings, deal: (patterns(8, settings.seed), patterns(8, 9)))
    return tmp_path / "results" / "curves.json"


def test_measuring_goes_on_where_it_was_stopped(measured: Path) -> None:
    steps = measure(measured, QUICK, [0], seeds=2)
    first = [next(steps), next(steps)]
    steps.close()
    assert transfer.read_json(measured)["points"] == first
    rest = list(measure(measured, QUICK, [0], seeds=2))
    result = transfer.read_json(measured)
    assert result["points"] == first + rest
    cells = {(p["seed"], p["method"], p["images_per_class"]) for p in result["points"]}
    assert len(cells) == len(result["points"]) == 2 * 3 * 2
    assert list(measure(measured, QUICK, [0], seeds=2)) == []
    assert set(result) == {"command", "date", "machine", "settings", "points"}


def test_other_settings_are_not_mixed(measured: Path) -> None:
    next(measure(measured, QUICK, [0], seeds=1))
    with pytest.raises(ValueError, match=r"other settings. Delete it, or write beside it with --out"):
        next(measure(measured, QUICK, [1], seeds=1))


def test_bundled_crops_are_disjoint_in_size_and_class() -> None:
    train, test = transfer.stamp_crops(TransferSettings(images_per_class=(2,), crop_size=32))
    assert train.classes == test.classes
    assert len(train) == 2 * len(train.classes)
    assert train.images.shape[1:] == (3, 32, 32)
    assert len(test) >= 20 * len(test.classes)
