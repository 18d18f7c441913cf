"""lecture_lib.pooling: warping against cutting out and F.interpolate, and against a loop over pixels."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lecture_lib.pooling import WarpRegions, warp_regions, with_context
from lecture_lib.structures import FeatureMap, Proposals

FILL = (0.25, 0.5, 0.75)


def filled(image: Tensor, margin: int) -> Tensor:
    """The image with `margin` pixels of the fill colour on every side."""
    padded = [F.pad(channel, [margin] * 4, value=value) for channel, value in zip(image, FILL, strict=True)]
    return torch.stack(padded)


def pixel_by_pixel(image: Tensor, box: list[float], size: int, context: float) -> Tensor:
    """One region, warped with nothing but Python's numbers; outside the image every pixel has the fill colour."""
    x1, y1, x2, y2 = box
    grown_x, grown_y = ((b - a) * size / (size - 2 * context) for a, b in ((x1, x2), (y1, y2)))
    left, top = (x1 + x2) / 2 - grown_x / 2, (y1 + y2) / 2 - grown_y / 2
    height, width = image.shape[1:]

    def pixel(channel: int, row: int, column: int) -> float:
        inside = 0 <= row < height and 0 <= column < width
        return float(image[channel, row, column]) if inside else FILL[channel]

    warped = torch.zeros(3, size, size)
    for i in range(size):
        for j in range(size):
            y, x = top + grown_y * (i + 0.5) / size - 0.5, left + grown_x * (j + 0.5) / size - 0.5
            row, column = math.floor(y), math.floor(x)
            for c in range(3):
                upper = pixel(c, row, column) * (1 - x + column) + pixel(c, row, column + 1) * (x - column)
                lower = pixel(c, row + 1, column) * (1 - x + column) + pixel(c, row + 1, column + 1) * (x - column)
                warped[c, i, j] = upper * (1 - y + row) + lower * (y - row)
    return warped


def test_no_region(device: torch.device) -> None:
    none = torch.zeros(0, 4, device=device)
    assert with_context(none, 227, 16.0).shape == (0, 4)
    warped = warp_regions(torch.rand(3, 9, 9, device=device), none, 8, 1.0)
    assert warped.shape == (0, 3, 8, 8)
    assert warped.device.type == device.type


@pytest.mark.parametrize("box", [(2, 3, 22, 27), (0, 0, 40, 30), (-7, -5, 13, 15), (25, 12, 52, 41), (-9, -8, 50, 39)])
def test_shrinking_is_cutting_out_and_interpolating(box: tuple[int, ...], generator: torch.Generator) -> None:
    image = torch.rand(3, 30, 40, generator=generator)
    x1, y1, x2, y2 = (side + 20 for side in box)
    cut = filled(image, 20)[:, y1:y2, x1:x2]
    expected = F.interpolate(cut[None], (16, 16), mode="bilinear", align_corners=False, antialias=False)
    warped = warp_regions(image, torch.tensor([box]).float(), 16, 0.0, FILL)
    torch.testing.assert_close(warped, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("box", [(3, 2, 9, 6), (0, 0, 6, 4), (-3, -2, 3, 2), (36, 27, 42, 31)])
def test_enlarging_is_interpolating_between_the_image_s_own_pixels(box: tuple[int, ...], generator) -> None:
    """A cut-out enlarged by itself would repeat its last pixel; one pixel more on each side is enlarged, then cut."""
    image = torch.rand(3, 30, 40, generator=generator)
    x1, y1, x2, y2 = (side + 20 for side in box)
    cut = filled(image, 20)[:, y1 - 1 : y2 + 1, x1 - 1 : x2 + 1]
    large = F.interpolate(cut[None], scale_factor=(24 / (y2 - y1), 24 / (x2 - x1)), mode="bilinear")
    rows, columns = 24 // (y2 - y1), 24 // (x2 - x1)
    warped = warp_regions(image, torch.tensor([box]).float(), 24, 0.0, FILL)
    torch.testing.assert_close(warped, large[..., rows:-rows, columns:-columns], atol=1e-5, rtol=0)


@pytest.mark.parametrize("context", [0.0, 1.0, 2.5])
def test_fractions_of_pixels_against_a_loop(context: float, device: torch.device, generator: torch.Generator) -> None:
    image = torch.rand(3, 7, 10, generator=generator)
    corner = torch.rand(12, 2, generator=generator) * torch.tensor([16.0, 12.0]) - 4
    side = torch.rand(12, 2, generator=generator) * 9
    boxes = torch.cat([corner, corner + side], dim=1)
    boxes[0, 2:] = boxes[0, :2]  # no area: one point of the image
    warped = warp_regions(image.to(device), boxes.to(device), 8, context, FILL)
    expected = torch.stack([pixel_by_pixel(image, box, 8, context) for box in boxes.tolist()])
    torch.testing.assert_close(warped.cpu(), expected, atol=1e-5, rtol=0)


def test_context_is_that_of_the_papers_appendix_a() -> None:
    """16 of 227 px on each side: a region of 195 px is cut out with 16 px more, pixel for pixel."""
    image = torch.zeros(3, 300, 400)
    image[:, 50:245, 100:295] = 1
    boxes = torch.tensor([[100.0, 50, 295, 245]])
    assert with_context(boxes, 227, 16.0).tolist() == [[84, 34, 311, 261]]
    warped = warp_regions(image, boxes, 227, 16.0)[0]
    assert warped.shape == (3, 227, 227)
    assert WarpRegions() == WarpRegions(size=227, context=16.0)
    torch.testing.assert_close(warped[:, 16:211, 16:211], torch.ones(3, 195, 195), atol=1e-4, rtol=0)
    assert float(warped.sum()) == pytest.approx(3 * 195 * 195, abs=1)


def test_context_surrounds_a_box_of_any_shape_equally() -> None:
    boxes = torch.tensor([[10.0, 20, 40, 30], [3.5, 0, 4, 70]])
    grown = with_context(boxes, 112, 8.0)
    side = (grown[:, 2:] - grown[:, :2]) / 112  # original pixels for a pixel of the result
    torch.testing.assert_close((boxes[:, :2] - grown[:, :2]) / side, torch.full((2, 2), 8.0), atol=1e-3, rtol=0)
    torch.testing.assert_close((grown[:, 2:] - boxes[:, 2:]) / side, torch.full((2, 2), 8.0), atol=1e-3, rtol=0)


def test_a_tall_region_becomes_a_square_and_loses_its_shape() -> None:
    """The image's red is x, its green is y: after warping both run from end to end over the same 10 pixels."""
    image = torch.zeros(3, 80, 60)
    image[0], image[1] = torch.arange(60) / 100, torch.arange(80)[:, None] / 100
    warped = warp_regions(image, torch.tensor([[20.0, 10, 30, 70]]), 10, 0.0)[0]
    assert warped.shape == (3, 10, 10)
    across = (20.5 + torch.arange(10)) / 100 - 0.005  # one pixel a step
    down = (10 + 3 + 6 * torch.arange(10)) / 100 - 0.005  # six pixels a step
    torch.testing.assert_close(warped[0], across.expand(10, 10), atol=1e-5, rtol=0)
    torch.testing.assert_close(warped[1], down[:, None].expand(10, 10), atol=1e-5, rtol=0)


def test_far_outside_all_is_fill(device: torch.device) -> None:
    boxes = torch.tensor([[-50.0, 0, -20, 30], [100, 100, 130, 120], [0, 31.5, 40, 60]], device=device)
    warped = warp_regions(torch.rand(3, 30, 40, device=device), boxes, 8, 0.0, FILL)
    expected = torch.tensor(FILL, device=device)[:, None, None].expand(3, 3, 8, 8)
    torch.testing.assert_close(warped, expected)


def test_gradients_reach_the_pixels_of_the_region_and_no_others(device: torch.device) -> None:
    image = torch.full((3, 20, 30), 0.5, device=device, requires_grad=True)
    warp_regions(image, torch.tensor([[10.0, 4, 22, 16]], device=device), 6, 0.0).sum().backward()
    assert float(image.grad.sum()) == pytest.approx(3 * 6 * 6)  # bilinear weights of each new pixel add up to 1
    inside = torch.zeros_like(image, dtype=torch.bool)
    inside[:, 4:16, 10:22] = True
    assert (image.grad[~inside] == 0).all()
    assert (image.grad[:, 4:16, 10:22].sum((1, 2)) > 0).all()


@pytest.mark.parametrize(
    ("image", "boxes", "context", "says"),
    [
        (torch.zeros(3, 9, 9), torch.tensor([[5.0, 0, 4, 1]]), 1.0, "x2 < x1"),
        (torch.zeros(3, 9, 9), torch.tensor([[0.0, 0, math.nan, 1]]), 1.0, "not finite"),
        (torch.zeros(3, 9, 9), torch.zeros(2, 5), 1.0, r"shape \[R, 4\]"),
        (torch.zeros(3, 9, 9), torch.zeros(1, 4), 4.0, "a context of 4.0 px on each side leaves nothing of 8 px"),
        (torch.zeros(3, 9, 9), torch.zeros(1, 4), -1.0, "a context of -1.0 px"),
        (torch.full((3, 9, 9), 200.0), torch.zeros(1, 4), 1.0, "divide by 255"),
        (torch.zeros(3, 9, 9, dtype=torch.uint8), torch.zeros(1, 4), 1.0, "divide by 255"),
    ],
)
def test_what_cannot_be_warped(image: Tensor, boxes: Tensor, context: float, says: str, as_user: None) -> None:
    with pytest.raises(ValueError, match=says):
        warp_regions(image, boxes, 8, context)


def test_the_slot_warps_out_of_the_only_map(image: Tensor) -> None:
    boxes = torch.tensor([[10.0, 10, 30, 30], [-5, 30, 75, 70]])
    maps = (FeatureMap(image, (1.0, 1.0), (60, 80)),)
    warped = WarpRegions(12, 2.0, FILL)(maps, Proposals(boxes, None, (60, 80)))
    assert torch.equal(warped, warp_regions(image, boxes, 12, 2.0, FILL))
