"""Our Faster R-CNN beside torchvision's: `python -m tests.benchmarks.torchvision_detector` (an hour on two cores).

Both get the same trunk with the same ImageNet weights, the same images at the same scales, mirrored alike, the same
anchors, batches, optimiser, schedule and number of steps. torchvision keeps its own RPN, RoIAlign, head and losses, and
gets a search for its learning rate, on the val split of the first deal in a quarter of the steps. Ours gets none: its
mAP is that of `python -m lecture_lib.training.faster_ablation --save`. Seconds are those of `tests.benchmarks.speed`.
"""

import argparse
from statistics import median

import torch
from torchvision.models.detection import FasterRCNN
from tqdm import tqdm

import lecture_lib
from lecture_lib.evaluation import evaluate
from lecture_lib.files import cache_root, data_root
from lecture_lib.structures import Detections
from lecture_lib.training.examples import Examples
from lecture_lib.training.joint import JointTraining
from lecture_lib.training.regions import Pixels
from lecture_lib.training.results import date_and_machine, write_json
from lecture_lib.training.variants import mean_and_deviation, stored_maps
from lecture_lib.voc import stamps
from tests.benchmarks.speed import detecting
from tests.benchmarks.torchvision_model import build_theirs, train_theirs

RATES = (3e-4, 1e-3, 3e-3)
SEARCH_STEPS = JointTraining().steps // 4
OURS = "Faster R-CNN, "
RESULT = "torchvision.json"


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


def seconds_of_both(rounds: int = 10) -> dict[str, dict[str, float]]:
    """Median seconds of a training step and of an image, as `speed.detecting` measures them, ours and torchvision's."""
    rivals = detecting.Rivals.on(lecture_lib.device())
    found = detecting.step_rows("", rounds) + detecting.image_rows(rivals, "", rounds)
    rows = {row.what.removeprefix(OURS): row for row in found if row.what.startswith(OURS)}
    return {
        "ours": {what: median(row.ours) for what, row in rows.items()},
        "torchvision": {what: median(row.theirs) for what, row in rows.items()},
    }


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
    seconds = seconds_of_both()
    result = {
        who: {"maps": maps, "seconds": seconds[who]}
        for who, maps in (("ours", [ours[deal] for deal in options.deals]), ("torchvision", theirs))
    }
    result["torchvision"] |= {"search": {f"{rate:g}": found for rate, found in search.items()}, "rate": best}
    for who, found in result.items():
        each = ", ".join(f"{value:.3f} s {what}" for what, value in found["seconds"].items())
        print(f"{who:12} mAP {mean_and_deviation(found['maps'])}; {each}")
    about = {"command": "python -m tests.benchmarks.torchvision_detector --save", **date_and_machine()}
    if options.save:
        write_json(data_root() / "results" / RESULT, about | result)


if __name__ == "__main__":
    main()
