"""What R-CNN costs on one image, slot by slot: `python -m tests.benchmarks.rcnn` (about 5 minutes on two cores).

2,000 proposals, as in the paper, through the course's default network (regions of 112 px), through EfficientNet-Lite0
on its own 224 px and through the lecture's AlexNet on 227 px, in turn. Weights that would have to be downloaded are
random: the time does not depend on them.
"""

import argparse
from dataclasses import replace
from statistics import median

import lecture_lib
from lecture_lib.backbones import Backbone, alexnet, efficientnet_lite0, efficientnet_lite0_fc
from lecture_lib.detectors import SLOTS, Detector, SearchImage, rcnn
from lecture_lib.files import data_root
from lecture_lib.proposals import SelectiveSearch, selective_search
from lecture_lib.training.results import date_and_machine, write_json
from lecture_lib.voc import stamps

PROPOSALS = 2000  # R-CNN, section 2.2
NETWORKS = {
    "Lite0 with fc6 and fc7, 112 px": efficientnet_lite0_fc,
    "Lite0, 224 px": efficientnet_lite0,
    "AlexNet, 227 px": lambda: alexnet(weights=None),
}


def build(backbone: Backbone) -> Detector:
    """R-CNN that finds enough boxes on a small picture: by the thorough Selective Search."""
    search = replace(SelectiveSearch.quality(), max_boxes=PROPOSALS)
    return replace(rcnn(stamps("test").classes, backbone), propose=SearchImage(search)).to(lecture_lib.device())


def measure(repeats: int) -> dict:
    """Seconds by slot of every network, the median of `repeats` turns, all networks in each turn."""
    image = stamps("test").image(0).to(lecture_lib.device())
    detectors = {name: build(make()) for name, make in NETWORKS.items()}
    for detector in detectors.values():
        detector.trace(image, selective_search(image)[:64])  # the first pass sets things up
    turns = [{name: detector.trace(image) for name, detector in detectors.items()} for _ in range(repeats)]
    return {
        name: {
            "regions": len(turns[0][name].proposals),
            "seconds": {slot: median(turn[name].seconds[slot] for turn in turns) for slot in SLOTS},
        }
        for name in detectors
    }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="turns of all networks (1)")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    networks = measure(options.repeats)
    for name, found in networks.items():
        total = sum(found["seconds"].values())
        print(f"{name:32} {found['regions']} regions {total:6.1f} s  {total / found['regions'] * 1000:.1f} ms each")
    if options.save:
        command = "python -m tests.benchmarks.rcnn --save"
        about = {"command": command, **date_and_machine()}
        write_json(data_root() / "results" / "rcnn_seconds.json", about | {"networks": networks})


if __name__ == "__main__":
    main()
