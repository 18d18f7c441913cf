"""Fast R-CNN trained in one stage: `python -m lecture_lib.training.fast_rcnn --data stamps`.

Nothing is stored on disk but the state to go on from after an interruption (Ctrl-C). Another set is another argument:
`--data FOLDER` in VOC's layout, or `--data voc2007` once it was downloaded.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lecture_lib import checkpoints, detectors
from lecture_lib.detectors import Detector
from lecture_lib.evaluation import Evaluation, evaluate
from lecture_lib.structures import Detections
from lecture_lib.training.joint import JointTraining, finished, target_coder, train_jointly
from lecture_lib.training.rcnn import Examples, dataset_of, folder_of, options_of, ready, untrained
from lecture_lib.training.regions import Pixels
from lecture_lib.training.results import describe_machine, today, write_json
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


def detect_all(detector: Detector, test: Examples, count: int) -> list[Detections]:
    """The detections of every image of a split, from its first `count` proposals."""
    device = next(detector.embed.parameters()).device
    images = tqdm(zip(range(len(test.targets)), test.best(count), strict=True), "testing", len(test.targets))
    return [detector.detect(test.dataset.image(i).to(device), proposals) for i, proposals in images]


def evaluate_detector(detector: Detector, test: Examples, count: int) -> Evaluation:
    """Average precision at IoU 0.5 on a split, from the first `count` proposals of every image."""
    found = [detections.to("cpu") for detections in detect_all(detector, test, count)]
    return evaluate(found, test.targets, num_classes=len(detector.classes))


def settings_of(options: argparse.Namespace, deal: int) -> JointTraining:
    """The training by the command line's options; the deal's number is the seed."""
    settings = JointTraining(seed=deal)
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
    ap = {detector.classes[label - 1]: round(value, 4) for label, value in found.ap.items()}
    result = {"map": round(found.map, 4), "ap": ap, "seconds": StageClock(folder).seconds}
    write_json(folder / "result.json", result | {"date": today(), "machine": describe_machine()})
    return detector, result


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on every deal that is asked for, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, "fast_rcnn")
    parser.add_argument("--deals", type=int, nargs="+", default=[0], help="instance splits of stamps, and seeds (0)")
    parser.add_argument("--bundle", action="store_true", help="make the last one detectors.load('fast_rcnn')")
    options = parser.parse_args(arguments)
    for deal in options.deals:
        _, result = train_and_test(options, deal)
        seconds = sum(result["seconds"].values())
        print(f"deal {deal}: mAP {result['map']:.3f} after {seconds:.0f} s; {folder_of(options, 'fast_rcnn', deal)}")
    if options.bundle:
        command = f"python -m lecture_lib.training.fast_rcnn --deals {options.deals[-1]} --bundle"
        source = folder_of(options, "fast_rcnn", options.deals[-1]) / "fast_rcnn.safetensors"
        print(checkpoints.bundle("fast_rcnn", source, command))


if __name__ == "__main__":
    main()
