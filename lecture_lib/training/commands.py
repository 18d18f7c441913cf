"""What the commands that train a detector have in common: options, folders, results."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import lecture_lib
from lecture_lib import checkpoints, detectors
from lecture_lib.backbones import BACKBONES
from lecture_lib.detectors import Detector
from lecture_lib.evaluation import Evaluation
from lecture_lib.files import cache_root, data_root
from lecture_lib.training import distributed, variants
from lecture_lib.training.results import date_and_machine, write_json


def options_of(parser: argparse.ArgumentParser, recipe: str = "rcnn") -> None:
    """The options that every command about the training of a detector has."""
    parser.add_argument("--data", default="stamps", help="stamps, voc2007, voc2012, or a folder (VOC's layout, COCO's)")
    parser.add_argument("--train-split", default="train")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--backbone", choices=BACKBONES, default="lite0")
    if recipe != "rcnn":
        parser.add_argument("--scales", type=int, nargs="+", help="shorter sides of the image (the recipe's)")
    if recipe not in ("rcnn", "sppnet"):
        parser.add_argument("--train-scales", type=int, nargs="+", help="shorter sides in training (200 to 400)")
    if recipe == "faster_rcnn":
        parser.add_argument("--four-steps", action="store_true", help="train by turns, not end to end")
    if recipe in ("faster_rcnn", "mask_rcnn"):
        parser.add_argument("--sides", type=int, nargs="+", help="of the anchors, in resized pixels (the recipe's)")
        parser.add_argument("--images", type=int, help="of a step, shared by all processes (2)")
        parser.add_argument("--mixed-precision", action="store_true", help="bfloat16, end to end only")
    parser.add_argument("--steps", type=int, help="of gradient descent (the recipe's)")
    parser.add_argument("--train-regions", type=int, default=200, help="stored of each image (%(default)s)")
    parser.add_argument("--test-regions", type=int, default=300, help="scored of each image (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the runs (the cache)")


def untrained(recipe: str, options: argparse.Namespace, classes: Sequence[str], seed: int, **changed: Any) -> Detector:
    """A detector by its recipe and the command line's options, on the machine's best device."""
    generator = torch.Generator().manual_seed(seed)
    fresh = {"generator": generator} if options.backbone == "lite0" else {}  # the others have nothing random
    backbone = BACKBONES[options.backbone](**fresh)
    for name in ("scales", "sides"):
        if getattr(options, name, None):
            changed[name] = tuple(getattr(options, name))
    return detectors.RECIPES[recipe](classes, backbone, generator, **changed).to(lecture_lib.device())


def folder_of(options: argparse.Namespace, recipe: str, deal: int) -> Path:
    """Where a training keeps what it needs to go on, and its results."""
    way = "-four-steps" if getattr(options, "four_steps", False) else ""
    return (options.out or cache_root() / recipe) / f"{Path(options.data).name}-{options.backbone}-{deal}{way}"


def keep_result(folder: Path, classes: Sequence[str], found: Evaluation, **more: Any) -> dict[str, Any]:
    """Write a test's result into the training's folder, by class too, with date and machine."""
    ap = {classes[label - 1]: round(value, 4) for label, value in found.ap.items()}
    result = {"map": round(found.map, 4), "ap": ap, **more}
    write_json(folder / "result.json", result | date_and_machine())
    return result


def command(
    recipe: str,
    about: str | None,
    train_and_test: Callable[[argparse.Namespace, int], dict[str, Any]],
    arguments: Sequence[str] | None = None,
) -> None:
    """Train by a recipe on every deal that the command line asks for, and print what came out.

    train_and_test: of one deal; it leaves the detector in the training's folder, as RECIPE.safetensors.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, recipe)
    parser.add_argument("--deals", type=int, nargs="+", default=[0], help="instance splits of stamps, and seeds (0)")
    parser.add_argument(
        "--bundle", action="store_true", help=f"make the last one the course's own detectors.load({recipe!r})"
    )
    options = parser.parse_args(arguments)
    for deal in options.deals:
        result, folder = train_and_test(options, deal), folder_of(options, recipe, deal)
        if distributed.rank() > 0:  # process 0 tests and writes
            continue
        seconds = sum(result["seconds"].values())
        print(f"deal {deal}: mAP {result['map']:.3f} after {seconds:.0f} s of training; {folder}")
    if options.bundle and distributed.rank() == 0:
        line = f"python -m lecture_lib.training.{recipe} --deals {options.deals[-1]} --bundle"
        print(checkpoints.bundle(recipe, folder / f"{recipe}.safetensors", line))


@dataclass(frozen=True)
class Ablation:
    """Variants of a detector, measured on several deals by a command of their own."""

    module: str  # of lecture_lib.training
    recipe: str
    measurements: tuple[str, ...]  # what --only chooses from
    result: str  # file in data/results
    before: tuple[str, str, str]  # a variant of another file to compare with: that file, its name there, its name here
    bases: Mapping[str, str]


def ablate(
    ablation: Ablation, about: str | None, measure_deal: Callable[[argparse.Namespace, int], dict[str, Any]]
) -> None:
    """Measure what is missing on every deal that the command line asks for, print the table and keep it."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, ablation.recipe)
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 2], help="instance splits and seeds (0 1 2)")
    parser.add_argument("--only", nargs="+", choices=ablation.measurements, help="some of the measurements")
    parser.add_argument("--save", action="store_true", help=f"keep the result in data/results/{ablation.result}")
    options = parser.parse_args()
    deals = [measure_deal(options, number) for number in options.deals]
    if options.data == "stamps":
        file, there, here = ablation.before
        maps = variants.stored_maps(file, there)
        deals = [deal | {"variants": {here: maps[deal["deal"]]} | deal["variants"]} for deal in deals]
    line = f"python -m lecture_lib.training.{ablation.module} --deals {' '.join(map(str, options.deals))} --save"
    if options.save:
        result = {"command": line, **date_and_machine(), "deals": deals}
        write_json(data_root() / "results" / ablation.result, result)
    print(variants.table(deals, ablation.bases))
