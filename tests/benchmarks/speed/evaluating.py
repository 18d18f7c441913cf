"""VOC's and COCO's average precision of 5,000 images beside pycocotools and faster-coco-eval."""

import contextlib
import io
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from lecture_lib.evaluation import Curve, Evaluation, coco_evaluate, evaluate
from lecture_lib.structures import Detections, Target
from tests.benchmarks.speed.measure import Row, in_turn, is_installed, table

IMAGES, CLASSES, OBJECTS, FOUND = 5000, 20, 3, 20  # objects and detections of an image at most
SIZE = (375, 500)  # height, width
RIVALS = {"pycocotools": "pycocotools", "faster-coco-eval": "faster_coco_eval"}
COCO_FIELDS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
               "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")  # fmt: skip


def scenes(count: int, seed: int = 0) -> tuple[list[Detections], list[Target]]:
    """Images with objects, no two of one class in an image, and detections: near them, doubled, and elsewhere.

    With one object of a class VOC's rule, the best object, and COCO's, the best free one, are the same.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs = [_scene(generator) for _ in range(count)]
    return [found for found, _ in pairs], [target for _, target in pairs]


def _scene(generator: torch.Generator) -> tuple[Detections, Target]:
    objects, found = (int(torch.randint(1, most + 1, (1,), generator=generator)) for most in (OBJECTS, FOUND))
    labels = torch.randperm(CLASSES, generator=generator)[:objects] + 1
    boxes = _boxes(objects, generator)
    on = torch.randint(objects, (found,), generator=generator)
    near = _kept(boxes[on] + 12 * torch.randn(found, 4, generator=generator))
    right = torch.rand(found, generator=generator) < 0.4
    guessed = torch.randint(1, CLASSES + 1, (found,), generator=generator)
    scores = (torch.rand(found, generator=generator) + right) / 2
    rows = torch.where(right[:, None], near, _boxes(found, generator))
    detections = Detections(rows, torch.where(right, labels[on], guessed), scores, torch.arange(found), None, SIZE)
    return detections, Target(boxes, labels, torch.zeros(objects, dtype=torch.bool), None, SIZE)


def _boxes(count: int, generator: torch.Generator) -> Tensor:
    size = torch.tensor([SIZE[1], SIZE[0]])
    sides = size * (0.05 + 0.6 * torch.rand(count, 2, generator=generator))
    corner = (size - sides) * torch.rand(count, 2, generator=generator)
    return _kept(torch.cat([corner, corner + sides], dim=1))


def _kept(boxes: Tensor) -> Tensor:
    limit = torch.tensor([SIZE[1], SIZE[0]])
    first, last = boxes[:, :2].minimum(boxes[:, 2:]), boxes[:, :2].maximum(boxes[:, 2:])
    return torch.cat([first.clamp(min=0).minimum(limit), last.clamp(min=0).minimum(limit)], dim=1)


def coco_truth(targets: list[Target]) -> dict:
    """The ground truth as a file of COCO's holds it."""
    rows = [
        {"id": 0, "image_id": i, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        for i, target in enumerate(targets)
        for label, box in zip(target.labels.tolist(), _xywh(target.boxes), strict=True)
    ]
    for number, row in enumerate(rows, start=1):
        row["id"] = number
    images = [{"id": i, "height": SIZE[0], "width": SIZE[1]} for i in range(len(targets))]
    return {"images": images, "categories": [{"id": k} for k in range(1, CLASSES + 1)], "annotations": rows}


def coco_results(detections: list[Detections]) -> list[dict]:
    """The detections as a file of COCO's results holds them."""
    return [
        {"image_id": i, "category_id": label, "bbox": box, "score": score}
        for i, found in enumerate(detections)
        for label, box, score in zip(found.labels.tolist(), _xywh(found.boxes), found.scores.tolist(), strict=True)
    ]


def _xywh(boxes: Tensor) -> list[list[float]]:
    boxes = boxes.double()
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1).tolist()


def by_coco(name: str, truth: dict, results: list[dict], voc: bool) -> np.ndarray:
    """COCO's twelve numbers by either package; for VOC only the average precision at IoU 0.5."""
    if name == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Eval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as Eval
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = truth
        data.createIndex()
        evaluation = Eval(data, data.loadRes([dict(row) for row in results]), "bbox")
        if voc:
            evaluation.params.iouThrs = np.array([0.5])
            evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
            evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
        if not voc:
            evaluation.summarize()
    if not voc:
        stats = np.array(evaluation.stats[:12])
        return np.where(stats < 0, np.nan, stats)  # -1: no object of that size
    precision = evaluation.eval["precision"]
    return np.array([precision[precision >= 0].mean()])  # -1: a class without objects


def ours(detections: list[Detections], targets: list[Target], voc: bool) -> Evaluation | np.ndarray:
    """Our measure: VOC's curves and areas, or COCO's twelve numbers."""
    if voc:
        return evaluate(detections, targets)
    result = coco_evaluate(detections, targets)
    return np.array([getattr(result, name) for name in COCO_FIELDS])


def at_101_recalls(curve: Curve) -> float:
    """COCO's average of the precision, from our curve, so that both can be held against each other."""
    best = curve.precision.flip(0).cummax(0).values.flip(0)
    place = torch.searchsorted(curve.recall, torch.from_numpy(np.linspace(0, 1, 101)))
    return float(torch.cat([best, best.new_zeros(1)])[place].mean())


def compared(what: str, voc: bool, data: tuple[list[Detections], list[Target]], rounds: int) -> list[Row]:
    """One measure, ours and all packages in the same rounds; a row for each package."""
    detections, targets = data
    truth, results = coco_truth(targets), coco_results(detections)
    answers: dict[str, Evaluation | np.ndarray] = {}

    def run(name: str, way: Callable[[], Evaluation | np.ndarray]) -> None:
        answers[name] = way()

    ways = {"ours": partial(ours, detections, targets, voc)}
    ways |= {
        name: partial(by_coco, name, truth, results, voc)
        for name, module in RIVALS.items()
        if is_installed(name, module)
    }
    seconds = in_turn({name: partial(run, name, way) for name, way in ways.items()}, rounds, warm=0)
    setting = f"{len(targets):,} images, {len(results):,} detections"
    return [
        Row(
            what, setting, seconds["ours"], name, seconds[name], note=f"{name}: {apart(answers['ours'], answers[name])}"
        )
        for name in answers
        if name != "ours"
    ]


def apart(ours: Evaluation | np.ndarray, theirs: np.ndarray) -> str:
    """How far the numbers lie apart."""
    if isinstance(ours, Evaluation):
        mean = np.mean([at_101_recalls(curve) for curve in ours.curves.values()])
        return f"AP at IoU 0.5 over their 101 recalls differs by {abs(mean - theirs[0]):.1g} ({ours.map:.3f} by area)"
    return f"the twelve numbers differ by {np.abs(ours - theirs).max():.1g} at most (AP {ours[0]:.3f})"


def rows(rounds: int = 3) -> list[Row]:
    """VOC's and COCO's measure, each beside both packages."""
    data = scenes(IMAGES)
    return [*compared("VOC AP", True, data, rounds), *compared("COCO AP and AR", False, data, min(rounds, 2))]


if __name__ == "__main__":
    print(table([row.record() for row in rows()]))
