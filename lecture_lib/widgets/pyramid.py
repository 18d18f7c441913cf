"""A region dragged over a picture: its window of the feature map, the bins, and what pooling makes of one channel."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.plotting.sppnet import bins_on_image, bins_on_map, shade
from lecture_lib.plotting.style import BLUE, INK
from lecture_lib.pooling import SPP_LEVELS
from lecture_lib.structures import FeatureMap, Proposals
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

ENLARGED = 16  # pixels of a cell in the picture of the map: browsers blur what they enlarge


def pyramid_explorer(
    image: Float[Tensor, "3 h w"],
    feature_map: FeatureMap,
    proposals: Proposals,
    number: int = 0,
    level: int = 3,
    channel: int | None = None,
) -> BrowserWidget:
    """Drag a region and choose the rounding, the bins a side and the pooling; the values are those of one channel.

    It starts with proposal `number` and `level` bins. channel: None is the one that varies most over the map.
    Raises `ValueError` for an image and proposals that do not belong together, and for a channel that is none.
    """
    check_same_picture(image, proposals)
    one, channel = one_channel(feature_map, channel)
    number = min(number, max(0, len(proposals) - 1))
    box = _start(proposals[number : number + 1])
    inputs = {
        "size": list(proposals.image_size),
        "stride": list(feature_map.stride),
        "map": list(one.tensor.shape[1:]),
        "levels": SPP_LEVELS,
        "channel": channel,
    }
    values = {"box": box, "rule": "covered", "pooling": "grid", "level": level, "number": number + 1}
    return BrowserWidget(
        "pyramid",
        "A region on a picture, its window and its bins on the feature map, and the pooled values",
        Data(
            inputs,
            {"channel": one.tensor[0], "proposals": proposals.boxes.round()},
            {"picture": image, "map": enlarged(one)},
        ),
        values,
        lambda: _still(image, feature_map, torch.tensor([box]).float(), level),
    )


def one_channel(feature_map: FeatureMap, channel: int | None) -> tuple[FeatureMap, int]:
    """A map of one channel alone, and which it is: by default the one that varies most.

    Raises `ValueError` for a channel that is none.
    """
    count = len(feature_map.tensor)
    if channel is None:
        channel = int(feature_map.tensor.flatten(1).std(1).argmax())
    if not 0 <= channel < count:
        raise ValueError(f"channel: the map has the channels 0 to {count - 1}, not {channel}")
    return replace(feature_map, tensor=feature_map.tensor[channel : channel + 1].detach()), channel


def enlarged(feature_map: FeatureMap) -> Float[Tensor, "3 h w"]:
    """The map as a grey picture whose cells are squares of `ENLARGED` pixels."""
    grey = F.interpolate(shade(feature_map)[None], scale_factor=float(ENLARGED), mode="nearest")[0]
    return grey.expand(3, -1, -1)


def _start(proposal: Proposals) -> list[int]:
    """The proposal in whole pixels and not empty; without any, the middle of the picture."""
    height, width = proposal.image_size
    if not len(proposal):
        return [width // 4, height // 4, 3 * width // 4, 3 * height // 4]
    x1, y1, x2, y2 = proposal.boxes[0].round().int().tolist()
    x1, y1 = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    return [x1, y1, max(min(x2, width), x1 + 1), max(min(y2, height), y1 + 1)]


def _still(image: Tensor, feature_map: FeatureMap, box: Float[Tensor, "1 4"], level: int) -> Image.Image:
    cells = bins_on_map(feature_map, box.to(feature_map.tensor.device), level).cpu()
    return draw_still(image, [Outlines(bins_on_image(feature_map, cells).flatten(0, 1), BLUE), Outlines(box, INK, 4)])
