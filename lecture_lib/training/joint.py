"""Fast R-CNN's training: classes and boxes in one stage, through pooling into the trunk (Fast R-CNN, section 2.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lecture_lib.backbones import freeze, freeze_batch_norm, unfreeze
from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.matching import FAST_RCNN, IoURule, SampleRule, label_proposals, sample
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.loop import Step, train
from lecture_lib.training.region_softmax import one_cycle
from lecture_lib.training.regions import EncodedImages, Pixels, mirror, picture
from lecture_lib.training.resume import Resumable
from lecture_lib.training.ridge import regression_pairs


@dataclass(frozen=True)
class JointTraining:
    """How a Fast R-CNN is trained; the paper's values where it gives any."""

    rule: IoURule = FAST_RCNN  # object: IoU >= 0.5; background: [0.1, 0.5), "a heuristic for hard example mining"
    images: int = 2  # of a mini-batch: 128 regions of two images are 64 times cheaper than of 128 images
    regions: SampleRule = field(default_factory=lambda: SampleRule(size=64))  # of each image, 25 % objects
    box_weight: float = 1.0  # lambda of eq. 1; 0 trains the classes alone
    first_trained: str | None = "all"  # shallowest stage of the trunk that learns (VGG16: "conv3"); None: frozen
    steps: int = 1200
    learning_rate: float = 1e-3  # AdamW's, for fresh layers; the paper's SGD has 0.001 for all, VGG16's FC layers too
    pretrained_rate: float = 0.3  # what ImageNet trained learns slower, as in R-CNN
    weight_decay: float = 0.5  # of AdamW: a fresh tail of 6 million weights learns a few hundred objects by heart
    flip: bool = True  # every image mirrored with probability 0.5
    scales: tuple[int, ...] = (200, 240, 280, 320, 400)  # shorter sides; each use of an image draws one (section 4)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.scales or self.images < 1:
            raise ValueError(f"JointTraining: at least one scale and one image a step are needed, got {self}")


def multi_task_loss(
    logits: Float[Tensor, "r k_1"],
    deltas: Float[Tensor, "r k 4"],
    labels: Int[Tensor, " r"],
    targets: Float[Tensor, "r 4"],
    box_weight: float,
) -> dict[str, Tensor]:
    """The two terms of the loss, summed over regions (Fast R-CNN, eq. 1 to 3).

    L = L_cls(p, u) + lambda [u >= 1] L_loc(t^u, v),  L_cls = -log p_u,  L_loc = sum_i smooth_L1(t_i^u - v_i)

    labels: u, the class of each region, 0 the background. targets: v, which is not looked at for background.
    Only the deltas of a region's own class learn from it.
    """
    foreground = (labels > 0).nonzero().flatten()
    own = deltas[foreground, labels[foreground] - 1]
    localisation = F.smooth_l1_loss(own, targets[foreground], reduction="sum", beta=1.0)
    return {
        "classification": F.cross_entropy(logits, labels, reduction="sum"),
        "localisation": box_weight * localisation,
    }


def target_coder(proposals: Sequence[Proposals], targets: Sequence[Target], rule: IoURule = FAST_RCNN) -> BoxCoder:
    """A coder whose deltas have zero mean and unit variance over all foreground regions of a set (section 2.3)."""
    deltas = regression_pairs(proposals, targets, IoURule(rule.foreground, None)).deltas
    return BoxCoder(tuple(deltas.mean(0).tolist()), tuple(deltas.std(0, correction=0).clamp(min=1e-3).tolist()))


def freeze_before(trunk: nn.Sequential, first_trained: str | None) -> None:
    """Freeze the stages before the named one; None freezes all, "all" none. BatchNorm keeps ImageNet's statistics.

    Raises ValueError for a stage that the trunk has not.
    """
    names = [name for name, _ in trunk.named_children()]
    firsts = {"all": 0, None: len(names)} | {name: i for i, name in enumerate(names)}
    if first_trained not in firsts:
        raise ValueError(f"first_trained is {first_trained!r}; name one of the trunk's stages {names}, 'all' or None")
    unfreeze(trunk)  # an earlier training may have frozen more
    for name in names[: firsts[first_trained]]:
        freeze(trunk.get_submodule(name))
    freeze_batch_norm(trunk)


class JointLoss:
    """The loss of one image's sampled regions; what it draws depends on the step alone, so a training can go on."""

    def __init__(
        self,
        detector: Detector,
        pixels: Pixels,
        regions: Sequence[Proposals],
        targets: Sequence[Target],
        coder: BoxCoder,
        settings: JointTraining,
    ) -> None:
        self.detector, self.pixels, self.settings, self.coder = detector, pixels, settings, coder
        self.regions, self.targets = regions, targets
        self.device = next(detector.embed.parameters()).device
        self.encoded = None  # a trunk that is trained makes new maps at every step
        if settings.first_trained is None:
            at_all_scales = replace(detector, encode=detector.encode.at_scales(settings.scales))
            self.encoded = EncodedImages(at_all_scales, pixels)

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """The loss of (step, image), as its share of the whole mini-batch."""
        step, i = batch
        settings, generator = self.settings, torch.Generator().manual_seed(self.settings.seed + 1_000_003 * step + i)
        mirrored = settings.flip and bool(torch.rand(1, generator=generator) < 0.5)
        labelled = label_proposals(self.regions[i], self.targets[i], settings.rule)
        rows = sample(labelled.labels, settings.regions, generator)
        boxes, labels = self.regions[i].boxes[rows], labelled.labels[rows]
        goals = self._targets(boxes, labels, i, labelled.matched[rows])
        width = self.regions[i].image_size[1]
        if mirrored:
            boxes = mirror(boxes, width)
            goals[:, 0] = -goals[:, 0] - 2 * self.coder.mean[0] / self.coder.std[0]
        scale = int(torch.randint(len(settings.scales), (), generator=generator))
        maps = (self._map(i, mirrored, scale),)
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # dropout's
            pooled = self.detector.pool(maps, Proposals(boxes.to(self.device), None, self.regions[i].image_size))
            logits, deltas = self.detector.predict.joint(self.detector.embed(pooled))
        losses = multi_task_loss(logits, deltas, labels.to(self.device), goals.to(self.device), settings.box_weight)
        return {name: loss / (settings.images * settings.regions.size) for name, loss in losses.items()}

    def _targets(self, boxes: Tensor, labels: Tensor, i: int, matched: Tensor) -> Tensor:
        """Normalised deltas to the matched objects; zeros for the background."""
        goals, foreground = torch.zeros_like(boxes), labels > 0
        goals[foreground] = self.coder.encode(boxes[foreground], self.targets[i].boxes[matched[foreground]])
        return goals

    def _map(self, i: int, mirrored: bool, scale: int) -> FeatureMap:
        if self.encoded is not None:
            return self.encoded(i, self.device, mirrored)[scale]
        image = picture(self.pixels, i, self.device, mirrored)
        return self.detector.encode.at_scale(image, self.settings.scales[scale])


def train_jointly(
    detector: Detector,
    pixels: Pixels,
    regions: Sequence[Proposals],
    targets: Sequence[Target],
    settings: JointTraining,
    state: Path | None = None,
) -> Iterator[Step]:
    """Train trunk, fully connected layers and both heads at once; a record a step, with both terms of the loss.

    regions: of every image, its objects' own boxes among them. The deltas are trained on normalised targets: when it
    ends, `finished` makes a detector of it.
    state: a file to which the training is saved now and then, and from which it goes on if it was interrupted.
    """
    freeze_before(detector.encode.trunk, settings.first_trained)
    network = nn.ModuleDict(detector.modules())
    optimizer, schedule = one_cycle(network, [*detector.embed.new_layers(), detector.predict], settings)
    saved = Resumable(state, (settings, len(regions)), network=network, optimizer=optimizer, schedule=schedule)
    loss = JointLoss(detector, pixels, regions, targets, target_coder(regions, targets, settings.rule), settings)
    batches = list(enumerate(image_batches(len(regions), settings)))
    network.train()
    try:
        steps = train(
            loss, batches, optimizer, schedule, done=saved.restore(), parts=lambda b: [(b[0], i) for i in b[1]]
        )
        for record in steps:
            saved.save(record.step, settings.steps)
            yield record
    finally:  # also where the training is stopped early
        network.eval()


def image_batches(images: int, settings: JointTraining) -> list[list[int]]:
    """The images of every step: the set is gone through in a new random order each time."""
    generator = torch.Generator().manual_seed(settings.seed)
    needed = settings.steps * settings.images
    rounds = [torch.randperm(images, generator=generator) for _ in range(-(-needed // images))]
    return [part.tolist() for part in torch.cat(rounds)[:needed].split(settings.images)] if rounds else []


def finished(
    detector: Detector, regions: Sequence[Proposals], targets: Sequence[Target], rule: IoURule = FAST_RCNN
) -> Detector:
    """The detector with the normalisation of its targets taken back, so that its deltas move boxes as they are."""
    return replace(detector, predict=detector.predict.denormalised(target_coder(regions, targets, rule)))
