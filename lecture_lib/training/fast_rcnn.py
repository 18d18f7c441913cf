"""Fast R-CNN trained in one stage: `python -m lecture_lib.training.fast_rcnn --data stamps`.

Nothing is stored on disk but the state to go on from after an interruption (Ctrl-C). Another set is another argument:
`--data FOLDER` in VOC's layout, or `--data voc2007` once it was downloaded.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from lecture_lib import detectors
from lecture_lib.detectors import Detector
from lecture_lib.training.commands import command, folder_of, keep_result, untrained
from lecture_lib.training.examples import Examples, dataset_of, evaluate_detector, ready
from lecture_lib.training.joint import JointTraining, finished, target_coder, train_jointly
from lecture_lib.training.regions import Pixels
from lecture_lib.training.stages import StageClock


def train_detector(
    detector: Detector, train: Examples, settings: JointTraining, folder: Path, name: str = "joint training"
) -> Detector:
    """Train a detector, or go on with it; `name` tells several trainings in one folder apart."""
    regions = train.with_objects()
    state = folder / f"{name.replace(' ', '-')}.pt"
    steps = train_jointly(detector, Pixels(train.dataset), regions, train.targets, settings, state)
    StageClock(folder).run(name, (record.step for record in steps), settings.steps)
    return finished(detector, target_coder(regions, train.targets, settings.rule))


def settings_of(options: argparse.Namespace, deal: int) -> JointTraining:
    """The training by the command line's options; the deal's number is the seed."""
    settings = JointTraining(seed=deal)
    if getattr(options, "train_scales", None):
        settings = replace(settings, scales=tuple(options.train_scales))
    return replace(settings, steps=options.steps or settings.steps)


def train_and_test(options: argparse.Namespace, deal: int) -> tuple[Detector, dict[str, Any]]:
    """Train on one deal of a set; the detector and the result are also written into the training's folder."""
    train = ready(dataset_of(options.data, options.train_split, deal))
    test = ready(dataset_of(options.data, options.test_split, deal))
    folder = folder_of(options, "fast_rcnn", deal)
    detector = untrained("fast_rcnn", options, train.dataset.classes, deal)
    detector = train_detector(detector, train, settings_of(options, deal), folder)
    detectors.save(detector, "fast_rcnn", options.backbone, folder / "fast_rcnn.safetensors")
    found = evaluate_detector(detector, test, options.test_regions)
    return detector, keep_result(folder, detector.classes, found, seconds=StageClock(folder).seconds)


if __name__ == "__main__":
    command("fast_rcnn", __doc__, lambda options, deal: train_and_test(options, deal)[1])
