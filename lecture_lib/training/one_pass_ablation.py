"""What one pass over the image costs and gains: `python -m lecture_lib.training.one_pass_ablation --deals 0 1 2`.

Trains SPPnet and Fast R-CNN on every deal of the cut-outs and measures variants, each of which differs from its
detector in one thing. Every measurement is kept as soon as it is there, so the command can be interrupted and goes on;
`--only` takes some of the variants.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn

from lecture_lib.detectors import Detector
from lecture_lib.heads import ForegroundSoftmax, JointHead, RegionHead, compressed
from lecture_lib.structures import Predictions, RegionFeatures
from lecture_lib.training import fast_rcnn, rcnn
from lecture_lib.training.commands import Ablation, ablate, folder_of, untrained
from lecture_lib.training.examples import Examples, evaluate_detector
from lecture_lib.training.features import FeatureStore
from lecture_lib.training.rcnn import evaluate_stored, fit_head, made_by
from lecture_lib.training.results import read_json, write_json

RESULT = "one_pass_map.json"
SCALE = 320  # of SPPnet with one scale
GRIDS = (1, 3)
RANKS = (16, 32, 64, 128, 256, 512)  # of fc6; fc7 has a quarter of it, as in the paper (1024 and 256)
BASES = {  # what a variant is compared with, where that is not the detector itself
    "sppnet": "rcnn",
    "fast_rcnn": "rcnn",
    "sppnet, softmax": "sppnet",
    "sppnet, one scale at test": "sppnet",
    "frozen trunk": "fast_rcnn",
    "frozen trunk, grid 1x1": "frozen trunk",
    "frozen trunk, grid 3x3": "frozen trunk",
    "classes only": "no box deltas at test",
    "no box deltas at test": "fast_rcnn",
    "SVMs on the same features": "fast_rcnn",
}


class SvmAndDeltas(nn.Module):
    """A head whose scores come from SVMs and whose deltas from Fast R-CNN's own layer."""

    def __init__(self, svm: nn.Linear, head: JointHead) -> None:
        super().__init__()
        self.svm, self.head = svm, head

    def forward(self, features: RegionFeatures) -> Predictions:
        """Margins and deltas."""
        return Predictions(self.svm(features.fc7), self.head(features).deltas)


class ScoresOnly(nn.Module):
    """A head that leaves the boxes where they are."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: RegionFeatures) -> Predictions:
        """The head's scores, and deltas of zero."""
        scored = self.head(features)
        return Predictions(scored.scores, torch.zeros_like(scored.deltas))


@dataclass
class Deal:
    """All trainings on one deal of the set; each is done when it is first asked for, and kept in its folder."""

    options: argparse.Namespace
    deal: int

    @cached_property
    def run(self) -> rcnn.RCNNRun:
        """SPPnet's."""
        return rcnn.start_run(self.options, self.deal, "sppnet")

    @cached_property
    def sppnet(self) -> rcnn.Trained:
        """SPPnet, with its stored features."""
        return rcnn.train_and_test(self.run)

    @cached_property
    def fast(self) -> Detector:
        """Fast R-CNN."""
        return fast_rcnn.train_and_test(self.options, self.deal)[0]

    def joint(self, name: str, grid: tuple[int, int] = (7, 7), **changed: Any) -> Detector:
        """Fast R-CNN trained in another way."""
        settings = replace(fast_rcnn.settings_of(self.options, self.deal), **changed)
        detector = untrained("fast_rcnn", self.options, self.run.train.dataset.classes, self.deal, grid=grid)
        folder = folder_of(self.options, "fast_rcnn", self.deal)
        return fast_rcnn.train_detector(detector, self.run.train, settings, folder, name)

    def stored(self, split: str) -> FeatureStore:
        """Fast R-CNN's features of the train or test regions."""
        examples: Examples = getattr(self.run, split)
        limit = getattr(self.options, f"{split}_regions")
        regions = examples.with_objects(limit) if split == "train" else examples.best(limit)
        folder = folder_of(self.options, "fast_rcnn", self.deal) / f"features-{split}"
        store = FeatureStore(folder, regions, made_by(self.fast))
        for _ in store.fill(self.fast, examples.dataset):
            pass
        return store

    def score(self, detector: Detector) -> float:
        """Mean average precision on the test split."""
        return evaluate_detector(detector, self.run.test, self.options.test_regions).map

    def score_head(self, head: nn.Module, threshold: float | None = None) -> float:
        """The same of Fast R-CNN with another head, on its stored features."""
        rule = self.fast.rule if threshold is None else replace(self.fast.rule, score_threshold=threshold)
        return evaluate_stored(replace(self.fast, predict=head, rule=rule), self.stored("test"), self.run.test).map


def sppnet_softmax(deal: Deal) -> float:
    """SPPnet with the softmax that it was fine-tuned with, instead of SVMs."""
    detector = deal.sppnet.detector
    softmax = nn.Sequential(detector.embed.classifier, ForegroundSoftmax())
    head, rule = RegionHead(softmax, detector.predict.regress), replace(detector.rule, score_threshold=0.001)
    return evaluate_stored(replace(detector, predict=head, rule=rule), deal.sppnet.test, deal.run.test).map


def svms(deal: Deal) -> float:
    """SVMs on the fc7 of Fast R-CNN, as R-CNN trains them."""
    svm = fit_head(deal.stored("train"), deal.run.train, deal.run.settings).score
    return deal.score_head(SvmAndDeltas(svm, deal.fast.predict), deal.run.detector.rule.score_threshold)


def classes_only(deal: Deal) -> float:
    """Fast R-CNN trained without the second term of its loss."""
    detector = deal.joint("classes only", box_weight=0.0)
    return deal.score(replace(detector, predict=ScoresOnly(detector.predict)))


def one_scale(deal: Deal) -> float:
    """SPPnet that pools all regions from one scale of the image, whatever their size."""
    detector = deal.sppnet.detector
    return deal.score(replace(detector, encode=detector.encode.at_scales((SCALE,))))


def grid(deal: Deal, side: int) -> float:
    """Fast R-CNN with another grid, the trunk frozen."""
    return deal.score(deal.joint(f"frozen trunk, grid {side}x{side}", (side, side), first_trained=None))


VARIANTS: dict[str, Callable[[Deal], float]] = {
    "sppnet": lambda deal: deal.sppnet.result["map"],
    "sppnet, softmax": sppnet_softmax,
    "sppnet, one scale at test": one_scale,
    "fast_rcnn": lambda deal: deal.score_head(deal.fast.predict),
    "no box deltas at test": lambda deal: deal.score_head(ScoresOnly(deal.fast.predict)),
    "classes only": classes_only,
    "SVMs on the same features": svms,
    "frozen trunk": lambda deal: deal.score(deal.joint("frozen trunk", first_trained=None)),
    **{f"frozen trunk, grid {side}x{side}": lambda deal, side=side: grid(deal, side) for side in GRIDS},
}


def svd_table(deal: Deal) -> list[dict[str, Any]]:
    """Fast R-CNN with its fully connected layers cut to lower ranks: mAP, weights and milliseconds of the tail."""
    rows = []
    for rank in (None, *reversed(RANKS)):
        tail = deal.fast.embed if rank is None else compressed(deal.fast.embed, rank, max(1, rank // 4))
        store, found = deal.stored("test"), []
        with torch.no_grad():
            for i, regions in enumerate(store.regions):
                predicted = deal.fast.predict(tail(store.image(i).pool5))
                found.append(deal.fast.decode(regions, predicted, deal.fast.rule))
        weights = sum(p.numel() for p in tail.parameters())
        found_map = rcnn.evaluate(found, deal.run.test.targets, num_classes=len(deal.fast.classes)).map
        rows.append({"rank": rank, "map": round(found_map, 4), "ms": milliseconds(tail, store), "weights": weights})
    return rows


@torch.no_grad()
def milliseconds(tail: nn.Module, store: FeatureStore) -> float:
    """Median time of the fully connected layers for the regions of one image."""
    pool5, times = store.image(0).pool5, []
    for _ in range(9):
        start = perf_counter()
        tail(pool5)
        times.append(1000 * (perf_counter() - start))
    return round(median(times), 2)


def measure_deal(options: argparse.Namespace, number: int) -> dict[str, Any]:
    """Measure what is missing on one deal."""
    deal, path = Deal(options, number), folder_of(options, "fast_rcnn", number) / "variants.json"
    settings = repr((fast_rcnn.settings_of(options, number), deal.run.settings, options.scales))
    kept = read_json(path) if path.is_file() else {}
    if kept.get("settings") != settings:
        kept = {"settings": settings, "deal": number, "variants": {}}
    wanted = options.only or [*VARIANTS, "svd"]
    for name in [n for n in VARIANTS if n in wanted and n not in kept["variants"]]:
        kept["variants"][name] = round(VARIANTS[name](deal), 4)
        print(f"deal {number}: {name} {kept['variants'][name]:.3f}", flush=True)
        write_json(path, kept)
    if "svd" in wanted and "svd" not in kept:
        kept["svd"] = svd_table(deal)
        write_json(path, kept)
    return kept


ABLATION = Ablation(
    "one_pass_ablation", "fast_rcnn", (*VARIANTS, "svd"), RESULT, ("rcnn.json", "complete", "rcnn"), BASES
)

if __name__ == "__main__":
    ablate(ABLATION, __doc__, measure_deal)
