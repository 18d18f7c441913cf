"""Colour spaces of Selective Search: each is invariant to other changes of light (IJCV'13, table 1)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import check_image

COLOR_SPACES = ("rgb", "i", "hsv", "lab", "rgi", "h")

# sRGB to CIE XYZ under the D65 white point (IEC 61966-2-1), and that white point.
_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)


def convert_color(image: Float[Tensor, "3 h w"], space: str) -> Float[Tensor, "c h w"]:
    """The RGB image in another colour space, every channel scaled to 0..1 ("h" and "i" have one channel, c = 1).

    Raises `ValueError` for a space that is not in `COLOR_SPACES`.
    """
    check_image(image)
    if space == "rgb":
        return image
    if space == "i":
        return _intensity(image)
    if space == "hsv":
        return _hsv(image)
    if space == "h":
        return _hsv(image)[:1]
    if space == "lab":
        return _lab(image)
    if space == "rgi":
        return _rg_intensity(image)
    raise ValueError(f"color space: expected one of {', '.join(COLOR_SPACES)}, got {space!r}")


def _intensity(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "1 h w"]:
    red, green, blue = image
    return (0.299 * red + 0.587 * green + 0.114 * blue)[None]  # ITU-R BT.601


def _rg_intensity(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Chromaticities r = R / (R + G + B) and g = G / (R + G + B), which a shadow leaves alone, and intensity."""
    total = image.sum(dim=0).clamp(min=1e-6)
    return torch.stack([image[0] / total, image[1] / total, _intensity(image)[0]])


def _hsv(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """Hue (0 red, 1/3 green, 2/3 blue), saturation, value; the hue of a grey pixel is 0."""
    red, green, blue = image
    value = image.amax(dim=0)
    chroma = value - image.amin(dim=0)
    safe = torch.where(chroma > 0, chroma, 1.0)
    sixths = torch.where(
        value == red,
        ((green - blue) / safe) % 6,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return torch.stack([sixths / 6, chroma / value.clamp(min=1e-12), value])


def _lab(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """CIE L*a*b* under D65; L* is divided by 100, a* and b* are moved from -128..127 to 0..1."""
    linear = torch.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)
    matrix = image.new_tensor(_XYZ_FROM_RGB) / image.new_tensor(_WHITE)[:, None]
    xyz = torch.einsum("xc,chw->xhw", matrix, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    lightness = (116 * y - 16) / 100
    return torch.stack([lightness, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255])
