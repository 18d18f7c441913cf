"""The ladder, all four detectors in one run: `python -m tests.benchmarks.ladder` (about 12 minutes on two cores).

Every detector makes its own proposals of the same images, 300 an image, and runs in turn with the others. Training is
not run to its end: some steps and some images of every stage are timed and scaled up to all. Mean average precision is
that of `one_pass_map.json` and `faster_map.json`, which have the commands that measured it.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import lecture_lib
from lecture_lib import detectors
from lecture_lib.detectors import LADDER, SLOTS
from lecture_lib.evaluation.ladder import cnn_passes, with_regions
from lecture_lib.files import data_root
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples, ready
from lecture_lib.training.regions import Pixels
from lecture_lib.training.results import date_and_machine, write_json
from lecture_lib.training.variants import stored_maps
from lecture_lib.voc import stamps
from tests.benchmarks.one_pass import STEPS, WARM, build, joint, seconds_a_step, staged

REGIONS = 300  # of an image, for all four


def inference(images: int) -> dict[str, dict[str, Any]]:
    """Mean seconds of every slot, and passes of the CNN, by detector."""
    test, device = stamps("test"), lecture_lib.device()
    ladder = {name: with_regions(detectors.load(name), REGIONS).to(device) for name in LADDER}
    slots, passes = {name: [] for name in ladder}, {name: [] for name in ladder}
    for i in range(images + 1):  # the first image sets things up and is not counted
        image = test.image(max(i - 1, 0)).to(device)
        for name, detector in ladder.items():
            traced = detector.trace(image)
            if i:
                slots[name].append(traced.seconds)
                passes[name].append(cnn_passes(detector, len(traced.proposals)))
    return {
        name: {"seconds": {s: mean(t[s] for t in slots[name]) for s in SLOTS}, "passes": round(mean(passes[name]))}
        for name in ladder
    }


def training(folder: Path) -> dict[str, dict[str, Any]]:
    """Seconds of every stage of the training, and bytes stored on disk for it, by detector."""
    train = ready(stamps("train"))
    rows = {}
    for recipe in ("rcnn", "sppnet"):
        seconds, stored = staged(recipe, train, folder)
        rows[recipe] = {"training": seconds, "bytes": stored}
    for recipe, seconds in (("fast_rcnn", joint(train)), ("faster_rcnn", end_to_end(train))):
        rows[recipe] = {"training": seconds, "bytes": 0}
    return rows


def end_to_end(train: Examples) -> dict[str, float]:
    """Seconds of Faster R-CNN's only stage."""
    settings = EndToEnd()
    few = replace(settings, regions=replace(settings.regions, steps=WARM + STEPS + 1))
    steps = train_end_to_end(build("faster_rcnn"), Pixels(train.dataset), train.targets, few)
    return {"end to end": settings.regions.steps * seconds_a_step(steps)}


def measured_maps() -> dict[str, list[float]]:
    """Mean average precision on every deal, by detector: what the commands of the ablations have kept.

    Raises `ValueError` where a detector was not measured.
    """
    found = {}
    for recipe in LADDER:
        maps = {**stored_maps("one_pass_map.json", recipe), **stored_maps("faster_map.json", recipe)}
        if not maps:
            raise ValueError(f"the mAP of {recipe} was not measured; `make results` says by which commands it is")
        found[recipe] = [maps[deal] for deal in sorted(maps)]
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5, help="on which inference is timed (5)")
    parser.add_argument("--save", action="store_true", help="keep the result in data/results/ladder.json")
    options = parser.parse_args()
    lecture_lib.keep_freed_memory()
    about = {"command": "python -m tests.benchmarks.ladder --save", **date_and_machine()}
    rows, maps = inference(options.images), measured_maps()
    with TemporaryDirectory() as folder:
        trained = training(Path(folder))
    rows = {name: {"maps": maps[name], **row, **trained[name]} for name, row in rows.items()}
    for name, row in rows.items():
        seconds = sum(row["seconds"].values())
        print(
            f"{name:12} mAP {mean(row['maps']):.3f} {seconds:7.3f} s an image, {row['passes']:4} passes of the CNN, "
            f"training {sum(row['training'].values()):5.0f} s, {row['bytes'] / 1e9:.2f} GB stored"
        )
    if options.save:
        write_json(data_root() / "results" / "ladder.json", about | {"images": options.images, "rows": rows})


if __name__ == "__main__":
    main()
