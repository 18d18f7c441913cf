"""What `growth` measures, one point after the other; every function runs in a process of its own."""

from collections.abc import Generator
from dataclasses import replace
from itertools import accumulate, islice
from time import process_time

import numpy as np
import torch
import torch.nn.functional as F

import lecture_lib
from lecture_lib import detectors
from lecture_lib.detectors import Detector
from lecture_lib.encoders import ConvTrunk
from lecture_lib.evaluation.ladder import with_regions
from lecture_lib.matching import FAST_RCNN
from lecture_lib.proposals import selective_search
from lecture_lib.structures import Proposals
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.examples import Examples
from lecture_lib.training.joint import JointTraining, train_jointly
from lecture_lib.training.rcnn import RCNNTraining, fit_head, label_for_tuning
from lecture_lib.training.region_softmax import fine_tune
from lecture_lib.training.regions import LabelledRegions, Pixels
from lecture_lib.voc import photos, stamps
from tests.benchmarks.speed.alone import Used, use

REGIONS = 300  # of an image, where something else grows
STORED = 50  # regions of an image that SVMs and regressors are fitted to, and its objects
FC7, POOL5 = 1024, 5600  # widths of SPPnet's features; R-CNN's pool5 has 5,488
WARM, STEPS = 1, 3  # of a training: before those that are timed, and timed


def trained(name: str) -> Detector:
    """A detector of the ladder on the machine's best device."""
    return detectors.load(name).to(lecture_lib.device())


def random_boxes(count: int, image_size: tuple[int, int]) -> Proposals:
    """Boxes of all sizes anywhere in an image of (height, width)."""
    height, width = image_size
    ends = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(0)).sort(dim=1).values
    return Proposals(ends.flatten(1) * torch.tensor([width, height] * 2), None, image_size)


def enlarged(side: int) -> torch.Tensor:
    """A photograph resized so that its shorter side has this many pixels."""
    image = photos().image(photos().ids.index("coffee"))  # 400 x 600
    size = [round(pixels * side / min(image.shape[1:])) for pixels in image.shape[1:]]
    resized = F.interpolate(image[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
    return resized.to(lecture_lib.device())


def by_regions(name: str, count: int) -> Used:
    """One image with so many proposals: random ones, or so many of the RPN's own anchors.

    None of the RPN's is suppressed, which is the most work that NMS can have.
    """
    detector, image = trained(name), stamps("test").image(0).to(lecture_lib.device())
    if name == "faster_rcnn":
        detector.propose.rule = replace(detector.propose.rule, count=count, before_nms=count, nms_threshold=1.0)
        detector.trace(image, random_boxes(8, tuple(image.shape[1:])))
        return use(lambda: detector.trace(image))
    detector.trace(image, random_boxes(8, tuple(image.shape[1:])))
    return use(lambda: detector.trace(image, random_boxes(count, tuple(image.shape[1:]))))


def by_side(name: str, side: int) -> Used:
    """One image of that shorter side, seen by the detector at its full size; SPPnet's scales keep their proportions."""
    image = enlarged(side)
    if name == "selective_search":
        selective_search(enlarged(60))  # compiles, or loads what was compiled
        return use(lambda: selective_search(image))
    detector = with_regions(trained(name), REGIONS)
    if isinstance(detector.encode, ConvTrunk):
        scales = tuple(round(s * side / 320) for s in detector.encode.shorter_sides)  # 320 is the usual shorter side
        encode = detector.encode.at_scales(scales)
        encode.longest = 2 * max(scales)  # no bound, for this shape of image
        detector = replace(detector, encode=encode)
    given = None if name == "faster_rcnn" else random_boxes(REGIONS, tuple(image.shape[1:]))
    detector.encode(enlarged(60))
    return use(lambda: detector.trace(image, given))


def by_images(stage: str, images: int) -> Used:
    """A stage of a training on so many images, or what comes before its first step and an epoch of such steps."""
    dataset = stamps("train").part(0, images)
    examples = Examples.of(dataset)
    if stage == "SVMs and regressors":
        store = MadeUpFeatures(examples)
        return use(lambda: fit_head(store, examples, RCNNTraining.seeded(0, "sppnet")))
    seconds: list[float] = []
    used = use(lambda: seconds.append(_epoch(stage, examples)))
    return replace(used, seconds=seconds[0])


def _epoch(recipe: str, examples: Examples) -> float:
    """Seconds until the first step, and of as many steps as there are pairs of images, scaled up from a few."""
    start = process_time()
    pixels, few = Pixels(examples.dataset), WARM + STEPS + 1
    for i in range(len(examples.targets)):  # else whichever images the first steps happen to need are read in them
        pixels[i]
    steps = _training(recipe, examples, pixels, few)
    prepare = None
    for _ in islice(steps, WARM):
        prepare = process_time() - start
    start = process_time()
    for _ in islice(steps, STEPS):
        pass
    a_step = (process_time() - start) / STEPS
    steps.close()
    return prepare + (len(examples.targets) / 2 - WARM) * a_step


def _training(recipe: str, examples: Examples, pixels: Pixels, steps: int) -> Generator:
    """A training of so few steps."""
    detector = trained(recipe)
    if recipe == "rcnn":
        tuning = replace(RCNNTraining().fine_tuning, steps=steps)
        return fine_tune(detector, label_for_tuning(examples, tuning.rule), pixels, tuning)
    joint = replace(JointTraining(), steps=steps, scales=(320,))  # one scale: few steps draw other scales each time
    if recipe == "fast_rcnn":
        return train_jointly(detector, pixels, examples.with_objects(), examples.targets, joint)
    return train_end_to_end(detector, pixels, examples.targets, EndToEnd(regions=joint))


class MadeUpFeatures:
    """What `fit_head` asks of stored features, as wide as SPPnet's: noise, and on the class's own units a bit more."""

    def __init__(self, examples: Examples) -> None:
        self.regions = examples.with_objects(STORED)
        self.starts = [0, *accumulate(len(part) for part in self.regions)]
        self._generator = torch.Generator().manual_seed(0)
        labels = LabelledRegions.of(self.regions, examples.targets, FAST_RCNN).labels.clamp(min=0)
        noise = torch.rand(len(labels), FC7, generator=self._generator)
        own = torch.arange(FC7) % (1 + len(examples.dataset.classes)) == labels[:, None]
        self._fc7 = (noise + 0.3 * own).half().numpy()

    def column(self, name: str) -> np.ndarray:
        """What the SVMs read."""
        assert name == "fc7"
        return self._fc7

    def rows(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        """What the regressors read, made when it is asked for."""
        assert name == "pool5"
        return torch.rand(len(rows), POOL5, generator=self._generator)
