"""Our Faster R-CNN beside torchvision's: `python -m tests.benchmarks.torchvision_detector` (an hour on two cores).

Both get the same trunk with the same ImageNet weights, the same images at the same scales, mirrored alike, the same
anchors, batches, optimiser, schedule and number of steps. torchvision keeps its own RPN, RoIAlign, head and losses, and
gets a search for its learning rate, on the val split of the first deal in a quarter of the steps. Ours gets none: its
mAP is that of `python -m lecture_lib.training.faster_ablation --save`. Seconds are of one run, in turn.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from tqdm import tqdm

import lecture_lib
from lecture_lib import detectors
from lecture_lib.backbones import Backbone, efficientnet_lite0_fc
from lecture_lib.evaluation import evaluate
from lecture_lib.files import cache_root, data_root
from lecture_lib.stopwatch import Stopwatch
from lecture_lib.structures import Detections, Target
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples
from lecture_lib.training.joint import JointTraining, freeze_before, image_batches
from lecture_lib.training.loop import Step, train
from lecture_lib.training.region_softmax import one_cycle
from lecture_lib.training.regions import Pixels, mirror, picture
from lecture_lib.training.results import describe_machine, today, write_json
from lecture_lib.training.resume import Resumable
from lecture_lib.training.variants import mean_and_deviation, stored_maps
from lecture_lib.voc import stamps

RATES = (3e-4, 1e-3, 3e-3)
SEARCH_STEPS = JointTraining().steps // 4
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


def trained(rate: float, deal: int, steps: int) -> FasterRCNN:
    """torchvision's detector, trained on a deal; its state is kept, so that it is trained only once."""
    settings = JointTraining(learning_rate=rate, seed=deal, steps=steps)
    train_set = Examples.without_proposals(stamps("train", deal))
    model = build_theirs(train_set.dataset.classes, settings, deal)
    state = cache_root() / "torchvision" / f"{deal}-{rate:g}-{steps}.pt"
    records = train_theirs(model, Pixels(train_set.dataset), train_set.targets, settings, state)
    for _ in tqdm(records, f"rate {rate:g}, deal {deal}", steps, mininterval=5):
        pass
    return model


def score(model: FasterRCNN, deal: int, split: str) -> float:
    """Its mean average precision on a split."""
    return round(evaluate_theirs(model, Examples.without_proposals(stamps(split, deal))), 4)


def step_seconds(rounds: int = 10) -> dict[str, list[float]]:
    """Seconds of training steps, ours and theirs in turn, on the same images."""
    settings, train_set = JointTraining(steps=rounds + 2), Examples.without_proposals(stamps("train"))
    pixels, targets = Pixels(train_set.dataset), train_set.targets
    ours = detectors.faster_rcnn(train_set.dataset.classes, sides=SIDES).to(lecture_lib.device())
    theirs = build_theirs(train_set.dataset.classes, settings, 0)
    with TemporaryDirectory() as folder:
        runs = {
            "ours": train_end_to_end(ours, pixels, targets, EndToEnd(regions=settings)),
            "torchvision": train_theirs(theirs, pixels, targets, settings, Path(folder) / "state.pt"),
        }
        taken = {who: [] for who in runs}
        for number in range(rounds + 2):
            for who, records in runs.items():
                seconds = next(records).seconds
                if number > 1:  # the first ones set things up
                    taken[who].append(seconds)
        for records in runs.values():
            records.close()
    return taken


def image_seconds(images: int = 20) -> dict[str, list[float]]:
    """Seconds of test images, ours and theirs in turn; both are trained, so that their boxes are alike."""
    device, test = lecture_lib.device(), stamps("test")
    ours, theirs = detectors.load("faster_rcnn").to(device), trained(RATES[1], 0, SEARCH_STEPS)
    theirs.transform.min_size = (320,)
    taken: dict[str, list[float]] = {"ours": [], "torchvision": []}
    for i in range(images + 1):
        image = test.image(i).to(device)
        for who, detect in (("ours", ours.detect), ("torchvision", lambda image: theirs([image]))):
            watch = Stopwatch(device)
            with torch.no_grad():
                watch("image", detect, image)
            if i:
                taken[who].append(watch.seconds["image"])
    return taken


def main() -> None:
    """Search torchvision's rate, train it on every deal, time both in turn, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, nargs="+", default=[0, 1, 2], help="instance splits and seeds (0 1 2)")
    parser.add_argument("--save", action="store_true", help=f"keep the result in data/results/{RESULT}")
    options = parser.parse_args()
    search = {rate: score(trained(rate, options.deals[0], SEARCH_STEPS), options.deals[0], "val") for rate in RATES}
    best, steps = max(search, key=search.get), JointTraining().steps
    theirs = [score(trained(best, deal, steps), deal, "test") for deal in options.deals]
    ours = stored_maps("faster_map.json", "faster_rcnn")
    timed = {"a training step": step_seconds(), "an image": image_seconds()}
    result = {
        who: {"maps": maps, "seconds": {what: median(taken[who]) for what, taken in timed.items()}}
        for who, maps in (("ours", [ours[deal] for deal in options.deals]), ("torchvision", theirs))
    }
    result["torchvision"] |= {"search": {f"{rate:g}": found for rate, found in search.items()}, "rate": best}
    for who, found in result.items():
        seconds = ", ".join(f"{value:.3f} s {what}" for what, value in found["seconds"].items())
        print(f"{who:12} mAP {mean_and_deviation(found['maps'])}; {seconds}")
    about = {"command": "python -m tests.benchmarks.torchvision_detector --save", "date": today()}
    if options.save:
        write_json(data_root() / "results" / RESULT, about | {"machine": describe_machine()} | result)


if __name__ == "__main__":
    main()
