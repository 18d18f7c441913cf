"""R-CNN's fine-tuning: ImageNet's network learns the K + 1 classes of warped regions (R-CNN, section 2.3)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from lecture_lib.backbones import Backbone, freeze_batch_norm
from lecture_lib.detectors import Detector
from lecture_lib.matching import RCNN_FINE_TUNING, IoURule, SampleRule, sample
from lecture_lib.structures import Proposals
from lecture_lib.training.loop import Step, train
from lecture_lib.training.regions import LabelledRegions, Pixels
from lecture_lib.training.resume import Resumable


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
    detector: Detector, regions: LabelledRegions, pixels: Pixels, settings: FineTuning, state: Path | None = None
) -> Iterator[Step]:
    """Train the network in the detector's `embed` on warped regions; a record a step.

    state: a file to which the training is saved now and then, and from which it goes on if it was interrupted; the
        result is the same as without an interruption.
    """
    backbone = detector.embed.backbone
    device = backbone.mean.device
    freeze_batch_norm(backbone)
    optimizer, schedule = _optimizer(backbone, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    batches = [(step, sample(regions.labels, settings.batch, generator)) for step in range(settings.steps)]
    trained_on = (settings, len(regions.labels), backbone.tail.classifier.out_features)
    saved = Resumable(state, trained_on, network=backbone, optimizer=optimizer, schedule=schedule)

    def losses(part: tuple[int, Tensor]) -> dict[str, Tensor]:
        step, rows = part
        warped = _warp(detector, regions, pixels, rows, device)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed + 1000 * step + int(rows[0]))  # dropout knows the global generator only
            flipped = ((torch.rand(len(rows)) < 0.5) & settings.flip).to(device)
            warped[flipped] = warped[flipped].flip(-1)
            logits = backbone(warped)
        loss = F.cross_entropy(logits, regions.labels[rows].to(device), reduction="sum")
        return {"classification": loss / len(batches[step][1])}

    def parts(batch: tuple[int, Tensor]) -> Iterator[tuple[int, Tensor]]:
        step, rows = batch
        return ((step, part) for part in rows.split(settings.part))

    backbone.train()
    try:
        for record in train(losses, batches, optimizer, schedule, done=saved.restore(), parts=parts):
            saved.save(record.step, settings.steps)
            yield record
    finally:  # also where the training is stopped early
        backbone.eval()


def _optimizer(backbone: Backbone, settings: FineTuning) -> tuple[AdamW, OneCycleLR]:
    """Two groups: what ImageNet trained, and what is new: the classifier, and the FC tail where it is ours."""
    new = list(backbone.tail.classifier.parameters())
    if backbone.fresh_tail:
        new = list(backbone.tail.parameters())
    ids = {id(p) for p in new}
    old = [p for p in backbone.parameters() if p.requires_grad and id(p) not in ids]
    rates = [settings.learning_rate * settings.pretrained_rate, settings.learning_rate]
    groups = [{"params": old, "lr": rates[0]}, {"params": new, "lr": rates[1]}]
    optimizer = AdamW(groups, weight_decay=settings.weight_decay)
    return optimizer, OneCycleLR(optimizer, rates, total_steps=max(settings.steps, 2), pct_start=0.1)


def _warp(detector: Detector, regions: LabelledRegions, pixels: Pixels, rows: Tensor, device: torch.device) -> Tensor:
    """The pixels of the chosen regions, in their order, image by image."""
    warped: list[Tensor | None] = [None] * len(rows)
    for i in regions.image[rows].unique().tolist():
        here = (regions.image[rows] == i).nonzero().flatten()
        image = pixels[i].to(device)
        proposals = Proposals(regions.boxes[rows[here]].to(device), None, tuple(image.shape[1:]))
        for position, region in zip(here.tolist(), detector.pool(detector.encode(image), proposals), strict=True):
            warped[position] = region
    return torch.stack(warped)
