"""The sets that detectors are trained and tested on, with their proposals."""

from dataclasses import dataclass, replace

from tqdm import tqdm

from lecture_lib.detectors import Detector
from lecture_lib.evaluation import Evaluation, evaluate
from lecture_lib.precompute import cached_proposals, precompute
from lecture_lib.structures import Detections, Proposals, Target
from lecture_lib.training.regions import with_ground_truth
from lecture_lib.voc import VOCDataset, coco_as_voc, is_coco, stamps, voc2007, voc2012


@dataclass(frozen=True)
class Examples:
    """A split of a set in memory but for its pixels: proposals and targets of every image, in the order of the set."""

    dataset: VOCDataset
    proposals: list[Proposals]
    targets: list[Target]

    @classmethod
    def of(cls, dataset: VOCDataset) -> "Examples":
        """Read the targets, and the proposals that were computed before."""
        return replace(cls.without_proposals(dataset), proposals=cached_proposals(dataset))

    @classmethod
    def without_proposals(cls, dataset: VOCDataset) -> "Examples":
        """Read the targets only, for a detector that makes its own proposals."""
        return cls(dataset, [], [dataset.target(i) for i in range(len(dataset))])

    def best(self, count: int) -> list[Proposals]:
        """The first `count` proposals of every image, which are the best ones."""
        return [part[:count] for part in self.proposals]

    def with_objects(self, count: int | None = None) -> list[Proposals]:
        """The first `count` proposals of every image (None: all), then its objects' own boxes."""
        return [with_ground_truth(p[:count], t) for p, t in zip(self.proposals, self.targets, strict=True)]


def dataset_of(name: str, split: str, deal: int = 0, masks: bool = False) -> VOCDataset:
    """A split of a set: stamps, voc2007, voc2012, or a folder in VOC's or COCO's layout.

    split: "train", or a part of it as Python slices, "train[:120]", for a folder without a test split.
    masks: also the objects' masks.
    """
    split, _, part = split.rstrip("]").partition("[")
    if name == "stamps":
        dataset = stamps(split, deal, masks)
    elif name in ("voc2007", "voc2012"):
        dataset = (voc2007 if name == "voc2007" else voc2012)(split, masks=masks)
    else:
        dataset = VOCDataset(coco_as_voc(name) if is_coco(name) else name, split, masks=masks)
    return dataset.part(*(int(end) if end else None for end in part.split(":"))) if part else dataset


def ready(dataset: VOCDataset) -> Examples:
    """A split with its proposals, which are computed now where they are missing."""
    for _ in tqdm(precompute(dataset), f"proposals of {dataset.split}", len(dataset), mininterval=5):
        pass
    return Examples.of(dataset)


def detect_all(detector: Detector, test: Examples, count: int) -> list[Detections]:
    """The detections of every image of a split, from its first `count` proposals, or from the detector's own."""
    device = next(detector.embed.parameters()).device
    proposals = test.best(count) or [None] * len(test.targets)
    images = tqdm(enumerate(proposals), "testing", len(proposals), mininterval=5)
    return [detector.detect(test.dataset.image(i).to(device), regions).to("cpu") for i, regions in images]


def evaluate_detector(detector: Detector, test: Examples, count: int) -> Evaluation:
    """Average precision at IoU 0.5 on a split, from the first `count` proposals of every image."""
    return evaluate(detect_all(detector, test, count), test.targets, num_classes=len(detector.classes))
