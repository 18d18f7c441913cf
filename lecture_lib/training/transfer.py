"""Transfer learning measured: accuracy against images per class, and what the layers of a network carry.

`python -m lecture_lib.training.transfer --seeds 3` measures the learning curves that notebook 01 draws beside its own.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from lecture_lib.backbones import Backbone, efficientnet_lite0
from lecture_lib.files import data_root
from lecture_lib.training.crops import Crops, object_crops
from lecture_lib.training.fine_tuning import (
    METHODS,
    Method,
    TransferSettings,
    accuracy,
    fit,
    in_batches,
    linear_head,
    prepare,
)
from lecture_lib.training.results import date_and_machine, read_json, write_json
from lecture_lib.voc import stamps


@dataclass(frozen=True)
class CurvePoint:
    """One network, trained and tested: a point of a learning curve."""

    method: Method
    images_per_class: int
    accuracy: float  # fraction of the test crops that are named correctly
    seconds: float  # of training alone


@dataclass(frozen=True)
class TransferExperiment:
    """A training and a test set, and the three ways to learn the one and be tested on the other."""

    train: Crops
    test: Crops
    settings: TransferSettings

    @cached_property
    def features(self) -> tuple[Tensor, Tensor]:
        """ImageNet features of both sets: with the trunk frozen they are computed once, whatever is learned on them."""
        backbone = efficientnet_lite0().to(self.train.images.device)
        return in_batches(backbone.features, self.train.images), in_batches(backbone.features, self.test.images)

    def run(self, method: Method, images_per_class: int) -> CurvePoint:
        """Train one network on the first `images_per_class` crops of every class and test it."""
        if method != "scratch":
            _ = self.features  # computed once for all points, so no one point's time
        start = perf_counter()
        if method == "frozen":
            head = self._head_on_frozen_features(images_per_class)
            seconds, logits = perf_counter() - start, in_batches(head, self.features[1])
        else:
            backbone = self._trained(method, images_per_class)
            seconds, logits = perf_counter() - start, in_batches(backbone, self.test.images)
        return CurvePoint(method, images_per_class, accuracy(logits, self.test.labels), seconds)

    def _head_on_frozen_features(self, images_per_class: int) -> nn.Linear:
        """Train a linear head on the stored features of the training set."""
        rows = self.train.first_rows(images_per_class)
        return linear_head(
            self.features[0][rows], self.train.labels[rows], len(self.train.classes), self.settings.ridge
        )

    def _trained(self, method: Method, images_per_class: int) -> Backbone:
        """Train all layers, fresh or from ImageNet."""
        settings, crops = self.settings, self.train.first(images_per_class)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)  # for dropout, which knows torch's global generator only
            backbone = prepare(method, len(crops.classes), settings, torch.Generator().manual_seed(settings.seed))
            backbone.to(crops.images.device)
            scratch = method == "scratch"
            if settings.head_first and not scratch:
                backbone.tail.classifier = self._head_on_frozen_features(images_per_class)
            steps, rate = (settings.scratch_steps, 1.0) if scratch else (settings.steps, settings.pretrained_rate)
            for _ in fit(backbone, crops, steps, rate, settings):
                pass
        return backbone


def learning_curves(train_crops: Crops, test_crops: Crops, settings: TransferSettings) -> Iterator[CurvePoint]:
    """Yield test accuracy for every method and number of images per class, a point as soon as it is measured.

    The smaller training sets are part of the larger ones. Everything is repeatable under `settings.seed`.
    """
    experiment = TransferExperiment(train_crops, test_crops, settings)
    for images_per_class in settings.images_per_class:
        for method in METHODS:
            yield experiment.run(method, images_per_class)


def probe_by_depth(backbone: Backbone, train_crops: Crops, test_crops: Crops) -> dict[str, float]:
    """Return, for every stage, the test accuracy of a linear layer on its channels, averaged over the picture.

    What layers carry: edges and colours first, parts and objects later (Zeiler and Fergus 2014; Yosinski et al. 2014).
    """

    def pooled(images: Tensor) -> Tensor:
        outputs = backbone.features_by_depth(images).values()
        return torch.cat([x.mean((-2, -1)) if x.ndim == 4 else x for x in outputs], dim=1)

    with torch.no_grad():
        widths = {name: x.shape[1] for name, x in backbone.features_by_depth(train_crops.images[:1]).items()}
    known = in_batches(pooled, train_crops.images).split([*widths.values()], dim=1)
    unknown = in_batches(pooled, test_crops.images).split([*widths.values()], dim=1)
    result = {}
    for name, features, test_features in zip(widths, known, unknown, strict=True):
        head = linear_head(features, train_crops.labels, len(train_crops.classes), ridge=0.01)
        result[name] = accuracy(in_batches(head, test_features), test_crops.labels)
    return result


# The command: several seeds, more steps, resumable.

TEST_PER_CLASS = 40
THOROUGH = TransferSettings(steps=32, scratch_steps=120)
RESULT = "transfer_curves.json"


def stamp_crops(settings: TransferSettings, deal: int = 0) -> tuple[Crops, Crops]:
    """Return (train, test) crops of the bundled set; `deal` is the seed that dealt its cut-outs to the splits."""
    generator = torch.Generator().manual_seed(settings.seed)
    per_class = max(settings.images_per_class)
    train_crops = object_crops(stamps("train", seed=deal), settings.crop_size, per_class, generator)
    return train_crops, object_crops(stamps("test", seed=deal), settings.crop_size, TEST_PER_CLASS, generator)


def open_result(path: Path, settings: TransferSettings, deals: Sequence[int]) -> dict[str, Any]:
    """Return the result to go on with: the file's where it has these settings, else a new one.

    Raises `ValueError` where the file was measured with other settings, which must not be mixed.
    """
    planned = asdict(settings) | {"deals": list(deals)}
    planned.pop("seed")  # every point says its own
    planned["images_per_class"] = list(planned["images_per_class"])
    if not path.is_file():
        command = "python -m lecture_lib.training.transfer"
        return {"command": command, "date": "", "machine": {}, "settings": planned, "points": []}
    result = read_json(path)
    if result["settings"] != planned:
        raise ValueError(f"{path} was measured with other settings. Delete it, or write beside it with --out.")
    return result


def measure(path: Path, settings: TransferSettings, deals: Sequence[int], seeds: int) -> Iterator[dict[str, Any]]:
    """Measure the points that the result at `path` lacks; the file is whole after each, so it can be stopped anywhere.

    Seed s uses `deals[s % len(deals)]`.
    """
    result = open_result(path, settings, deals)
    done = {(p["seed"], p["method"], p["images_per_class"]) for p in result["points"]}
    for seed in range(seeds):
        cells = [(m, n) for n in settings.images_per_class for m in METHODS if (seed, m, n) not in done]
        if not cells:
            continue
        deal = deals[seed % len(deals)]
        seeded = replace(settings, seed=seed)
        experiment = TransferExperiment(*stamp_crops(seeded, deal), seeded)
        for method, images_per_class in cells:
            point = asdict(experiment.run(method, images_per_class)) | {"seed": seed, "deal": deal}
            result["points"].append(point)
            write_json(path, result | date_and_machine())
            yield point


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure the learning curves of transfer learning.")
    parser.add_argument("--seeds", type=int, default=3, help="number of repetitions (3)")
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 2], help="instance splits; 0 is bundled")
    parser.add_argument("--out", type=Path, default=None, help="result file (data/results/transfer_curves.json)")
    options = parser.parse_args()
    path = options.out or data_root() / "results" / RESULT
    total = options.seeds * len(METHODS) * len(THOROUGH.images_per_class)
    for point in measure(path, THOROUGH, options.deals, options.seeds):
        print(
            f"seed {point['seed']}  {point['method']:>10}  {point['images_per_class']:>3} per class  "
            f"accuracy {point['accuracy']:.3f}  {point['seconds']:.0f} s",
            flush=True,
        )
    print(f"{len(read_json(path)['points'])} of {total} points are in {path}")


if __name__ == "__main__":
    main()
