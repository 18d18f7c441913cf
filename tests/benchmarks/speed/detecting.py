"""Our detectors beside torchvision's FasterRCNN: `python -m tests.benchmarks.speed.detecting`.

Images and training steps. Both have the same trunk, numbers of weights, image size and proposals, and at test the very
same trained weights. torchvision keeps its own RPN, RoIAlign, head, suppression and training losses.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

import lecture_lib
from lecture_lib import checkpoints, detectors
from lecture_lib.detectors import Detector
from lecture_lib.heads import compressed
from lecture_lib.structures import Proposals
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples, ready
from lecture_lib.training.joint import JointTraining, train_jointly
from lecture_lib.training.regions import Pixels
from lecture_lib.voc import stamps
from tests.benchmarks.speed.measure import Row, in_turn, table, threads
from tests.benchmarks.torchvision_model import build_theirs, train_theirs

IMAGE_GOAL, STEP_GOAL = {"cpu": 0.7, "cuda": 0.5}, 0.8
RANKS = (256, 64)  # of fc6 and fc7, for the row with truncated SVD (Fast R-CNN, section 4.4: 1024 and 256)
PHOTOGRAPHS = 8
SAME = "the same trained weights in both"
WITHOUT_SEARCH = "its proposals, 300 of Selective Search, were computed before"


def transplanted(classes: Sequence[str]) -> FasterRCNN:
    """torchvision's detector with the weights of the course's own Faster R-CNN, its BatchNorms as they were trained."""
    ours, _ = checkpoints.read_checkpoint(checkpoints.bundled_path("faster_rcnn"))
    theirs = build_theirs(classes, JointTraining(), 0)
    trunk = {name.removeprefix("encode.trunk."): t for name, t in ours.items() if name.startswith("encode.trunk.")}
    theirs.backbone.trunk.load_state_dict(trunk)
    places = {
        "rpn.head.conv.0.0": "propose.window",
        "rpn.head.cls_logits": "propose.objectness",
        "rpn.head.bbox_pred": "propose.deltas",
        "roi_heads.box_head.fc6": "embed.layers.fc6.0",
        "roi_heads.box_head.fc7": "embed.layers.fc7.0",
        "roi_heads.box_predictor.cls_score": "predict.classify",
    }
    with torch.no_grad():
        for there, here in places.items():
            for kind in ("weight", "bias"):
                theirs.get_parameter(f"{there}.{kind}").copy_(ours[f"{here}.{kind}"])
        scale = torch.tensor([10.0, 10, 5, 5]).repeat(len(classes))  # torchvision's deltas are normalised
        last = theirs.roi_heads.box_predictor.bbox_pred
        last.weight[4:] = (ours["predict.move.weight"] * scale[:, None]).to(last.weight.device)  # 0 to 3: background
        last.bias[4:] = (ours["predict.move.bias"] * scale).to(last.bias.device)
    return theirs.eval()


def first_of(split: str, count: int) -> Examples:
    """The first images of a split of the bundled scenes, with the proposals that come with the course."""
    whole = ready(stamps(split))
    return Examples(whole.dataset.part(0, count), whole.proposals[:count], whole.targets[:count])


@dataclass(frozen=True)
class Rivals:
    """Images on the device, and the detectors that look at them."""

    images: list[Tensor]
    searched: list[Proposals]
    faster: Detector
    fast: Detector
    theirs: FasterRCNN

    @classmethod
    def on(cls, device: torch.device) -> "Rivals":
        """All of them, trained."""
        test = first_of("test", PHOTOGRAPHS)
        faster = detectors.load("faster_rcnn").to(device)
        fast = replace(faster, propose=detectors.SearchImage())  # with the same weights, too
        images = [test.dataset.image(i).to(device) for i in range(PHOTOGRAPHS)]
        return cls(images, [p.to(device) for p in test.best(300)], faster, fast, transplanted(faster.classes))

    def ways(self, batch: int) -> dict[str, Callable[[], object]]:
        """What is timed: every detector on all images, torchvision's on `batch` of them at once."""
        small = replace(self.faster, embed=compressed(self.faster.embed, *RANKS))
        groups = [self.images[i : i + batch] for i in range(0, len(self.images), batch)]
        return {
            "Faster R-CNN, an image": lambda: [self.faster.detect(image) for image in self.images],
            "Fast R-CNN, an image": lambda: [
                self.fast.detect(*pair) for pair in zip(self.images, self.searched, strict=True)
            ],
            "Faster R-CNN by truncated SVD, an image": lambda: [small.detect(image) for image in self.images],
            "torchvision": lambda: [self.theirs(group) for group in groups],
        }


@torch.no_grad()
def image_rows(rivals: Rivals, setting: str, rounds: int, batch: int = 1, mixed: bool = False) -> list[Row]:
    """Seconds of an image; of torchvision's detector with `batch` images at once."""
    device = lecture_lib.device().type
    with autocast_if(mixed):
        taken = in_turn(rivals.ways(batch), rounds, warm=3)
    each = {name: [seconds / len(rivals.images) for seconds in found] for name, found in taken.items()}
    theirs = each.pop("torchvision")
    notes = {
        "Faster R-CNN, an image": SAME,
        "Fast R-CNN, an image": WITHOUT_SEARCH,
        "Faster R-CNN by truncated SVD, an image": f"fc6 and fc7 cut to ranks {RANKS[0]} and {RANKS[1]}",
    }
    goals = {name: None if "SVD" in name else IMAGE_GOAL.get(device) for name in each}
    other = "torchvision FasterRCNN"
    return [Row(name, setting, ours, other, theirs, goals[name], notes[name]) for name, ours in each.items()]


def step_rows(setting: str, rounds: int, mixed: bool = False) -> list[Row]:
    """Seconds of a training step of two images."""
    few, device = JointTraining(steps=rounds + 3), lecture_lib.device()
    train = first_of("train", 2 * PHOTOGRAPHS)
    pixels, targets, classes = Pixels(train.dataset), train.targets, train.dataset.classes
    faster, fast = (detectors.RECIPES[name](classes).to(device) for name in ("faster_rcnn", "fast_rcnn"))
    with TemporaryDirectory() as folder, autocast_if(mixed):
        runs = {
            "Faster R-CNN, a training step": train_end_to_end(faster, pixels, targets, EndToEnd(few)),
            "Fast R-CNN, a training step": train_jointly(fast, pixels, train.with_objects(), targets, few),
            "torchvision": train_theirs(build_theirs(classes, few, 0), pixels, targets, few, Path(folder) / "state.pt"),
        }
        taken = in_turn({name: lambda run=run: next(run) for name, run in runs.items()}, rounds, warm=2)
        for run in runs.values():
            run.close()
    theirs = taken.pop("torchvision")
    return [Row(name, setting, ours, "torchvision FasterRCNN", theirs, STEP_GOAL) for name, ours in taken.items()]


def autocast_if(mixed: bool) -> AbstractContextManager:
    """Half precision where it is safe, or nothing."""
    return torch.autocast(lecture_lib.device().type, torch.bfloat16) if mixed else nullcontext()


def rows(rounds: int = 7) -> list[Row]:
    """All rows of this machine: by threads on a CPU, by batch and precision on a GPU."""
    rivals, found = Rivals.on(lecture_lib.device()), []
    if torch.cuda.is_available():
        for mixed in (False, True):
            precision = "bfloat16 mixed" if mixed else "float32"
            for batch in (1, PHOTOGRAPHS):
                setting = f"{precision}, torchvision's batch {batch}"
                found += image_rows(rivals, setting, 3 * rounds, batch, mixed)
            found += step_rows(precision, 3 * rounds, mixed)
        return found
    for count in (1, 2):
        with threads(count):
            setting = f"{count} thread{'s' * (count > 1)}"
            found += image_rows(rivals, setting, rounds) + step_rows(setting, rounds)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    print(table([row.record() for row in rows(parser.parse_args().rounds)]))


if __name__ == "__main__":
    main()
