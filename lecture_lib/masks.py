"""The slot that Mask R-CNN adds: a small picture of each detection's shape (Mask R-CNN, section 3)."""

from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
import torchvision
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lecture_lib.pooling import RoIAlign
from lecture_lib.structures import Detections, Maps, Proposals


class MaskHead(nn.Module):
    """The `mask` of Mask R-CNN: convolutions on a 14x14 grid of each region give a mask of 28x28 for every class.

    A mask is not a vector: convolutions keep each of its pixels at its place, fully connected layers would not. The
    classes do not compete, each has its own sigmoid; the box's class says which one counts (section 3).

    width: channels of the convolutions; the paper has four of 256.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 64,
        convolutions: int = 2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.pool = RoIAlign((14, 14))
        widths = [channels] + [width] * convolutions
        self.layers = nn.Sequential()
        for before, after in pairwise(widths):
            self.layers.extend([nn.Conv2d(before, after, 3, padding=1), nn.ReLU()])
        self.layers.extend([nn.ConvTranspose2d(width, width, 2, stride=2), nn.ReLU(), nn.Conv2d(width, classes, 1)])
        for layer in self.layers:
            if not isinstance(layer, nn.ReLU):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)
        # Undecided at first: the maps' values, passed on in their size, would make every pixel sure of something.
        nn.init.normal_(self.layers[-1].weight, std=0.01, generator=generator)

    def logits(self, maps: Maps, regions: Proposals) -> Float[Tensor, "r k 28 28"]:
        """The masks of all classes, before the sigmoid."""
        return self.layers(self.pool(maps, regions))

    def forward(self, maps: Maps, detections: Detections) -> Detections:
        """The detections with the masks of their classes, in the image's pixels."""
        if not len(detections):
            return replace(
                detections, masks=torch.zeros(0, *detections.image_size, dtype=torch.bool, device=maps[0].tensor.device)
            )
        regions = Proposals(detections.boxes, None, detections.image_size)
        own = self.logits(maps, regions)[torch.arange(len(detections)), detections.labels - 1]
        return replace(detections, masks=paste_masks(own.sigmoid(), detections.boxes, detections.image_size))


def paste_masks(
    probabilities: Float[Tensor, "d m m"],
    boxes: Float[Tensor, "d 4"],
    image_size: tuple[int, int],
    threshold: float = 0.5,
) -> Bool[Tensor, "d h w"]:
    """Stretch each small mask over its box, bilinearly, and cut it off at a probability (section 3.1, Inference).

    Pixel i of the image is centred on i + 1/2. A box without area gets an empty mask.
    """
    height, width = image_size
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    size = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-6)
    x = 2 * (x - boxes[:, :1]) / size[:, :1] - 1  # [D, W]: -1 at the box's left, 1 at its right
    y = 2 * (y - boxes[:, 1:2]) / size[:, 1:] - 1
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1)
    pasted = F.grid_sample(probabilities[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0]
    return pasted > threshold


def crop_masks(
    masks: Bool[Tensor, "g h w"], matched: Int[Tensor, " r"], boxes: Float[Tensor, "r 4"]
) -> Float[Tensor, "r 28 28"]:
    """What a mask head has to draw: each region's part of its object's mask, 1 inside and 0 outside."""
    numbered = torch.cat([matched[:, None].float(), boxes], dim=1)
    # Here a cell is a pixel, centred on i + 1/2, as torchvision counts with aligned=True.
    cropped = torchvision.ops.roi_align(masks[:, None].float(), numbered, (28, 28), sampling_ratio=2, aligned=True)
    return (cropped[:, 0] >= 0.5).float()


def mask_loss(
    logits: Float[Tensor, "r k 28 28"], labels: Int[Tensor, " r"], goals: Float[Tensor, "r 28 28"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy of the own class's mask, averaged over its pixels, summed over regions (section 3)."""
    own = logits[torch.arange(len(labels)), labels - 1]
    return F.binary_cross_entropy_with_logits(own, goals, reduction="none").mean(dim=(1, 2)).sum()
