"""What the RPN and its training bring: `python -m lecture_lib.training.faster_ablation --deals 0 1 2`.

Trains Faster R-CNN on every deal of the cut-outs, end to end and in four steps, and measures what its proposals cover
beside Selective Search's. Every measurement is kept as soon as it is there; `--only` takes some of them.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tqdm import tqdm

from lecture_lib.detectors import Detector
from lecture_lib.evaluation.ladder import with_regions
from lecture_lib.evaluation.overlap import recall
from lecture_lib.pooling import RoIAlign
from lecture_lib.structures import Proposals
from lecture_lib.training import faster_rcnn
from lecture_lib.training.commands import Ablation, ablate, folder_of, untrained
from lecture_lib.training.examples import Examples, dataset_of, evaluate_detector, ready
from lecture_lib.training.results import read_json, write_json

RESULT = "faster_map.json"
COUNTS = {"rpn": (50, 100, 300), "selective search": (50, 100, 300, 2000)}
BASES = {
    "faster_rcnn": "fast_rcnn",
    "four steps": "faster_rcnn",
    "faster_rcnn, Selective Search": "faster_rcnn",
    "faster_rcnn, RoIAlign": "faster_rcnn",
}


@dataclass
class Deal:
    """Both trainings on one deal of the set; each is done when it is first asked for, and kept in its folder."""

    options: argparse.Namespace
    deal: int

    @cached_property
    def at_once(self) -> tuple[Detector, dict[str, Any]]:
        """Trained end to end."""
        return faster_rcnn.train_and_test(argparse.Namespace(**vars(self.options) | {"four_steps": False}), self.deal)

    @cached_property
    def by_turns(self) -> tuple[Detector, dict[str, Any]]:
        """Trained in four steps."""
        return faster_rcnn.train_and_test(argparse.Namespace(**vars(self.options) | {"four_steps": True}), self.deal)

    @cached_property
    def test(self) -> Examples:
        """The test split, with Selective Search's proposals."""
        return ready(dataset_of(self.options.data, self.options.test_split, self.deal))


def searched(deal: Deal) -> float:
    """Faster R-CNN's second stage on the proposals of Selective Search."""
    return evaluate_detector(deal.at_once[0], deal.test, deal.options.test_regions).map


def aligned(deal: Deal) -> float:
    """Faster R-CNN that pools by RoIAlign, the step which Mask R-CNN takes, trained and tested with it."""
    options = deal.options
    train, test = (
        Examples.without_proposals(dataset_of(options.data, split, deal.deal))
        for split in (options.train_split, options.test_split)
    )
    detector = with_regions(untrained("faster_rcnn", options, train.dataset.classes, deal.deal), options.test_regions)
    detector = replace(detector, pool=RoIAlign(detector.pool.grid))
    folder = folder_of(options, "faster_rcnn", deal.deal) / "RoIAlign"
    detector = faster_rcnn.train_at_once(detector, train, faster_rcnn.settings_of(options, deal.deal), folder)
    return evaluate_detector(detector, test, options.test_regions).map


VARIANTS: dict[str, Callable[[Deal], float]] = {
    "faster_rcnn": lambda deal: deal.at_once[1]["map"],
    "faster_rcnn, Selective Search": searched,
    "four steps": lambda deal: deal.by_turns[1]["map"],
    "faster_rcnn, RoIAlign": aligned,
}


def recalls(deal: Deal) -> dict[str, dict[str, float]]:
    """Recall at IoU 0.5 on the test split, by method and number of boxes."""
    found = {"rpn": propose_test(deal), "selective search": deal.test.proposals}
    return {
        name: dict(
            zip(map(str, COUNTS[name]), recall(regions, deal.test.targets, 0.5, COUNTS[name]).tolist(), strict=True)
        )
        for name, regions in found.items()
    }


def propose_test(deal: Deal) -> list[Proposals]:
    """What the RPN proposes on the test split."""
    detector, dataset = with_regions(deal.at_once[0], max(COUNTS["rpn"])), deal.test.dataset
    device, made = next(detector.propose.parameters()).device, []
    for i in tqdm(range(len(dataset)), "proposals of the RPN", mininterval=5):
        image = dataset.image(i).to(device)
        made.append(detector.propose(image, detector.encode(image)).to("cpu"))
    return made


def measure_deal(options: argparse.Namespace, number: int) -> dict[str, Any]:
    """Measure what is missing on one deal."""
    deal, path = Deal(options, number), folder_of(options, "faster_rcnn", number) / "variants.json"
    settings = repr((faster_rcnn.settings_of(options, number), options.scales, options.sides))
    kept = read_json(path) if path.is_file() else {}
    if kept.get("settings") != settings:
        kept = {"settings": settings, "deal": number, "variants": {}, "seconds": {}}
    wanted = options.only or [*VARIANTS, "recall"]
    for name in [n for n in VARIANTS if n in wanted and n not in kept["variants"]]:
        kept["variants"][name] = round(VARIANTS[name](deal), 4)
        print(f"deal {number}: {name} {kept['variants'][name]:.3f}", flush=True)
        write_json(path, kept)
    if "recall" in wanted and "recall" not in kept:
        kept["recall"] = recalls(deal)
    for trained in ("at_once", "by_turns"):
        if trained in vars(deal):
            kept["seconds"] |= getattr(deal, trained)[1]["seconds"]
    write_json(path, kept)
    return kept


ABLATION = Ablation(
    "faster_ablation",
    "faster_rcnn",
    (*VARIANTS, "recall"),
    RESULT,
    ("one_pass_map.json", "fast_rcnn", "fast_rcnn"),
    BASES,
)

if __name__ == "__main__":
    ablate(ABLATION, __doc__, measure_deal)
