"""Mask R-CNN trained from images to shapes: `python -m lecture_lib.training.mask_rcnn --data stamps`.

End to end as Faster R-CNN, with a feature pyramid and one loss more; the set needs instance masks. It is measured as
COCO does, on boxes and on masks, and beside it what filled boxes would reach, which no mask head is needed for.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from lecture_lib import checkpoints, detectors
from lecture_lib.evaluation import CocoEvaluation, coco_evaluate, evaluate
from lecture_lib.files import data_root
from lecture_lib.masks import paste_masks
from lecture_lib.structures import Detections
from lecture_lib.training import distributed, faster_rcnn
from lecture_lib.training.commands import folder_of, keep_result, options_of, untrained
from lecture_lib.training.examples import Examples, dataset_of, detect_all
from lecture_lib.training.results import date_and_machine, write_json
from lecture_lib.training.stages import StageClock

RESULT = "mask_map.json"


def filled(detections: Detections) -> Detections:
    """The detections with their whole boxes as masks."""
    whole = torch.ones(len(detections), 28, 28)
    return replace(detections, masks=paste_masks(whole, detections.boxes, detections.image_size))


def as_numbers(found: CocoEvaluation) -> dict[str, float]:
    """The two numbers that are reported."""
    return {"ap": round(found.ap, 4), "ap50": round(found.ap50, 4)}


def train_and_test(options: argparse.Namespace, deal: int) -> dict[str, Any]:
    """Train on one deal of a set; the detector and the result are also written into the training's folder."""
    distributed.start()
    splits = (dataset_of(options.data, s, deal, masks=True) for s in (options.train_split, options.test_split))
    train, test = (Examples.without_proposals(dataset) for dataset in splits)
    folder = folder_of(options, "mask_rcnn", deal)
    detector = untrained("mask_rcnn", options, train.dataset.classes, deal)
    detector = faster_rcnn.train_at_once(detector, train, faster_rcnn.settings_of(options, deal), folder)
    if distributed.rank() > 0:
        return {}
    detectors.save(detector, "mask_rcnn", options.backbone, folder / "mask_rcnn.safetensors")
    found, classes = detect_all(detector, test, options.test_regions), len(detector.classes)
    measured = coco_evaluate(found, test.targets, classes)
    boxes_as_masks = coco_evaluate([filled(each) for each in found], test.targets, classes)
    numbers = {"boxes": measured, "masks": measured.masks, "filled boxes": boxes_as_masks.masks}
    return keep_result(
        folder,
        detector.classes,
        evaluate(found, test.targets, num_classes=classes),
        deal=deal,
        seconds=StageClock(folder).seconds,
        **{name: as_numbers(number) for name, number in numbers.items()},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on every deal that is asked for, print and keep what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, "mask_rcnn")
    parser.add_argument("--deals", type=int, nargs="+", default=[0], help="instance splits of stamps, and seeds (0)")
    parser.add_argument("--save", action="store_true", help=f"keep the results in data/results/{RESULT}")
    parser.add_argument("--bundle", action="store_true", help="make the first deal's detectors.load('mask_rcnn')")
    options = parser.parse_args(arguments)
    deals = [train_and_test(options, deal) for deal in options.deals]
    if distributed.rank() > 0:
        return
    for deal in deals:
        print({name: deal[name] for name in ("deal", "boxes", "masks", "filled boxes", "seconds")})
    command = f"python -m lecture_lib.training.mask_rcnn --deals {' '.join(map(str, options.deals))} --save"
    if options.save:
        result = {"command": command, **date_and_machine(), "deals": deals}
        write_json(data_root() / "results" / RESULT, result)
    if options.bundle:
        source = folder_of(options, "mask_rcnn", options.deals[0]) / "mask_rcnn.safetensors"
        print(checkpoints.bundle("mask_rcnn", source, f"{command} --bundle"))


if __name__ == "__main__":
    main()
