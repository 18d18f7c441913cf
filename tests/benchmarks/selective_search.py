"""Our Selective Search against OpenCV's: recall, best overlap and time, image by image in turn in one process.

`python -m tests.benchmarks.selective_search --folder ../shared/real/voc2007 --split trainval` measures a folder in the
layout of VOC, without `--folder` a split of the bundled scenes; `--save` keeps the result in data/results/.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from lecture_lib.evaluation import mean_best_overlap, recall
from lecture_lib.files import data_root
from lecture_lib.proposals import opencv_selective_search, selective_search
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.results import date_and_machine, read_json, write_json
from lecture_lib.voc import VOCDataset, stamps

COUNTS = (100, 300, 500, 1000, 2000)
SEARCHES: dict[str, Callable[[torch.Tensor], Proposals]] = {"ours": selective_search, "opencv": opencv_selective_search}


def measure(dataset: VOCDataset, images: int) -> dict:
    """Figures of both searches, each with its own "fast" settings, on the first images of a data set."""
    images = min(images, len(dataset))
    found: dict[str, list[Proposals]] = {name: [] for name in SEARCHES}
    seconds: dict[str, list[float]] = {name: [] for name in SEARCHES}
    targets = [dataset.target(i) for i in range(images)]
    selective_search(dataset.image(0))  # compiles
    for i in tqdm(range(images)):
        image = dataset.image(i)
        for name in list(SEARCHES)[:: 1 if i % 2 else -1]:  # in turn, and each goes first half of the time
            start = time.perf_counter()
            found[name].append(SEARCHES[name](image))
            seconds[name].append(time.perf_counter() - start)
    ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds["opencv"], strict=True)]
    return {
        "set": f"{dataset.root.name} {dataset.split}",
        "images": images,
        "objects": sum(int((~target.difficult).sum()) for target in targets),
        "faster": round(median(ratios), 2),
        "searches": {name: _figures(found[name], targets, seconds[name]) for name in SEARCHES},
    }


def _figures(found: list[Proposals], targets: list[Target], seconds: list[float]) -> dict:
    def rounded(values: torch.Tensor) -> list[float]:
        return [round(value, 4) for value in values.tolist()]

    return {
        "boxes": round(sum(map(len, found)) / len(found)),
        "median_seconds": round(median(seconds), 4),
        "recall_at_0.5": rounded(recall(found, targets, 0.5, COUNTS)),
        "recall_at_0.7": rounded(recall(found, targets, 0.7, COUNTS)),
        "mean_best_overlap": rounded(mean_best_overlap(found, targets, COUNTS).mean_over_objects),
    }


def show(result: dict) -> None:
    """Print a table."""
    print(f"{result['set']}: {result['images']} images, {result['objects']} objects; ours {result['faster']} x as fast")
    print(f"{'first boxes of an image':32}" + "".join(f"{count:>8,}" for count in COUNTS))
    for name, figures in result["searches"].items():
        print(f"{name}: {figures['boxes']} boxes an image, {figures['median_seconds']:.3f} s")
        for row in ("recall_at_0.5", "recall_at_0.7", "mean_best_overlap"):
            print(f"    {row:28}" + "".join(f"{value:8.3f}" for value in figures[row]))


def save(result: dict) -> Path:
    """Add a result, dated and with its machine, to data/results/selective_search.json."""
    path = data_root() / "results" / "selective_search.json"
    results = read_json(path) if path.exists() else {}
    results[result["set"]] = {**date_and_machine(), "counts": COUNTS, **result}
    write_json(path, results)
    return path


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="in the layout of VOC; by default the bundled scenes")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=100, help="at most so many")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    dataset = VOCDataset(options.folder, options.split) if options.folder else stamps(options.split)
    result = measure(dataset, options.images)
    show(result)
    if options.save:
        print(f"saved in {save(result)}")


if __name__ == "__main__":
    main()
