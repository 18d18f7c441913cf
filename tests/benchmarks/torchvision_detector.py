"""Our Faster R-CNN beside torchvision's: `python -m tests.benchmarks.torchvision_detector` (hours on two cores).

Both get the same trunk with the same ImageNet weights, the same images at the same scales, mirrored alike, the same
anchors, batches, optimiser, schedule and number of steps, and the same search for a learning rate on the val split of
the first deal. torchvision keeps its own RPN, RoIAlign, head and losses. It can be interrupted and goes on.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

import lecture_lib
from lecture_lib import detectors
from lecture_lib.backbones import Backbone, efficientnet_lite0_fc
from lecture_lib.evaluation import evaluate
from lecture_lib.files import cache_root, data_root
from lecture_lib.structures import Detections, Target
from lecture_lib.training.end_to_end import NORMALISED, EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples, evaluate_detector
from lecture_lib.training.joint import JointTraining, finished, freeze_before, image_batches
from lecture_lib.training.loop import Step, train
from lecture_lib.training.region_softmax import one_cycle
from lecture_lib.training.regions import Pixels, mirror, picture
from lecture_lib.training.results import describe_machine, read_json, today, write_json
from lecture_lib.training.resume import Resumable
from lecture_lib.voc import stamps

RATES = (3e-4, 1e-3, 3e-3)
SIDES = (64, 96, 144)
RESULT = "torchvision.json"


class CentredTrunk(nn.Module):
    """Our trunk as torchvision takes it; the border keeps cell i on pixel 16 i, which its anchors count on."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.trunk, self.border, self.stride = backbone.trunk, round(backbone.first_cell), backbone.stride
        self.out_channels = backbone.channels

    def forward(self, images: Tensor) -> Tensor:
        """The map, without the cells that the border alone has made."""
        rows, columns = images.shape[2] // self.stride, images.shape[3] // self.stride
        padded = F.pad(images, (self.border, 0, self.border, 0)).contiguous(memory_format=torch.channels_last)
        return self.trunk(padded)[:, :, :rows, :columns].contiguous()


def build_theirs(classes: Sequence[str], settings: JointTraining, seed: int) -> FasterRCNN:
    """torchvision's detector on our trunk, with the parameters that ours has."""
    torch.manual_seed(seed)
    backbone = efficientnet_lite0_fc(generator=torch.Generator().manual_seed(seed))
    return FasterRCNN(
        CentredTrunk(backbone),
        num_classes=len(classes) + 1,
        min_size=320,
        max_size=1000,
        image_mean=backbone.mean.flatten().tolist(),
        image_std=backbone.std.flatten().tolist(),
        rpn_anchor_generator=AnchorGenerator((SIDES,), ((0.5, 1.0, 2.0),)),
        rpn_pre_nms_top_n_train=1000,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_train=500,
        rpn_post_nms_top_n_test=300,
        box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        box_batch_size_per_image=settings.regions.size,
        box_nms_thresh=0.3,
    ).to(lecture_lib.device())


def train_theirs(
    model: FasterRCNN, pixels: Pixels, targets: Sequence[Target], settings: JointTraining, state: Path
) -> Iterator[Step]:
    """The same loop, views and optimiser as ours, on torchvision's own losses."""
    device = lecture_lib.device()
    freeze_before(model.backbone.trunk, settings.first_trained)
    optimizer, schedule = one_cycle(model, [model.rpn, model.roi_heads], settings)
    saved = Resumable(state, settings, network=model, optimizer=optimizer, schedule=schedule)

    def losses(batch: tuple[int, int]) -> dict[str, Tensor]:
        step, i = batch
        generator = torch.Generator().manual_seed(settings.seed + 1_000_003 * step + i)
        mirrored = settings.flip and bool(torch.rand(1, generator=generator) < 0.5)
        model.transform.min_size = (settings.scales[int(torch.randint(len(settings.scales), (), generator=generator))],)
        boxes = mirror(targets[i].boxes, targets[i].image_size[1]) if mirrored else targets[i].boxes
        truth = {"boxes": boxes.to(device), "labels": targets[i].labels.to(device)}
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # it samples by the global generator
            found = model([picture(pixels, i, device, mirrored)], [truth])
        return {name: loss / settings.images for name, loss in found.items()}

    batches = list(enumerate(image_batches(len(targets), settings)))
    model.train()
    try:
        for record in train(
            losses, batches, optimizer, schedule, done=saved.restore(), parts=lambda b: [(b[0], i) for i in b[1]]
        ):
            saved.save(record.step, settings.steps)
            yield record
    finally:
        model.eval()


@torch.no_grad()
def evaluate_theirs(model: FasterRCNN, test: Examples) -> float:
    """Mean average precision at IoU 0.5, by our evaluation."""
    model.transform.min_size, found = (320,), []
    for i, target in enumerate(test.targets):
        out = model([test.dataset.image(i).to(lecture_lib.device())])[0]
        index = torch.zeros(len(out["labels"]), dtype=torch.long)
        columns = (out[name].cpu() for name in ("boxes", "labels", "scores"))
        found.append(Detections(*columns, index, None, target.image_size))
    return evaluate(found, test.targets).map


def measure(whose: str, rate: float, deal: int, split: str, steps: int | None) -> dict[str, float]:
    """Train one detector once, and its mAP on a split; kept, and done only once."""
    folder = cache_root() / "torchvision" / f"{whose}-{deal}-{rate:g}"
    path = folder / f"{split}.json"
    if path.is_file():
        return read_json(path)
    settings = JointTraining(learning_rate=rate, seed=deal)
    settings = replace(settings, steps=steps or settings.steps)
    train_set, test = (Examples.without_proposals(stamps(name, deal)) for name in ("train", split))
    pixels, classes = Pixels(train_set.dataset), train_set.dataset.classes
    if whose == "ours":
        generator = torch.Generator().manual_seed(deal)
        detector = detectors.faster_rcnn(classes, efficientnet_lite0_fc(generator=generator), generator, sides=SIDES)
        detector = detector.to(lecture_lib.device())
        run = train_end_to_end(detector, pixels, train_set.targets, EndToEnd(regions=settings), folder / "state.pt")
    else:
        model = build_theirs(classes, settings, deal)
        run = train_theirs(model, pixels, train_set.targets, settings, folder / "state.pt")
    kept = folder / "seconds.json"
    seconds = [*(read_json(kept) if kept.is_file() else []), *(record.seconds for record in run)]
    write_json(kept, seconds)
    start = perf_counter()
    if whose == "ours":
        score = evaluate_detector(finished(detector, NORMALISED), test, 300).map
    else:
        score = evaluate_theirs(model, test)
    result = {"map": score, "step": mean(seconds), "image": (perf_counter() - start) / len(test.targets)}
    write_json(path, result)
    return result


def main() -> None:
    """Search the rate of both, train both on every deal, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 2], help="instance splits and seeds (0 1 2)")
    parser.add_argument("--steps", type=int, help="of every training (ours by default)")
    parser.add_argument("--save", action="store_true", help=f"keep the result in data/results/{RESULT}")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    for whose in ("ours", "torchvision"):
        search = {rate: measure(whose, rate, options.deals[0], "val", options.steps)["map"] for rate in RATES}
        best = max(search, key=search.get)
        tests = [measure(whose, best, deal, "test", options.steps) for deal in options.deals]
        result[whose] = {"search": {f"{r:g}": m for r, m in search.items()}, "rate": best, "deals": tests}
        maps = [test["map"] for test in tests]
        spread = f" ± {stdev(maps):.3f}" if len(maps) > 1 else ""
        steps, images = (mean(test[name] for test in tests) for name in ("step", "image"))
        print(f"{whose:12} mAP {mean(maps):.3f}{spread} at {best:g}; {steps:.2f} s a step, {images:.3f} s an image")
    about = {"command": "python -m tests.benchmarks.torchvision_detector --save", "date": today()}
    if options.save:
        write_json(data_root() / "results" / RESULT, about | {"machine": describe_machine()} | result)


if __name__ == "__main__":
    main()
