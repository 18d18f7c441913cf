"""What Selective Search knows of a region, and the four similarities of two regions (IJCV'13, section 3.2)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from lecture_lib.proposals.filters import gaussian_derivatives

COLOR_BINS = 25  # per channel (section 3.2)
TEXTURE_BINS = 10  # per channel and orientation (section 3.2)
ORIENTATIONS = 8  # of the Gaussian derivative (section 3.2)
TEXTURE_SIGMA = 1.0  # of the Gaussian derivative, in pixels (section 3.2)
STEEPEST = (
    0.2  # where the texture bins end (not in the paper): half of a step from 0 to 1, 1 / sqrt(2 pi) under sigma 1
)


@dataclass(frozen=True)
class Region:
    """A set of `size` connected pixels with box (x1, y1, x2, y2); its histograms sum to 1 each."""

    size: int
    box: tuple[int, int, int, int]
    color: Float[Tensor, " c"]
    texture: Float[Tensor, " t"]


@dataclass(frozen=True)
class RegionTable:
    """All the regions of a label map, row r for label r; `[r]` is one `Region`."""

    sizes: Int[Tensor, " r"]
    boxes: Int[Tensor, "r 4"]
    color: Float[Tensor, "r c"]
    texture: Float[Tensor, "r t"]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, row: int) -> Region:
        box = tuple(self.boxes[row].tolist())
        return Region(int(self.sizes[row]), box, self.color[row], self.texture[row])


class Similarities(NamedTuple):
    """The four parts, each in 0..1 (size and fill nearly); what is summed is chosen by their initials, as "CTSF"."""

    color: float
    texture: float
    size: float
    fill: float

    def total(self, measure: str = "CTSF") -> float:
        """The sum of the parts in `measure` (equation 6 with every a_i 0 or 1)."""
        return sum(part for part, used in zip(self, used_parts(measure), strict=True) if used)


def used_parts(measure: str) -> tuple[bool, bool, bool, bool]:
    """Which of (colour, texture, size, fill) the initials in `measure` name. Raises `ValueError` for other letters."""
    if not measure or len(set(measure)) < len(measure) or set(measure) - set("CTSF"):
        raise ValueError(f"measure: expected some of the letters C, T, S, F, each at most once, got {measure!r}")
    return tuple(letter in measure for letter in "CTSF")


def color_similarity(a: Region, b: Region) -> float:
    """Intersection of the colour histograms,  s = sum_k min(c_a^k, c_b^k)  (equation 1)."""
    return float(torch.minimum(a.color, b.color).sum())


def texture_similarity(a: Region, b: Region) -> float:
    """Intersection of the texture histograms,  s = sum_k min(t_a^k, t_b^k)  (equation 3)."""
    return float(torch.minimum(a.texture, b.texture).sum())


def size_similarity(a: Region, b: Region, image_area: int) -> float:
    """Small regions merge early:  s = 1 - (|a| + |b|) / |image|  (equation 4)."""
    return 1 - (a.size + b.size) / image_area


def fill_similarity(a: Region, b: Region, image_area: int) -> float:
    """Regions that fit into each other merge early:  s = 1 - (|box(a, b)| - |a| - |b|) / |image|  (equation 5)."""
    x1, y1, x2, y2 = joint_box(a, b)
    return 1 - ((x2 - x1) * (y2 - y1) - a.size - b.size) / image_area


def similarities(a: Region, b: Region, image_area: int) -> Similarities:
    """The four similarities of two regions of an image of `image_area` pixels."""
    return Similarities(
        color_similarity(a, b),
        texture_similarity(a, b),
        size_similarity(a, b, image_area),
        fill_similarity(a, b, image_area),
    )


def joint_box(a: Region, b: Region) -> tuple[int, int, int, int]:
    """The smallest box around two regions."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.box, b.box
    return min(ax1, bx1), min(ay1, by1), max(ax2, bx2), max(ay2, by2)


def merge(a: Region, b: Region) -> Region:
    """The union of two regions; histograms are means weighted by size, so no pixel is read again (equation 2)."""
    size = a.size + b.size
    color = (a.size * a.color + b.size * b.color) / size
    texture = (a.size * a.texture + b.size * b.texture) / size
    return Region(size, joint_box(a, b), color, texture)


@dataclass(frozen=True)
class PixelBins:
    """The histogram bin of every pixel: `color` one per channel, `texture` one per channel and orientation."""

    color: UInt8[Tensor, "p c"]
    texture: UInt8[Tensor, "p t"]

    @classmethod
    def of(cls, image: Float[Tensor, "c h w"]) -> "PixelBins":
        """Bins of an image in any colour space with channels in 0..1."""
        from lecture_lib.proposals.kernels import slope_bins

        pixels = image.flatten(1).numpy()
        color = (pixels.T * COLOR_BINS).clip(0, COLOR_BINS - 1).astype(np.uint8)
        along_x, along_y = gaussian_derivatives(image, TEXTURE_SIGMA).flatten(2).numpy() * (TEXTURE_BINS / STEEPEST)
        angles = np.arange(ORIENTATIONS, dtype=np.float32) * (2 * np.pi / ORIENTATIONS)
        texture = slope_bins(along_x, along_y, np.cos(angles), np.sin(angles), TEXTURE_BINS)
        return cls(torch.from_numpy(np.ascontiguousarray(color)), torch.from_numpy(texture))


def describe_regions(labels: Int[Tensor, "h w"], bins: PixelBins) -> RegionTable:
    """Size, box, colour and texture histogram (each of sum 1) of every region of a label map 0..R-1."""
    from lecture_lib.proposals.kernels import region_extents, region_histograms

    array, regions = _label_array(labels)
    color = region_histograms(array.ravel(), bins.color.numpy(), regions, COLOR_BINS)
    texture = region_histograms(array.ravel(), bins.texture.numpy(), regions, TEXTURE_BINS)
    return RegionTable(*map(torch.from_numpy, (*region_extents(array, regions), color, texture)))


def neighbour_pairs(labels: Int[Tensor, "h w"]) -> Int[Tensor, "n 2"]:
    """Pairs of regions that share an edge of a pixel, smaller label first, in ascending order."""
    array, regions = _label_array(labels)
    sides = [(array[:, :-1], array[:, 1:]), (array[:-1], array[1:])]
    p, q = (np.concatenate([side[end].ravel() for side in sides]).astype(np.int64) for end in (0, 1))
    low, high = np.minimum(p, q)[p != q], np.maximum(p, q)[p != q]
    return torch.from_numpy(np.stack(np.divmod(np.unique(low * regions + high), regions), axis=1))


def region_boxes(labels: Int[Tensor, "h w"]) -> Float[Tensor, "r 4"]:
    """Box (x1, y1, x2, y2) of every region of a label map 0..R-1, row r for region r."""
    from lecture_lib.proposals.kernels import region_extents

    _, boxes = region_extents(*_label_array(labels))
    return torch.from_numpy(boxes).float()


def _label_array(labels: Int[Tensor, "h w"]) -> tuple[np.ndarray, int]:
    """The label map for the compiled loops and its number of regions. Raises `ValueError` unless labels are 0..R-1."""
    array = np.ascontiguousarray(labels.numpy(), dtype=np.int32)
    if array.size == 0 or array.min() < 0 or (np.bincount(array.ravel()) == 0).any():
        raise ValueError("labels: expected a label map with every number of 0..R-1, as `felzenszwalb` makes it")
    return array, int(array.max()) + 1
