"""torchvision's Faster R-CNN on our trunk: built and trained so that it can be compared with ours."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

import lecture_lib
from lecture_lib.backbones import Backbone, efficientnet_lite0_fc
from lecture_lib.structures import Target
from lecture_lib.training.joint import JointTraining, freeze_before, image_batches
from lecture_lib.training.loop import Step, train
from lecture_lib.training.region_softmax import one_cycle
from lecture_lib.training.regions import Pixels, mirror, picture
from lecture_lib.training.resume import Resumable

SIDES = (64, 96, 144)  # of the anchors, as in `detectors.faster_rcnn`


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
    device, batches = lecture_lib.device(), list(enumerate(image_batches(len(targets), settings)))
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

    model.train()
    try:
        for record in train(
            losses, batches, optimizer, schedule, done=saved.restore(), parts=lambda b: [(b[0], i) for i in b[1]]
        ):
            saved.save(record.step, settings.steps)
            yield record
    finally:
        model.eval()
