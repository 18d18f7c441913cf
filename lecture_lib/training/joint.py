"""Fast R-CNN's training: classes and boxes in one stage, through pooling into the trunk (Fast R-CNN, section 2.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lecture_lib.backbones import freeze, freeze_batch_norm, unfreeze
from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import Detector
from lecture_lib.matching import FAST_RCNN, IoURule, SampleRule, label_proposals, sample
from lecture_lib.structures import Maps, Proposals, Target
from lecture_lib.training import distributed
from lecture_lib.training.loop import Step, train
from lecture_lib.training.region_softmax import one_cycle
from lecture_lib.training.regions import Pixels
from lecture_lib.training.resume import Resumable
from lecture_lib.training.ridge import regression_pairs
from lecture_lib.training.views import Views


@dataclass(frozen=True)
class JointTraining:
    """How a Fast R-CNN is trained; the paper's values where it gives any.

    Raises `ValueError` for no scale and for less than one image a step.
    """

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

    Which stages are worth training is Fast R-CNN, section 4.5. Raises `ValueError` for a stage that the trunk has not.
    """
    names = [name for name, _ in trunk.named_children()]
    firsts = {"all": 0, None: len(names)} | {name: i for i, name in enumerate(names)}
    if first_trained not in firsts:
        raise ValueError(f"first_trained is {first_trained!r}; name one of the trunk's stages {names}, 'all' or None")
    unfreeze(trunk)  # an earlier training may have frozen more
    for name in names[: firsts[first_trained]]:
        freeze(trunk.get_submodule(name))
    freeze_batch_norm(trunk)


@dataclass(frozen=True)
class Sampled:
    """The regions of one image that are trained on, with their classes, their objects' rows and target deltas."""

    regions: Proposals
    labels: Int[Tensor, " r"]
    matched: Int[Tensor, " r"]
    goals: Float[Tensor, "r 4"]  # zeros for the background


def sample_regions(
    regions: Proposals, target: Target, coder: BoxCoder, settings: JointTraining, generator: torch.Generator
) -> Sampled:
    """Label the regions of an image and draw its share of the mini-batch (section 2.3)."""
    labelled = label_proposals(regions, target, settings.rule)
    rows = sample(labelled.labels, settings.regions, generator)
    chosen, labels, matched = regions[rows], labelled.labels[rows], labelled.matched[rows]
    goals, foreground = torch.zeros_like(chosen.boxes), labels > 0
    goals[foreground] = coder.encode(chosen.boxes[foreground], target.boxes[matched[foreground]])
    return Sampled(chosen, labels, matched, goals)


def region_loss(
    detector: Detector, maps: Maps, sampled: Sampled, settings: JointTraining, generator: torch.Generator
) -> dict[str, Tensor]:
    """The loss of one image's sampled regions, as its share of the whole mini-batch."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))  # dropout knows the global one only
        logits, deltas = detector.predict.joint(detector.embed(detector.pool(maps, sampled.regions)))
    losses = multi_task_loss(logits.float(), deltas.float(), sampled.labels, sampled.goals, settings.box_weight)
    return {name: loss / (settings.images * settings.regions.size) for name, loss in losses.items()}


class JointLoss:
    """Fast R-CNN's loss of (step, image): its regions are given and stay the same."""

    def __init__(
        self, detector: Detector, views: Views, regions: Sequence[Proposals], coder: BoxCoder, settings: JointTraining
    ) -> None:
        self.detector, self.views, self.regions = detector, views, regions
        self.coder, self.settings = coder, settings

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """Both terms of the loss, as the image's share of the whole mini-batch."""
        view = self.views.see(*batch)
        regions = self.views.regions(view, self.regions[view.i])
        sampled = sample_regions(regions, view.target, self.coder, self.settings, view.generator)
        return region_loss(self.detector, self.views.maps(view), sampled, self.settings, view.generator)


def train_jointly(
    detector: Detector,
    pixels: Pixels | Sequence[Tensor],
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
    coder = target_coder(regions, targets, settings.rule)
    loss = JointLoss(detector, Views(detector, pixels, targets, settings), regions, coder, settings)
    return descend(loss, ("encode", "embed", "predict"), settings, state)


@runtime_checkable
class ImageLoss(Protocol):
    """A loss of (step, image), as the image's share of the step's whole mini-batch."""

    detector: Detector
    views: Views
    settings: object  # all that it depends on

    def __call__(self, batch: tuple[int, int]) -> dict[str, Tensor]:
        """Its terms by name."""
        ...


def descend(
    loss: ImageLoss, slots: Sequence[str], settings: JointTraining, state: Path | None = None
) -> Iterator[Step]:
    """Gradient descent of some slots of a detector; a record a step, on as many processes as `torchrun` has started.

    What ImageNet has not trained learns faster; the trunk learns from `settings.first_trained` on.
    """
    detector, images = loss.detector, len(loss.views.targets)
    freeze_before(detector.encode.trunk, settings.first_trained)
    network = nn.ModuleDict({name: module for name, module in detector.modules().items() if name in slots})
    new = [module for name, module in network.items() if name not in ("encode", "embed")]
    new += [layer for name in ("encode", "embed") if name in slots for layer in getattr(detector, name).new_layers()]
    optimizer, schedule = one_cycle(network, new, settings)
    others = () if loss.settings == settings else (loss.settings,)
    saved = Resumable(state, (settings, images, *others), network=network, optimizer=optimizer, schedule=schedule)
    batches = list(enumerate(image_batches(images, settings)))
    done, shared = saved.restore(), distributed.processes() > 1
    compute = distributed.SharedLoss(loss, network) if shared else loss
    parts = None if shared else lambda batch: [(batch[0], i) for i in batch[1]]
    network.train()
    try:
        for record in train(compute, batches, optimizer, schedule, done=done, parts=parts):
            if distributed.rank() == 0:
                saved.save(record.step, settings.steps)
            yield replace(record, loss=distributed.mean_over_processes(record.loss))
    finally:  # also where the training is stopped early
        network.eval()


def image_batches(images: int, settings: JointTraining) -> list[list[int]]:
    """The images of every step: the set is gone through in a new random order each time."""
    generator = torch.Generator().manual_seed(settings.seed)
    needed = settings.steps * settings.images
    rounds = [torch.randperm(images, generator=generator) for _ in range(-(-needed // images))]
    return [part.tolist() for part in torch.cat(rounds)[:needed].split(settings.images)] if rounds else []


def finished(detector: Detector, coder: BoxCoder) -> Detector:
    """The detector with the normalisation of its targets taken back, so that its deltas move boxes as they are."""
    return replace(detector, predict=detector.predict.denormalised(coder))
