"""A training step at the paper's scale: `python -m tests.benchmarks.paper_scale --data FOLDER` (minutes on a CPU).

Faster R-CNN on VGG16 at 600 px, anchors of 128, 256 and 512 px, two images a step, conv1 to conv5 trained. FOLDER is in
VOC's layout; its photographs give the sizes. The weights are random, since seconds and memory do not depend on them: no
mean average precision comes out of this.
"""

import argparse
import resource
import sys
from dataclasses import replace
from statistics import median
from typing import Any

import torch

import lecture_lib
from lecture_lib import detectors
from lecture_lib.backbones import vgg16
from lecture_lib.evaluation.ladder import multiply_adds, with_regions
from lecture_lib.files import data_root
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples, dataset_of
from lecture_lib.training.regions import Pixels
from lecture_lib.training.results import date_and_machine, read_json, write_json

SIDES, SCALE = (128, 256, 512), 600
PAPER_STEPS = 40_000  # of two images: the paper's 60,000 + 20,000 mini-batches of one (section 3.1.3)


def peak_gib() -> float:
    """Peak memory: the accelerator's where there is one, else the process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / (2**30 if sys.platform == "darwin" else 2**20)


def measure(data: str, split: str, steps: int, mixed_precision: bool) -> dict[str, Any]:
    """Seconds of a step, peak memory, and the multiply-adds of an image forward."""
    examples = Examples.without_proposals(dataset_of(data, split))
    device = lecture_lib.device()
    detector = detectors.faster_rcnn(examples.dataset.classes, vgg16(None), scales=(SCALE,), sides=SIDES).to(device)
    image = examples.dataset.image(0).to(device)
    work = sum(multiply_adds(with_regions(detector, 300), image).values())
    settings = EndToEnd(mixed_precision=mixed_precision)
    settings = replace(settings, regions=replace(settings.regions, steps=steps, scales=(SCALE,)))
    records = list(train_end_to_end(detector, Pixels(examples.dataset), examples.targets, settings))
    seconds = median(record.seconds for record in records[1:])
    found = {"step": seconds, "peak_gib": peak_gib(), "multiply_adds": work, "loss": [r.loss for r in records]}
    return {**date_and_machine(), "mixed_precision": mixed_precision, "steps": steps} | found


def save(run: dict[str, Any]) -> None:
    """Keep a run beside those of other machines and precisions in data/results/paper_scale.json."""
    path = data_root() / "results" / "paper_scale.json"
    runs = read_json(path)["runs"] if path.exists() else []
    others = [r for r in runs if kind(r) != kind(run)]
    line = "python -m tests.benchmarks.paper_scale --data FOLDER --save"
    write_json(path, {"command": line, "runs": [*others, run]})


def kind(run: dict[str, Any]) -> tuple:
    """What tells runs apart that are both kept."""
    return run["machine"]["processor"], run["machine"]["accelerator"], run["mixed_precision"]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="voc2007, or a folder in VOC's layout")
    parser.add_argument("--split", default="trainval")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--mixed-precision", action="store_true")
    parser.add_argument("--save", action="store_true", help="keep the result in data/results/paper_scale.json")
    options = parser.parse_args()
    found = measure(options.data, options.split, options.steps, options.mixed_precision)
    hours = PAPER_STEPS * found["step"] / 3600
    print(f"{found['step']:.1f} s a step of two images, {found['peak_gib']:.1f} GiB; all steps: {hours:,.0f} hours")
    if options.save:
        save(found)


if __name__ == "__main__":
    main()
