"""What each part of R-CNN is worth: `python -m lecture_lib.training.rcnn_ablation --deals 0 1 2` prints the table.

Every deal of the cut-outs to train and test is one repetition, with its own seed. A variant differs from the complete
detector in one thing and is compared with it on the same deal, on the same stored features. Trainings that are there
already are used, so the command can be interrupted and goes on where it was.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import mean
from typing import Any

from torch import nn
from tqdm import tqdm

from lecture_lib.detectors import Detector
from lecture_lib.files import data_root
from lecture_lib.heads import ForegroundSoftmax, RegionHead
from lecture_lib.matching import IoURule
from lecture_lib.training import variants
from lecture_lib.training.commands import options_of
from lecture_lib.training.features import FeatureStore
from lecture_lib.training.rcnn import RCNNRun, RCNNTraining, evaluate_stored, fit_head, start_run, train_and_test
from lecture_lib.training.results import date_and_machine, read_json, write_json
from lecture_lib.training.ridge import fit_regressors, regression_pairs
from lecture_lib.training.svm import HardNegativeMining, svm_labels

COMPLETE = "complete"
BASES = {"no fine-tuning, SVM on pool5": "fine-tuned, SVM on pool5"}  # what a variant is compared with, if not COMPLETE
LAMBDAS = (1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0, 1_000_000.0)
RESULT = "rcnn.json"


@dataclass(frozen=True)
class Stored:
    """The features of one training: of its fine-tuned network, and of the ImageNet network that it started from."""

    run: RCNNRun
    detector: Detector  # complete
    train: FeatureStore
    test: FeatureStore

    def score(self, detector: Detector) -> float:
        """Mean average precision on the stored test set."""
        return evaluate_stored(detector, self.test, self.run.test).map

    def with_head(self, head: RegionHead) -> Detector:
        """The complete detector with another head."""
        return replace(self.detector, predict=head)

    def refitted(self, settings: RCNNTraining, reads: str = "fc7") -> Detector:
        """The complete detector with a head that was trained by other settings or on other features."""
        return self.with_head(fit_head(self.train, self.run.train, settings, reads))


def heads_changed(stored: Stored) -> Iterator[tuple[str, float]]:
    """Variants that only put another model in the head's place, or leave a part of it out."""
    head, classifier = stored.detector.predict, stored.run.detector.embed.classifier
    softmax = nn.Sequential(classifier, ForegroundSoftmax())
    probabilities = replace(stored.detector.rule, score_threshold=0.001)
    yield "softmax", stored.score(replace(stored.with_head(RegionHead(softmax, head.regress)), rule=probabilities))
    yield "no box regression", stored.score(stored.with_head(RegionHead(head.score, None)))
    yield "no NMS", stored.score(replace(stored.detector, rule=replace(stored.detector.rule, nms_threshold=None)))


def svms_changed(stored: Stored) -> Iterator[tuple[str, float]]:
    """Variants of how the SVMs are trained."""
    settings = stored.run.settings
    wider = replace(settings.svm, rule=IoURule(1.0, (0.0, 0.5)))
    yield "SVM negatives below 0.5", stored.score(stored.refitted(replace(settings, svm=wider)))
    random = replace(settings.svm, mine=False, first_negatives=_cache_size(stored))
    yield "no hard negatives", stored.score(stored.refitted(replace(settings, svm=random)))


def _cache_size(stored: Stored) -> int:
    """Negatives that an SVM was trained on in the last round of mining, the mean of all classes."""
    labels = svm_labels(stored.train.regions, stored.run.train.targets, len(stored.detector.classes))
    mining = HardNegativeMining(stored.train.column("fc7"), labels, stored.train.starts, stored.run.settings.svm)
    *_, last = mining.rounds()
    return round(mean(last.negatives))


def ridges_changed(stored: Stored) -> Iterator[tuple[str, float]]:
    """Box regression with other lambdas."""
    settings, classes = stored.run.settings.regression, len(stored.detector.classes)
    pairs = regression_pairs(stored.train.regions, stored.run.train.targets, settings.rule)
    pool5 = stored.train.rows("pool5", pairs.rows)
    for ridge in LAMBDAS:
        regressors = fit_regressors(pool5, pairs, classes, replace(settings, ridge=ridge))
        head = RegionHead(stored.detector.predict.score, regressors)
        yield f"lambda {ridge:.0f}", stored.score(stored.with_head(head))


def depth_and_tuning(stored: Stored, untuned: Stored) -> Iterator[tuple[str, float]]:
    """SVMs on pool5, of the fine-tuned network and of ImageNet's: fc6 and fc7 are random before fine-tuning."""
    for name, where in (("fine-tuned", stored), ("no fine-tuning", untuned)):
        yield f"{name}, SVM on pool5", where.score(where.refitted(where.run.settings, reads="pool5"))


def measure_deal(options: argparse.Namespace, deal: int) -> dict[str, Any]:
    """Train on one deal and measure all variants, unless both were done before with the same settings."""
    untuned = start_run(options, deal)  # stored first, while the network is still ImageNet's
    path, settings = untuned.folder / "variants.json", repr(untuned.settings)
    kept = read_json(path) if path.is_file() else {"settings": None}
    if kept["settings"] == settings:
        return kept["measured"]
    stores = [untuned.store(split, ".untuned") for split in ("train", "test")]
    before = Stored(untuned, untuned.detector, *stores)
    run = start_run(options, deal)
    trained = train_and_test(run)
    stored = Stored(run, trained.detector, trained.train, trained.test)
    measured = {"deal": deal, **trained.result, "variants": dict(measure_variants(stored, before))}
    write_json(path, {"settings": settings, "measured": measured})
    return measured


def measure_variants(stored: Stored, untuned: Stored) -> Iterator[tuple[str, float]]:
    """Mean average precision of the complete detector and of every variant, by name."""
    yield COMPLETE, round(stored.score(stored.detector), 4)
    parts = (heads_changed(stored), svms_changed(stored), depth_and_tuning(stored, untuned), ridges_changed(stored))
    for name, value in tqdm(chain(*parts), "variants"):
        yield name, round(value, 4)


def compare(deals: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float, bool]:
    """`variants.compare` of a variant with what it differs from in one thing."""
    return variants.compare(deals, name, BASES.get(name, COMPLETE))


def table(result: dict[str, Any]) -> str:
    """The table in Markdown: mAP of each variant, and its paired difference to what it is compared with."""
    bases = {name: BASES.get(name, COMPLETE) for name in result["deals"][0]["variants"]}
    return variants.table(result["deals"], bases)


def main() -> None:
    """Measure what is missing, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser)
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 2], help="instance splits and seeds (0 1 2)")
    parser.add_argument("--save", action="store_true", help=f"keep the result in data/results/{RESULT}")
    options = parser.parse_args()
    about = {
        "command": "python -m lecture_lib.training.rcnn_ablation --save",
        **date_and_machine(),
    }
    settings = repr(RCNNTraining(train_regions=options.train_regions, test_regions=options.test_regions))
    deals = [measure_deal(options, deal) for deal in options.deals]
    result = {**about, "settings": settings, "deals": deals}
    if options.save:
        write_json(data_root() / "results" / RESULT, result)
    print(table(result))


if __name__ == "__main__":
    main()
