"""R-CNN's features of 2,000 regions of one image: `python -m tests.benchmarks.speed.regions` (a minute on two cores).

Beside the plain loop, one warped region after the other through the network, and beside the floor: the network's
multiply-adds at the rate at which this machine multiplies two large matrices, in the same rounds.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import torch

import lecture_lib
from lecture_lib import detectors
from lecture_lib.detectors import Detector, Maps
from lecture_lib.evaluation.ladder import multiply_adds, with_regions
from lecture_lib.proposals import SelectiveSearch, selective_search
from lecture_lib.structures import Proposals
from lecture_lib.voc import stamps
from tests.benchmarks.speed.measure import Row, in_turn, table

REGIONS = 2000  # of an image (R-CNN, section 2.2)
ONE_BY_ONE = 100  # of them, spread over all sizes, go through the plain loop
SIDE = 1024  # of the matrices that are multiplied


def rows(rounds: int = 3) -> list[Row]:
    """The features beside the plain loop and beside the floor; seconds are of all regions."""
    detector, device = detectors.load("rcnn").to(lecture_lib.device()), lecture_lib.device()
    image = stamps("test").image(0).to(device)
    maps, regions = detector.encode(image), thorough(image).to(device)
    a, b = torch.rand(2, SIDE, SIDE, device=device)
    some = regions[:: max(1, len(regions) // ONE_BY_ONE)]
    ways: dict[str, Callable] = {
        "ours": torch.no_grad()(lambda: detector.features(maps, regions)),
        "loop": torch.no_grad()(lambda: one_by_one(detector, maps, some)),
        "matmul": lambda: a @ b,
    }
    seconds = in_turn(ways, rounds)
    each = work_per_region(detector, image)
    plain = [s * len(regions) / len(some) for s in seconds["loop"]]
    floor = [s * each * len(regions) / SIDE**3 for s in seconds["matmul"]]
    what = f"R-CNN's features of {len(regions):,} regions"
    setting = f"{detector.pool.size} px each, PyTorch's threads: {torch.get_num_threads()}"
    loop_note = f"beside the loop: it ran on {len(some)} regions and was scaled up to all"
    floor_note = (
        f"beside the floor: {each / 1e6:.1f} million multiply-adds a region, at the rate of float32 matrices of "
        f"{SIDE:,} x {SIDE:,}; cutting regions out, and moving activations through memory, cost no multiply-add"
    )
    return [
        Row(what, setting, seconds["ours"], "one region at a time", plain, note=loop_note),
        Row(what, setting, seconds["ours"], "multiply-adds alone", floor, note=floor_note),
    ]


def thorough(image: torch.Tensor) -> Proposals:
    """The best 2,000 of the thorough Selective Search; the fast one finds fewer on a small image."""
    return selective_search(image, replace(SelectiveSearch.quality(), max_boxes=REGIONS))


def one_by_one(detector: Detector, maps: Maps, regions: Proposals) -> torch.Tensor:
    """The same features from a loop over regions."""
    every = (detector.embed(detector.pool(maps, regions[r : r + 1])).fc7 for r in range(len(regions)))
    return torch.cat(list(every))


def work_per_region(detector: Detector, image: torch.Tensor) -> float:
    """Multiply-adds of the network on one region."""
    few = 2  # of the fast search, which finds more on any picture
    return multiply_adds(with_regions(detector, few), image)["embed"] / few


def speeds(measured: list[Row]) -> list[str]:
    """Regions a second of ours and of what it is compared with, medians, a sentence a row."""
    lines = []
    for row in measured:
        kept = row.record()
        lines.append(
            f"{REGIONS / kept['ours']:,.0f} regions a second; {row.other}: {REGIONS / kept['theirs']:,.0f} a second"
        )
    return lines


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    measured = rows(parser.parse_args().rounds)
    print(table([row.record() for row in measured]))
    print("\n".join(speeds(measured)))


if __name__ == "__main__":
    main()
