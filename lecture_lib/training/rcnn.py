"""R-CNN trained from start to end: `python -m lecture_lib.training.rcnn --data stamps` (about 15 minutes on two cores).

Four stages one after the other, as in the paper: fine-tune the CNN, store every region's features, train an SVM and a
box regressor for each class. It can be interrupted (Ctrl-C) and goes on where it was. Another set is another argument:
`--data FOLDER` in VOC's layout, or `--data voc2007` once it was downloaded.
"""

import argparse
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from lecture_lib import detectors
from lecture_lib.detectors import Detector
from lecture_lib.evaluation import Evaluation, evaluate
from lecture_lib.heads import RegionHead
from lecture_lib.matching import SPPNET_FINE_TUNING, IoURule
from lecture_lib.structures import Detections
from lecture_lib.training.commands import command, folder_of, keep_result, untrained
from lecture_lib.training.examples import Examples, dataset_of, ready
from lecture_lib.training.features import FeatureStore, digest
from lecture_lib.training.region_softmax import FineTuning, fine_tune
from lecture_lib.training.regions import LabelledRegions, Pixels
from lecture_lib.training.ridge import BoxRegression, fit_regressors, regression_pairs
from lecture_lib.training.stages import StageClock
from lecture_lib.training.svm import HardNegativeMining, SvmSettings, svm_labels

FINE_TUNING = {  # the defaults of each recipe that is trained in these stages
    "rcnn": FineTuning(),
    "sppnet": FineTuning(  # of AdamW's decay: only the fresh tail learns, and it has to forget its random start
        rule=SPPNET_FINE_TUNING, steps=600, weight_decay=1.0, part=128
    ),
}


@dataclass(frozen=True)
class RCNNTraining:
    """All that the training of an R-CNN, or of an SPPnet, depends on."""

    fine_tuning: FineTuning = field(default_factory=FineTuning)
    svm: SvmSettings = field(default_factory=SvmSettings)
    regression: BoxRegression = field(default_factory=BoxRegression)
    train_regions: int = 200  # of an image, the best ones, stored for the SVMs; the paper has about 2,000
    test_regions: int = 300  # of an image; the paper has about 2,000
    seed: int = 0

    @classmethod
    def seeded(cls, seed: int, recipe: str = "rcnn", **values: Any) -> "RCNNTraining":
        """The default settings of a recipe with one seed for everything random."""
        return cls(replace(FINE_TUNING[recipe], seed=seed), SvmSettings(seed=seed), seed=seed, **values)


def label_for_tuning(train: Examples, rule: IoURule) -> LabelledRegions:
    """All regions of a training set and their classes by the fine-tuning rule."""
    return LabelledRegions.of(train.with_objects(), train.targets, rule)


def fit_head(store: FeatureStore, train: Examples, settings: RCNNTraining, reads: str = "fc7") -> RegionHead:
    """SVMs and box regressors of all classes on stored features; `reads` names the features of the SVMs."""
    classes = len(train.dataset.classes)
    labels = svm_labels(store.regions, train.targets, classes, settings.svm.rule)
    mining = HardNegativeMining(store.column(reads), labels, store.starts, settings.svm)
    for _ in mining.rounds():
        pass
    pairs = regression_pairs(store.regions, train.targets, settings.regression.rule)
    regressors = fit_regressors(store.rows("pool5", pairs.rows), pairs, classes, settings.regression)
    return RegionHead(mining.layer(), regressors, reads)


def detect_stored(detector: Detector, store: FeatureStore) -> list[Detections]:
    """The detections of every image of a store: the last two slots alone, the features are there."""
    with torch.no_grad():
        predictions = (detector.predict(store.image(i)) for i in range(len(store.regions)))
        return [
            detector.decode(regions, predicted, detector.rule)
            for regions, predicted in zip(store.regions, predictions, strict=True)
        ]


def evaluate_stored(detector: Detector, store: FeatureStore, test: Examples) -> Evaluation:
    """Average precision at IoU 0.5 on a stored test set."""
    return evaluate(detect_stored(detector, store), test.targets, num_classes=len(detector.classes))


class RCNNRun:
    """The stages of one training in a folder; each is done once, and goes on where it was interrupted."""

    def __init__(
        self,
        detector: Detector,
        train: Examples,
        test: Examples,
        settings: RCNNTraining,
        folder: Path,
        recipe: str = "rcnn",
        backbone: str = "lite0",
    ) -> None:
        self.detector, self.train, self.test = detector, train, test
        self.settings, self.folder, self.recipe, self.backbone = settings, Path(folder), recipe, backbone
        self.clock = StageClock(self.folder)

    def fine_tune(self) -> None:
        """Fine-tune the network in `embed`, or load it."""
        regions = label_for_tuning(self.train, self.settings.fine_tuning.rule)
        pixels = Pixels(self.train.dataset)
        steps = fine_tune(self.detector, regions, pixels, self.settings.fine_tuning, self.folder / "tuning.pt")
        self.clock.run("fine-tuning", (record.step for record in steps), self.settings.fine_tuning.steps)

    def store(self, split: str, name: str = "") -> FeatureStore:
        """Store the features of the "train" or "test" regions; `name` tells stores of different weights apart."""
        examples: Examples = getattr(self, split)
        limit = getattr(self.settings, f"{split}_regions")
        regions = examples.with_objects(limit) if split == "train" else examples.best(limit)
        folder = self.folder / f"features-{split}{name}"
        store = FeatureStore(folder, regions, made_by(self.detector))
        self.clock.run(f"features of {split} regions{name}", store.fill(self.detector, examples.dataset), len(regions))
        return store

    def fit(self, store: FeatureStore) -> Detector:
        """Fit the head on the stored training features; this is quick and always done anew."""
        start = perf_counter()
        detector = replace(self.detector, predict=fit_head(store, self.train, self.settings))
        self.clock.keep("SVMs and box regressors", perf_counter() - start)
        return detector


def made_by(detector: Detector) -> str:
    """What the features of a region depend on: the slots up to `embed`, with their weights."""
    slots = (detector.encode, detector.pool, detector.embed)
    return " ".join(f"{slot!r} {digest(slot) if isinstance(slot, nn.Module) else ''}" for slot in slots)


def start_run(options: argparse.Namespace, deal: int, recipe: str = "rcnn") -> RCNNRun:
    """A run by the command line's options, on one deal of the set, with the deal's number as the seed."""
    train = ready(dataset_of(options.data, options.train_split, deal))
    test = ready(dataset_of(options.data, options.test_split, deal))
    settings = RCNNTraining.seeded(deal, recipe, train_regions=options.train_regions, test_regions=options.test_regions)
    steps = options.steps or settings.fine_tuning.steps
    settings = replace(settings, fine_tuning=replace(settings.fine_tuning, steps=steps))
    detector = untrained(recipe, options, train.dataset.classes, deal)
    folder = folder_of(options, recipe, deal)
    return RCNNRun(detector, train, test, settings, folder, recipe, options.backbone)


@dataclass(frozen=True)
class Trained:
    """A trained detector, the features that it was trained and tested on, and what came out."""

    detector: Detector
    train: FeatureStore
    test: FeatureStore
    result: dict[str, Any]


def train_and_test(run: RCNNRun) -> Trained:
    """All stages of a run; the detector and the result are also written into its folder."""
    run.fine_tune()
    train = run.store("train")
    detector = run.fit(train)
    detectors.save(detector, run.recipe, run.backbone, run.folder / f"{run.recipe}.safetensors")
    test = run.store("test")
    found = evaluate_stored(detector, test, run.test)
    stored = {"train": train.bytes, "test": test.bytes}
    result = keep_result(run.folder, detector.classes, found, seconds=run.clock.seconds, bytes=stored)
    return Trained(detector, train, test, result)


def by_stages(recipe: str, options: argparse.Namespace, deal: int) -> dict[str, Any]:
    """Train by a recipe in stages, on one deal of a set; what came out."""
    return train_and_test(start_run(options, deal, recipe)).result


if __name__ == "__main__":
    command("rcnn", __doc__, partial(by_stages, "rcnn"))
