"""R-CNN trained from start to end: `python -m lecture_lib.training.rcnn --data stamps` (about 15 minutes on two cores).

Four stages one after the other, as in the paper: fine-tune the CNN, store every region's features, train an SVM and a
box regressor for each class. It can be interrupted (Ctrl-C) and goes on where it was. Another set is another argument:
`--data FOLDER` in VOC's layout, or `--data voc2007` once it was downloaded.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

import lecture_lib
from lecture_lib import checkpoints, detectors
from lecture_lib.backbones import BACKBONES
from lecture_lib.detectors import Detector
from lecture_lib.evaluation import Evaluation, evaluate
from lecture_lib.files import cache_root
from lecture_lib.heads import RegionHead
from lecture_lib.matching import SPPNET_FINE_TUNING, IoURule
from lecture_lib.precompute import cached_proposals, precompute
from lecture_lib.structures import Detections, Proposals, Target
from lecture_lib.training.features import FeatureStore, digest
from lecture_lib.training.region_softmax import FineTuning, fine_tune
from lecture_lib.training.regions import LabelledRegions, Pixels, with_ground_truth
from lecture_lib.training.results import describe_machine, today, write_json
from lecture_lib.training.ridge import BoxRegression, fit_regressors, regression_pairs
from lecture_lib.training.stages import StageClock
from lecture_lib.training.svm import HardNegativeMining, SvmSettings, svm_labels
from lecture_lib.voc import VOCDataset, coco_as_voc, is_coco, stamps, voc2007, voc2012

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


@dataclass(frozen=True)
class Examples:
    """A split of a set in memory but for its pixels: proposals and targets of every image, in the order of the set."""

    dataset: VOCDataset
    proposals: list[Proposals]
    targets: list[Target]

    @classmethod
    def of(cls, dataset: VOCDataset) -> "Examples":
        """Read the targets, and the proposals that were computed before."""
        return cls(dataset, cached_proposals(dataset), [dataset.target(i) for i in range(len(dataset))])

    def best(self, count: int) -> list[Proposals]:
        """The first `count` proposals of every image, which are the best ones."""
        return [part[:count] for part in self.proposals]

    def with_objects(self, count: int | None = None) -> list[Proposals]:
        """The first `count` proposals of every image (None: all), then its objects' own boxes."""
        return [with_ground_truth(p[:count], t) for p, t in zip(self.proposals, self.targets, strict=True)]


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


def dataset_of(name: str, split: str, deal: int = 0) -> VOCDataset:
    """A split of a set: stamps, voc2007, voc2012, or a folder in VOC's or COCO's layout.

    split: "train", or a part of it as Python slices, "train[:120]", for a folder without a test split.
    """
    split, _, part = split.rstrip("]").partition("[")
    if name == "stamps":
        dataset = stamps(split, deal)
    elif name in ("voc2007", "voc2012"):
        dataset = (voc2007 if name == "voc2007" else voc2012)(split)
    else:
        dataset = VOCDataset(coco_as_voc(name) if is_coco(name) else name, split)
    return dataset.part(*(int(end) if end else None for end in part.split(":"))) if part else dataset


def ready(dataset: VOCDataset) -> Examples:
    """A split with its proposals, which are computed now where they are missing."""
    for _ in tqdm(precompute(dataset), f"proposals of {dataset.split}", len(dataset), mininterval=5):
        pass
    return Examples.of(dataset)


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


def untrained(recipe: str, options: argparse.Namespace, classes: Sequence[str], seed: int, **changed: Any) -> Detector:
    """A detector by its recipe and the command line's options, on the machine's best device."""
    generator = torch.Generator().manual_seed(seed)
    fresh = {"generator": generator} if options.backbone == "lite0" else {}  # the others have nothing random
    backbone = BACKBONES[options.backbone](**fresh)
    scales = {"scales": tuple(options.scales)} if recipe != "rcnn" and options.scales else {}
    return detectors.RECIPES[recipe](classes, backbone, generator, **scales, **changed).to(lecture_lib.device())


def folder_of(options: argparse.Namespace, recipe: str, deal: int) -> Path:
    """Where a training keeps what it needs to go on, and its results."""
    return (options.out or cache_root() / recipe) / f"{Path(options.data).name}-{options.backbone}-{deal}"


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
    ap = {detector.classes[label - 1]: round(value, 4) for label, value in found.ap.items()}
    stored = {"train": train.bytes, "test": test.bytes}
    result = {"map": round(found.map, 4), "ap": ap, "seconds": run.clock.seconds, "bytes": stored}
    write_json(run.folder / "result.json", result | {"date": today(), "machine": describe_machine()})
    return Trained(detector, train, test, result)


def options_of(parser: argparse.ArgumentParser, recipe: str = "rcnn") -> None:
    """The options that every command about the training of a detector has."""
    parser.add_argument("--data", default="stamps", help="stamps, voc2007, voc2012, or a folder (VOC's layout, COCO's)")
    parser.add_argument("--train-split", default="train")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--backbone", choices=BACKBONES, default="lite0")
    if recipe != "rcnn":
        parser.add_argument("--scales", type=int, nargs="+", help="shorter sides of the image (the recipe's)")
    parser.add_argument("--steps", type=int, help="of gradient descent (the recipe's)")
    parser.add_argument("--train-regions", type=int, default=200, help="stored of each image (%(default)s)")
    parser.add_argument("--test-regions", type=int, default=300, help="scored of each image (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the runs (the cache)")


def main(recipe: str = "rcnn", about: str | None = __doc__) -> None:
    """Train on every deal that is asked for, and write what came out."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, recipe)
    parser.add_argument("--deals", type=int, nargs="+", default=[0], help="instance splits of stamps, and seeds (0)")
    parser.add_argument(
        "--bundle", action="store_true", help=f"make the last one the course's own detectors.load({recipe!r})"
    )
    options = parser.parse_args()
    for deal in options.deals:
        run = start_run(options, deal, recipe)
        result = train_and_test(run).result
        seconds = sum(result["seconds"].values())
        print(f"deal {deal}: mAP {result['map']:.3f} after {seconds:.0f} s of training and storing; {run.folder}")
    if options.bundle:
        command = f"python -m lecture_lib.training.{recipe} --deals {options.deals[-1]} --bundle"
        print(checkpoints.bundle(recipe, run.folder / f"{recipe}.safetensors", command))


if __name__ == "__main__":
    main()
