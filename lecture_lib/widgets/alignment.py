"""A box moved by quarters of a pixel: what RoIPool and RoIAlign look at, and what they give, side by side."""

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.plotting.sppnet import bins_on_image
from lecture_lib.plotting.style import INK, ORANGE
from lecture_lib.pooling import bins, rounded_windows
from lecture_lib.structures import FeatureMap, Proposals, check_boxes
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.pyramid import one_channel
from lecture_lib.widgets.still import Outlines, draw_still


def alignment_explorer(
    image: Float[Tensor, "3 h w"],
    feature_map: FeatureMap,
    box: Float[Tensor, "4"],
    channel: int = 0,
    grid: tuple[int, int] = (7, 7),
) -> BrowserWidget:
    """Sliders that move the box to the right and down, by up to a cell and a half in steps of a quarter of a pixel.

    Raises `ValueError` for an image that the map is not of, for a box that is none, and for a channel that is none.
    """
    check_boxes(box[None], "box")
    box = box.detach().cpu()
    check_same_picture(image, Proposals(box[None], None, feature_map.image_size))
    one, channel = one_channel(feature_map, channel)
    reach = round(1.5 * max(feature_map.stride))
    around, offset = surroundings(image, box, 2 * reach)
    inputs = {
        "size": list(around.shape[1:]),
        "offset": offset,
        "stride": list(feature_map.stride),
        "map": list(one.tensor.shape[1:]),
        "grid": list(grid),
        "reach": reach,
        "channel": channel,
    }
    return BrowserWidget(
        "alignment",
        "A box that moves by quarters of a pixel, where RoIPool and RoIAlign look, and what they pool",
        Data(inputs, {"channel": one.tensor[0], "box": box}, {"picture": around}),
        {"right": 0.0, "down": 0.0},
        lambda: _still(image, feature_map, box, grid),
    )


def surroundings(
    image: Float[Tensor, "3 h w"], box: Float[Tensor, "4"], margin: int
) -> tuple[Float[Tensor, "3 rows columns"], list[int]]:
    """The part of a picture around a box, and where (x, y) its upper left pixel lies in the picture."""
    height, width = image.shape[1:]
    x1, y1, x2, y2 = box.tolist()
    left, top = max(0, int(x1) - margin), max(0, int(y1) - margin)
    right, bottom = min(width, int(x2) + margin + 1), min(height, int(y2) + margin + 1)
    return image[:, top:bottom, left:right], [left, top]


def _still(image: Tensor, feature_map: FeatureMap, box: Float[Tensor, "4"], grid: tuple[int, int]) -> Image.Image:
    cells = bins(rounded_windows(box[None], feature_map.stride), *grid)[0].flatten(0, 1).float()
    return draw_still(image, [Outlines(bins_on_image(feature_map, cells), ORANGE), Outlines(box[None], INK, 4)])
