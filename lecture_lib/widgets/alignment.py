"""A box moved by quarters of a pixel: what RoIPool and RoIAlign look at, and what they give, side by side."""

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.plotting.alignment import displacement
from lecture_lib.plotting.sppnet import bins_on_image
from lecture_lib.plotting.style import BLUE, INK, ORANGE, PAPER
from lecture_lib.pooling import align_points, bins, roi_align, roi_pool, rounded_windows
from lecture_lib.structures import FeatureMap
from lecture_lib.widgets.explorer import Explorer, picture, rectangles
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

STEP = 0.25  # pixels
HALF = 420  # CSS pixels of each of the two pictures
VALUES = 168  # CSS pixels of the grid of pooled values


def alignment_explorer(
    image: Float[Tensor, "3 h w"],
    feature_map: FeatureMap,
    box: Float[Tensor, "4"],
    channel: int = 0,
    grid: tuple[int, int] = (7, 7),
) -> Explorer:
    """Sliders that move the box to the right and down, by up to a cell and a half in steps of a quarter of a pixel."""
    uri, reach = jpeg_uri(image), round(1.5 * max(feature_map.stride))

    def render(right: float, down: float) -> str:
        return render_alignment(uri, feature_map, box, (right, down), channel, grid)

    sliders = {
        name: ipywidgets.FloatSlider(value=0.0, min=-reach, max=reach, step=STEP, description=f"moved {name}, pixels")
        for name in ("right", "down")
    }
    return Explorer(render, **sliders)


def render_alignment(
    uri: str,
    feature_map: FeatureMap,
    box: Float[Tensor, "4"],
    shift: tuple[float, float],
    channel: int = 0,
    grid: tuple[int, int] = (7, 7),
) -> str:
    """Both methods side by side: where they look on the picture, and under it the numbers of one channel, as greys.

    The text below says how much a number has changed since the box was a quarter of a pixel less to the right.
    """
    moved = (box + box.new_tensor([*shift, *shift]))[None]
    before = moved - box.new_tensor([STEP, 0.0, STEP, 0.0])
    looks = {"RoIPool": _bins(feature_map, moved, grid), "RoIAlign": _points(feature_map, moved, grid)}
    halves, low_high = [], (float(feature_map.tensor[channel].min()), float(feature_map.tensor[channel].max()))
    for name, pool in (("RoIPool", roi_pool), ("RoIAlign", roi_align)):
        now, was = (pool(feature_map.tensor, b, feature_map.stride, grid)[0, channel] for b in (moved, before))
        beside = displacement(feature_map, moved, grid)[name].norm(dim=-1).mean()
        change = float((now - was).abs().max())
        said = f"{name}: {float(beside):.1f} pixels beside its parts; changed by up to {change:.3f}"
        drawn = picture(uri, feature_map.image_size, looks[name] + outlined(moved, INK), said, HALF)
        halves.append(f'<div style="flex:0 1 {HALF}px">{drawn}{_greys(now, low_high)}</div>')
    return f'<div style="display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start">{"".join(halves)}</div>'


def _bins(feature_map: FeatureMap, boxes: Float[Tensor, "1 4"], grid: tuple[int, int]) -> str:
    """SVG of the bins of RoIPool, as the pixels for which their cells stand."""
    cells = bins(rounded_windows(boxes, feature_map.stride), *grid)[0].flatten(0, 1).float()
    corners = [tuple(row) for row in bins_on_image(feature_map, cells).tolist()]
    return f'<g fill-opacity="0.22">{rectangles(corners, ORANGE, 1.6, ORANGE)}</g>'


def _points(feature_map: FeatureMap, boxes: Float[Tensor, "1 4"], grid: tuple[int, int]) -> str:
    """SVG of RoIAlign's points."""
    stride = torch.tensor([feature_map.stride[1], feature_map.stride[0]])
    points = (align_points(boxes, feature_map.stride, grid)[0] * stride).flatten(0, 2)
    style = f'r="1.6" fill="{BLUE}" stroke="{PAPER}" stroke-width="0.4"'
    return "".join(f'<circle cx="{x:.2f}" cy="{y:.2f}" {style}/>' for x, y in points.tolist())


def _greys(values: Float[Tensor, "rows columns"], low_high: tuple[float, float]) -> str:
    """SVG of pooled numbers as grey squares, on the scale of the whole channel."""
    low, high = low_high
    rows, columns = values.shape
    squares = []
    for j, line in enumerate(((values - low) / max(high - low, 1e-6)).clamp(0, 1).tolist()):
        for i, value in enumerate(line):
            grey = round(255 * value)
            squares.append(f'<rect x="{i}" y="{j}" width="1.02" height="1.02" fill="rgb({grey},{grey},{grey})"/>')
    size = f"width:{VALUES}px;height:{round(VALUES * rows / columns)}px"
    about = f'viewBox="0 0 {columns} {rows}" role="img" aria-label="pooled values" style="{size}"'
    return f"<svg {about}>{''.join(squares)}</svg>"
