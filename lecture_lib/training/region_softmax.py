"""Fine-tuning of R-CNN and SPPnet: the network learns the K + 1 classes of pooled regions (R-CNN, section 2.3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from lecture_lib.backbones import freeze_batch_norm
from lecture_lib.detectors import Detector
from lecture_lib.matching import RCNN_FINE_TUNING, IoURule, SampleRule, sample
from lecture_lib.structures import Proposals
from lecture_lib.training.loop import Step, train
from lecture_lib.training.regions import EncodedImages, LabelledRegions, Pixels, mirror
from lecture_lib.training.resume import Resumable


@runtime_checkable
class OptimizerSettings(Protocol):
    """What `one_cycle` needs to know of a training."""

    steps: int
    learning_rate: float
    pretrained_rate: float
    weight_decay: float


@dataclass(frozen=True)
class FineTuning:
    """How the CNN is fine-tuned; the paper's values where it gives any."""

    rule: IoURule = RCNN_FINE_TUNING  # IoU >= 0.5 is an object, the rest background
    batch: SampleRule = field(default_factory=SampleRule)  # 128 regions: 32 objects + 96 background boxes
    steps: int = 300
    learning_rate: float = 1e-3  # AdamW's, for fresh layers; the paper's SGD has 0.01 there (not pre-trained: 10 x)
    pretrained_rate: float = 0.1  # pre-trained layers learn at 1/10, "not clobbering the initialization"
    weight_decay: float = 0.01
    flip: bool = True  # every second region mirrored, as in the authors' release
    part: int = 32  # regions that go through the network at once; on two CPU cores twice as fast as all 128
    seed: int = 0


def fine_tune(
    detector: Detector,
    regions: LabelledRegions,
    pixels: Pixels | EncodedImages,
    settings: FineTuning,
    state: Path | None = None,
) -> Iterator[Step]:
    """Train the detector's `embed` and its classifier on pooled regions; a record a step. `encode` does not change.

    For R-CNN that is the whole CNN, on warped regions; for SPPnet the fully connected layers, on the frozen trunk.

    pixels: the images, or what the detector has made of them already.
    state: a file to which the training is saved now and then, and from which it goes on if it was interrupted; the
        result is the same as without an interruption.
    """
    network = detector.embed
    freeze_batch_norm(network)
    optimizer, schedule = one_cycle(network, network.new_layers(), settings)
    generator = torch.Generator().manual_seed(settings.seed)
    batches = [(step, sample(regions.labels, settings.batch, generator)) for step in range(settings.steps)]
    trained_on = (settings, len(regions.labels), network.classifier.out_features)
    saved = Resumable(state, trained_on, network=network, optimizer=optimizer, schedule=schedule)
    encoded = pixels if isinstance(pixels, EncodedImages) else EncodedImages(detector, pixels)
    loss = TuningLoss(detector, regions, encoded, settings, [len(rows) for _, rows in batches])

    def parts(batch: tuple[int, Tensor]) -> Iterator[tuple[int, Tensor]]:
        step, rows = batch
        return ((step, part) for part in rows.split(settings.part))

    network.train()
    try:
        for record in train(loss, batches, optimizer, schedule, done=saved.restore(), parts=parts):
            saved.save(record.step, settings.steps)
            yield record
    finally:  # also where the training is stopped early
        network.eval()


@dataclass(frozen=True)
class TuningLoss:
    """Cross-entropy of (step, some rows of its mini-batch), as their share of the whole mini-batch."""

    detector: Detector
    regions: LabelledRegions
    encoded: EncodedImages
    settings: FineTuning
    sizes: list[int]  # of the mini-batches

    def __call__(self, part: tuple[int, Tensor]) -> dict[str, Tensor]:
        """The only term, by its name."""
        step, rows = part
        device = next(self.detector.embed.parameters()).device
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed + 1000 * step + int(rows[0]))  # dropout knows the global one only
            mirrored = (torch.rand(len(rows)) < 0.5) & self.settings.flip
            pooled = _pool(self.detector, self.encoded, self.regions, rows, mirrored, device)
            logits = self.detector.embed.logits(pooled)
        loss = F.cross_entropy(logits, self.regions.labels[rows].to(device), reduction="sum")
        return {"classification": loss / self.sizes[step]}


def one_cycle(
    network: nn.Module, new_layers: Sequence[nn.Module], settings: OptimizerSettings
) -> tuple[AdamW, OneCycleLR]:
    """AdamW with two groups: what ImageNet trained, slowly, and last what is new; one cycle of the learning rate."""
    new = [p for layer in new_layers for p in layer.parameters()]
    ids = {id(p) for p in new}
    old = [p for p in network.parameters() if p.requires_grad and id(p) not in ids]
    rates = [settings.learning_rate * settings.pretrained_rate, settings.learning_rate]
    groups = [{"params": old, "lr": rates[0]}, {"params": new, "lr": rates[1]}]
    optimizer = AdamW(groups, weight_decay=settings.weight_decay, fused=True)  # one pass over the weights, not ten
    total = max(settings.steps, 2)
    return optimizer, OneCycleLR(
        optimizer, rates, total_steps=total, pct_start=max(0.1, 1.5 / total)
    )  # 1 / total divides by 0


@torch.no_grad()
def _pool(
    detector: Detector,
    encoded: EncodedImages,
    regions: LabelledRegions,
    rows: Tensor,
    mirrored: Tensor,
    device: torch.device,
) -> Tensor:
    """The pooled pixels or features of the chosen regions, mirrored or not, in their order."""
    pooled: list[Tensor | None] = [None] * len(rows)
    keys = torch.stack([regions.image[rows], mirrored.long()], dim=1)
    for key in keys.unique(dim=0):
        here = (keys == key).all(dim=1).nonzero().flatten()
        i, flip = key.tolist()
        maps = encoded(i, device, bool(flip))
        boxes = regions.boxes[rows[here]].to(device)
        proposals = Proposals(mirror(boxes, maps[0].image_size[1]) if flip else boxes, None, maps[0].image_size)
        for position, region in zip(here.tolist(), detector.pool(maps, proposals), strict=True):
            pooled[position] = region
    return torch.stack(pooled)
