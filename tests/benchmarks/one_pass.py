"""R-CNN, SPPnet and Fast R-CNN side by side: `python -m tests.benchmarks.one_pass` (about 10 minutes on two cores).

One run measures all three, in turns, with the same network, the same images and the same proposals; R-CNN's regions go
through the network in batches, channels last. Seconds do not depend on the weights, so all are untrained.
Training is not run to its end: some steps and some images of every stage are timed and scaled up to all.
"""

import argparse
from collections.abc import Generator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import lecture_lib
from lecture_lib.detectors import RECIPES, SLOTS, Detector
from lecture_lib.files import data_root
from lecture_lib.proposals import SelectiveSearch, selective_search
from lecture_lib.training.examples import Examples, ready
from lecture_lib.training.features import FeatureStore
from lecture_lib.training.joint import JointTraining, train_jointly
from lecture_lib.training.rcnn import RCNNTraining, fit_head, label_for_tuning
from lecture_lib.training.region_softmax import fine_tune
from lecture_lib.training.regions import EncodedImages, Pixels
from lecture_lib.training.results import date_and_machine, write_json
from lecture_lib.voc import stamps

COMPARED = ("rcnn", "sppnet", "fast_rcnn")
ONE_SCALE = "sppnet, one scale"
COUNTS = (300, 2000)  # regions of an image; the papers have about 2,000
STEPS, WARM = 6, 2  # of a training: timed, and before those
IMAGES = 40  # of which features are stored


def build(recipe: str) -> Detector:
    """An untrained detector on the machine's best device."""
    return RECIPES[recipe](stamps("test").classes).to(lecture_lib.device())


def inference(images: int) -> tuple[float, dict[str, Any]]:
    """Seconds of Selective Search, and seconds by slot for every number of regions and detector: means over images."""
    test, device = stamps("test"), lecture_lib.device()
    detectors = {name: build(name) for name in COMPARED}
    pyramid = detectors["sppnet"]
    detectors[ONE_SCALE] = replace(pyramid, encode=pyramid.encode.at_scales((320,)))
    thorough = replace(SelectiveSearch.quality(), max_boxes=max(COUNTS))
    for detector in detectors.values():  # the first pass sets things up and is not counted
        detector.trace(test.image(0).to(device))
    propose, traces = [], {count: {name: [] for name in detectors} for count in COUNTS}
    for i in range(images):
        image = test.image(i)
        start = perf_counter()
        selective_search(image)
        propose.append(perf_counter() - start)
        boxes = selective_search(image, thorough)
        for count in COUNTS:
            for name, detector in detectors.items():
                traces[count][name].append(detector.trace(image.to(device), boxes[:count]).seconds)
    measured = [slot for slot in SLOTS if slot != "propose"]
    return mean(propose), {
        str(count): {name: {slot: mean(t[slot] for t in turns) for slot in measured} for name, turns in by_name.items()}
        for count, by_name in traces.items()
    }


def seconds_a_step(steps: Generator) -> float:
    """Mean seconds of some steps after the first ones."""
    for _ in islice(steps, WARM):
        pass
    start = perf_counter()
    for _ in islice(steps, STEPS):
        pass
    seconds = (perf_counter() - start) / STEPS
    steps.close()
    return seconds


def staged(recipe: str, train: Examples, folder: Path) -> tuple[dict[str, float], int]:
    """Seconds of every stage of R-CNN's or SPPnet's training, and the bytes that it stores, for the whole set."""
    detector, settings, images = build(recipe), RCNNTraining.seeded(0, recipe), len(train.targets)
    tuning, seconds = settings.fine_tuning, {}
    encoded = EncodedImages(detector, Pixels(train.dataset))
    start = perf_counter()
    for i in range(images):  # for R-CNN this only reads the files; SPPnet needs the mirrored images too
        for mirrored in (False, True)[: 1 + tuning.flip]:
            encoded(i, lecture_lib.device(), mirrored)
    seconds["maps of the images"] = perf_counter() - start
    few = replace(tuning, steps=WARM + STEPS + 1)
    steps = fine_tune(detector, label_for_tuning(train, tuning.rule), encoded, few)
    seconds["fine-tuning"] = tuning.steps * seconds_a_step(steps)
    some = ready(train.dataset.part(0, IMAGES))
    store = FeatureStore(folder / recipe, some.with_objects(settings.train_regions), recipe)
    start = perf_counter()
    for _ in store.fill(detector, some.dataset):
        pass
    seconds["features of regions"] = images * (perf_counter() - start) / IMAGES
    start = perf_counter()
    fit_head(store, some, settings)
    seconds["SVMs and box regressors"] = images * (perf_counter() - start) / IMAGES
    return seconds, round(images * store.bytes / IMAGES)


def joint(train: Examples) -> dict[str, float]:
    """Seconds of Fast R-CNN's only stage."""
    settings = JointTraining()
    few = replace(settings, steps=WARM + STEPS + 1)
    steps = train_jointly(build("fast_rcnn"), Pixels(train.dataset), train.with_objects(), train.targets, few)
    return {"joint training": settings.steps * seconds_a_step(steps)}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5, help="on which inference is timed (5)")
    parser.add_argument("--save", action="store_true", help="keep the result in data/results/one_pass.json")
    options = parser.parse_args()
    lecture_lib.keep_freed_memory()
    about = {"command": "python -m tests.benchmarks.one_pass --save", **date_and_machine()}
    propose, seconds = inference(options.images)
    train = ready(stamps("train"))
    training, stored = {"fast_rcnn": joint(train)}, {"fast_rcnn": 0}
    with TemporaryDirectory() as folder:
        for recipe in ("rcnn", "sppnet"):
            training[recipe], stored[recipe] = staged(recipe, train, Path(folder))
    result = about | {"images": options.images, "propose": propose, "inference": seconds}
    result |= {
        "training": {name: training[name] for name in COMPARED},
        "bytes": {name: stored[name] for name in COMPARED},
    }
    for count, by_name in seconds.items():
        for name, slots in by_name.items():
            print(f"{count:>5} regions  {name:18} {sum(slots.values()):7.3f} s an image")
    for name, stages in result["training"].items():
        print(f"training       {name:18} {sum(stages.values()):7.0f} s, {stored[name] / 1e9:.2f} GB stored")
    if options.save:
        write_json(data_root() / "results" / "one_pass.json", result)


if __name__ == "__main__":
    main()
