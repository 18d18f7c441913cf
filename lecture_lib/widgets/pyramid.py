"""One box and one level of the pyramid: its bins on the picture and on the map, at once."""

import ipywidgets
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lecture_lib.plotting.sppnet import bins_on_image, bins_on_map, shade
from lecture_lib.plotting.style import BLUE, INK, ORANGE
from lecture_lib.structures import FeatureMap, Proposals
from lecture_lib.widgets.explorer import Explorer, picture, rectangles
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

MOST = 8  # bins a side
ENLARGED = 8  # pixels of a cell in the picture of the map: browsers blur what they enlarge
HALF = 420  # CSS pixels of each of the two pictures


def pyramid_explorer(
    image: Float[Tensor, "3 h w"], feature_map: FeatureMap, proposals: Proposals, number: int = 0, level: int = 3
) -> Explorer:
    """Sliders for the proposal and for the bins a side; it starts with proposal `number` and `level` bins."""
    uris = (jpeg_uri(image), map_uri(feature_map))

    def render(number: int, level: int) -> str:
        return render_pyramid(uris, feature_map, proposals[number : number + 1], level)

    last = max(0, len(proposals) - 1)
    return Explorer(
        render,
        number=ipywidgets.IntSlider(value=min(number, last), min=0, max=last, description="proposal"),
        level=ipywidgets.IntSlider(value=level, min=1, max=MOST, description="bins a side"),
    )


def map_uri(feature_map: FeatureMap) -> str:
    """The map as a grey picture whose cells are squares of `ENLARGED` pixels."""
    grey = F.interpolate(shade(feature_map)[None], scale_factor=float(ENLARGED), mode="nearest")[0]
    return jpeg_uri(grey.expand(3, -1, -1))


def render_pyramid(uris: tuple[str, str], feature_map: FeatureMap, proposal: Proposals, level: int) -> str:
    """Picture and map side by side, with the bins of one proposal; an empty `proposal` gives the picture alone."""
    size = tuple(feature_map.tensor.shape[1:])
    if not len(proposal):
        return picture(uris[0], proposal.image_size, "", "there is no proposal")
    cells = bins_on_map(feature_map, proposal.boxes, level)
    on_image, on_map = bins_on_image(feature_map, cells).flatten(0, 1), cells.flatten(0, 1)
    width, height = (proposal.boxes[0, 2:] - proposal.boxes[0, :2]).tolist()
    left = picture(
        uris[0],
        proposal.image_size,
        outlined(proposal.boxes, INK) + _bins(on_image),
        f"box: {width:.0f} × {height:.0f} pixels",
        HALF,
    )
    right = picture(uris[1], size, _bins(on_map), caption(on_map, level), HALF)
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start">'
        f'<div style="flex:0 1 {HALF}px">{left}</div><div style="flex:0 1 {HALF}px">{right}</div></div>'
    )


def caption(cells: Float[Tensor, "b 4"], level: int) -> str:
    """Size of the window, number of bins, and how many of the window's cells are pooled more than once."""
    width, height = (cells[:, 2:].amax(0) - cells[:, :2].amin(0)).tolist()
    total = float((cells[:, 2:] - cells[:, :2]).prod(1).sum())
    again = total - width * height
    text = f"window: {width:.0f} × {height:.0f} cells → {level} × {level} = {level**2} bin{'s' * (level > 1)}"
    return text + (f", which pool {again:.0f} cells more than there are" if again else "")


def _bins(cells: Float[Tensor, "b 4"]) -> str:
    """SVG of bins: a tint that is darker where they share cells, and thin lines."""
    corners = [tuple(box) for box in cells.tolist()]
    return f'<g fill-opacity="0.22">{rectangles(corners, BLUE, 0.0, ORANGE)}</g>' + rectangles(corners, BLUE, 1.6)
