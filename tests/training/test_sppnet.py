"""SPPnet from images to detections on a miniature network: its stages are R-CNN's, its trunk stays as it was."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lecture_lib.backbones import BACKBONES
from lecture_lib.detectors import Detector, load, sppnet
from lecture_lib.evaluation import evaluate
from lecture_lib.matching import SPPNET_FINE_TUNING, SampleRule
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.examples import Examples
from lecture_lib.training.rcnn import RCNNRun, RCNNTraining, Trained, label_for_tuning, train_and_test
from lecture_lib.training.region_softmax import fine_tune
from lecture_lib.training.regions import Pixels
from lecture_lib.training.svm import SvmSettings
from lecture_lib.voc import VOCDataset
from tests.rounded import as_loaded

SIZE, COUNT = (40, 60), 8


class Pictures(VOCDataset):
    """Noisy pictures with a red and a green square; at one of them, something else may happen."""

    def __init__(self, seed: int, at: int = -1) -> None:
        self.classes, self.split, self.at = ("red", "green"), f"pictures {seed}", at
        generator = torch.Generator().manual_seed(seed)
        corner = torch.rand(COUNT, 2, 2, generator=generator) * torch.tensor([12.0, 20.0])
        corner[:, 1, 0] += 30  # the green one is always on the right
        self.boxes = torch.cat([corner, corner + 16], dim=2).round()
        self.pictures = 0.4 * torch.rand(COUNT, 3, *SIZE, generator=generator)
        for picture, boxes in zip(self.pictures, self.boxes.int().tolist(), strict=True):
            for channel, (x1, y1, x2, y2) in enumerate(boxes):
                picture[channel, y1:y2, x1:x2] += 0.5

    def __len__(self) -> int:
        return COUNT

    def image(self, i: int) -> Tensor:
        if i == self.at:
            raise KeyboardInterrupt
        return self.pictures[i]

    def target(self, i: int) -> Target:
        return Target(self.boxes[i], torch.tensor([1, 2]), torch.zeros(2, dtype=torch.bool), None, SIZE)


def examples(seed: int, at: int = -1) -> Examples:
    """Every object has a box that fits nearly, and there are others all over the picture."""
    dataset = Pictures(seed, at)
    targets, proposals = [dataset.target(i) for i in range(COUNT)], []
    for i, target in enumerate(targets):
        generator = torch.Generator().manual_seed(100 * seed + i)
        near = target.boxes.repeat(4, 1) + 3 * torch.randn(8, 4, generator=generator)
        corner = torch.rand(20, 2, generator=generator) * torch.tensor([42.0, 22.0])
        far = torch.cat([corner, corner + 8 + 10 * torch.rand(20, 2, generator=generator)], dim=1)
        proposals.append(Proposals(torch.cat([near, far]).clamp(min=0), None, SIZE))
    return Examples(dataset, proposals, targets)


@pytest.fixture(scope="module")
def settings() -> RCNNTraining:
    made = RCNNTraining.seeded(0, "sppnet", train_regions=28, test_regions=28)
    tuning = replace(made.fine_tuning, steps=30, learning_rate=0.03, batch=SampleRule(24, 0.25))
    return replace(made, fine_tuning=tuning, svm=replace(SvmSettings(), cost=0.1))


@pytest.fixture
def begin(small_backbone: Callable, settings: RCNNTraining) -> Callable[..., RCNNRun]:
    """Begins a run in a folder; with the same backbone and generator every time."""

    def begin(folder: Path, seed: int = 0, at: int = -1) -> RCNNRun:
        backbone = small_backbone(dropout=0.2, batch_norm=True, seed=seed)
        detector = sppnet(("red", "green"), backbone, torch.Generator().manual_seed(seed), scales=(80,))
        return RCNNRun(detector, examples(0, at), examples(1), settings, folder, "sppnet", "small")

    return begin


def trunk(detector: Detector) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in detector.encode.state_dict().items()}


def same_weights(first: Trained, second: Trained) -> None:
    for slot, module in first.detector.modules().items():
        for name, tensor in module.state_dict().items():
            other = second.detector.modules()[slot].state_dict()[name]
            torch.testing.assert_close(tensor, other, atol=0.02, rtol=0.001)


def test_the_papers_settings() -> None:
    settings = RCNNTraining.seeded(3, "sppnet")
    assert settings.fine_tuning.rule == SPPNET_FINE_TUNING
    assert (settings.fine_tuning.seed, settings.svm.seed, settings.seed) == (3, 3, 3)


def test_training_from_start_to_end(
    begin: Callable, small_backbone: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path)
    before = trunk(run.detector)
    out = train_and_test(run)
    assert all(torch.equal(tensor, before[name]) for name, tensor in trunk(out.detector).items())
    assert out.result["map"] > 0.5  # chance finds nothing: a box must fit, and so must its class
    assert len(out.train) == COUNT * (28 + 2)
    assert out.train.column("pool5").shape == (len(out.train), 6 * 50)
    assert set(out.result["seconds"]) == {
        "fine-tuning",
        "features of train regions",
        "SVMs and box regressors",
        "features of test regions",
    }
    images = [run.test.dataset.image(i) for i in range(COUNT)]
    direct = [out.detector.detect(*pair) for pair in zip(images, run.test.best(28), strict=True)]
    assert evaluate(direct, run.test.targets).map == pytest.approx(out.result["map"], abs=0.05)
    monkeypatch.setitem(BACKBONES, "small", lambda weights: small_backbone(batch_norm=True, seed=5))
    loaded = load(tmp_path / "sppnet.safetensors")
    for slot in ("encode", "embed"):
        for name, tensor in as_loaded(getattr(out.detector, slot)).state_dict().items():
            assert torch.equal(getattr(loaded, slot).state_dict()[name], tensor)


def test_training_that_was_interrupted_twice_is_the_same(
    begin: Callable, tmp_path: Path, settings: RCNNTraining
) -> None:
    """Once while it was fine-tuned, once while features were stored; what comes out is the same.

    Not bit by bit with several threads: sums are then taken in another order.
    """
    whole = train_and_test(begin(tmp_path / "whole"))
    folder, first = tmp_path / "parts", begin(tmp_path / "parts")
    regions = label_for_tuning(first.train, settings.fine_tuning.rule)
    state = folder / "tuning.pt"
    folder.mkdir()
    steps = fine_tune(first.detector, regions, Pixels(first.train.dataset), settings.fine_tuning, state)
    assert len(list(itertools.islice(steps, 22))) == 22
    steps.close()
    assert state.is_file()
    second = begin(folder)
    second.fine_tune()
    second.train = replace(second.train, dataset=Pictures(0, at=5))
    with pytest.raises(KeyboardInterrupt):
        second.store("train")
    third = begin(folder)
    out = train_and_test(third)
    same_weights(whole, out)
    assert out.result["map"] == whole.result["map"]
    assert abs(out.train.column("fc7").astype(float) - whole.train.column("fc7").astype(float)).max() < 0.01
    assert (out.test.column("pool5") == whole.test.column("pool5")).all()


def test_features_of_another_trunk_are_not_mixed_in(begin: Callable, tmp_path: Path) -> None:
    run = begin(tmp_path)
    run.store("test")
    other = begin(tmp_path)
    with torch.no_grad():
        other.detector.encode.trunk.conv1[0].weight.add_(0.1)
    with pytest.raises(ValueError, match="features of other regions or weights"):
        other.store("test")
    other = begin(tmp_path)
    other.detector = replace(other.detector, encode=other.detector.encode.at_scales((60,)))
    with pytest.raises(ValueError, match="features of other regions or weights"):
        other.store("test")
