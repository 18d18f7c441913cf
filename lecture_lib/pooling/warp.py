"""R-CNN's way to one fixed size: cut every region out of the image and stretch it to a square."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import Maps, Proposals, check_boxes, check_image


def with_context(boxes: Float[Tensor, "r 4"], size: int, context: float) -> Float[Tensor, "r 4"]:
    """Boxes enlarged about their centres so that, warped to `size` pixels, `context` of them surround the old box.

    Every side grows by the factor size / (size - 2 context); the new box may leave the image (R-CNN, appendix A).
    Raises `ValueError` for boxes that are no boxes and for a context that leaves no room for the region.
    """
    check_boxes(boxes)
    if not 0 <= 2 * context < size:
        raise ValueError(f"with_context: a context of {context} px on each side leaves nothing of {size} px")
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half * (size / (size - 2 * context))
    return torch.cat([center - half, center + half], dim=1)


def warp_regions(
    image: Float[Tensor, "3 h w"],
    boxes: Float[Tensor, "r 4"],
    size: int = 227,
    context: float = 16.0,
    fill: tuple[float, float, float] = (0.5, 0.5, 0.5),
) -> Float[Tensor, "r 3 size size"]:
    """Cut every region out with some context and stretch it to a square, whatever its shape (R-CNN, section 2.1).

    boxes: in pixels of the image. size, context: in pixels of the result; the defaults are the paper's for AlexNet.
    fill: the colour of what lies outside the image; the paper takes the mean of its training images.
    The samples are bilinear at the centres of the new pixels and not smoothed first, as in the authors' release.
    Raises `ValueError` for an image, boxes or a context that cannot be.
    """
    check_image(image)
    window = with_context(boxes, size, context)
    height, width = image.shape[1:]
    place = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) / size  # centres, 0..1 of the window
    x = window[:, 0:1] + (window[:, 2:3] - window[:, 0:1]) * place  # [R, size], pixels of the image
    y = window[:, 1:2] + (window[:, 3:4] - window[:, 1:2]) * place
    grid = torch.empty(len(boxes), size, size, 2, device=image.device, dtype=image.dtype)
    grid[..., 0], grid[..., 1] = (2 * x / width - 1)[:, None, :], (2 * y / height - 1)[:, :, None]
    mean = image.new_tensor(fill)[:, None, None]
    tall = grid.view(1, -1, size, 2)  # all regions below each other: one image is sampled, not R copies of it
    warped = F.grid_sample((image - mean)[None], tall, align_corners=False)[0] + mean  # outside is 0, then the mean
    return warped.view(3, len(boxes), size, size).transpose(0, 1)


@dataclass(frozen=True)
class WarpRegions:
    """The `pool` of R-CNN: the map is the image itself, and every proposal becomes a square picture (appendix A)."""

    size: int = 227  # AlexNet's input
    context: float = 16.0  # R-CNN, appendix A
    fill: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __call__(self, maps: Maps, proposals: Proposals) -> Float[Tensor, "r 3 size size"]:
        """Warp the proposals out of the only map, an image in 0..1."""
        (image,) = maps
        return warp_regions(image.tensor, proposals.boxes, self.size, self.context, self.fill)
