"""Faster R-CNN trained from images to detections: `python -m lecture_lib.training.faster_rcnn --data stamps`.

By default end to end, all parts at once; `--four-steps` trains by turns, as the paper's first version did. It can be
interrupted (Ctrl-C) and goes on where it was. No proposals have to be computed first. Another set is another argument:
`--data FOLDER` in VOC's layout, or `--data voc2007` once it was downloaded. On several GPUs, or machines:
`torchrun --nproc-per-node 4 -m lecture_lib.training.faster_rcnn --images 8 ...` (8 of a step, all processes together).
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from lecture_lib import detectors
from lecture_lib.detectors import Detector
from lecture_lib.training import distributed, fast_rcnn
from lecture_lib.training.commands import command, folder_of, keep_result, untrained
from lecture_lib.training.end_to_end import NORMALISED, EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples, dataset_of, evaluate_detector
from lecture_lib.training.four_step import TURNS, FourSteps
from lecture_lib.training.joint import finished
from lecture_lib.training.regions import Pixels
from lecture_lib.training.stages import StageClock


def train_at_once(detector: Detector, train: Examples, settings: EndToEnd, folder: Path) -> Detector:
    """Train a detector end to end, or go on with it."""
    state = folder / "end-to-end.pt"
    steps = train_end_to_end(detector, Pixels(train.dataset), train.targets, settings, state)
    StageClock(folder).run("end to end", (record.step for record in steps), settings.regions.steps)
    return finished(detector, NORMALISED)


def train_by_turns(detector: Detector, train: Examples, settings: EndToEnd, folder: Path) -> Detector:
    """Train a detector in four steps, or go on with it."""
    training = FourSteps(detector, Pixels(train.dataset), train.targets, settings, folder)
    for number, turn in enumerate(TURNS, start=1):
        steps = (record.step for record in training.take(number))
        StageClock(folder).run(f"step {number}: {turn.name}", steps, settings.regions.steps)
    return finished(detector, NORMALISED)


def settings_of(options: argparse.Namespace, deal: int) -> EndToEnd:
    """The training by the command line's options; the deal's number is the seed."""
    regions = fast_rcnn.settings_of(options, deal)
    return EndToEnd(
        regions=replace(regions, images=options.images or regions.images), mixed_precision=options.mixed_precision
    )


def train_and_test(options: argparse.Namespace, deal: int) -> tuple[Detector, dict[str, Any]]:
    """Train on one deal of a set; the detector and the result are also written into the training's folder."""
    distributed.start()
    train = Examples.without_proposals(dataset_of(options.data, options.train_split, deal))
    test = Examples.without_proposals(dataset_of(options.data, options.test_split, deal))
    folder = folder_of(options, "faster_rcnn", deal)
    detector = untrained("faster_rcnn", options, train.dataset.classes, deal)
    detector.propose.rule = replace(detector.propose.rule, count=options.test_regions)
    way = train_by_turns if options.four_steps else train_at_once
    detector = way(detector, train, settings_of(options, deal), folder)
    if distributed.rank() > 0:
        return detector, {}
    detectors.save(detector, "faster_rcnn", options.backbone, folder / "faster_rcnn.safetensors")
    found = evaluate_detector(detector, test, options.test_regions)
    return detector, keep_result(folder, detector.classes, found, seconds=StageClock(folder).seconds)


if __name__ == "__main__":
    command("faster_rcnn", __doc__, lambda options, deal: train_and_test(options, deal)[1])
