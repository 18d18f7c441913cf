"""Gaussian smoothing and Gaussian derivatives of an image, as two one-dimensional passes each."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def gaussian(image: Float[Tensor, "c h w"], sigma: float) -> Float[Tensor, "c h w"]:
    """Every channel smoothed with a Gaussian of standard deviation `sigma` pixels (0 leaves the image alone)."""
    if sigma <= 0:
        return image
    kernel = _kernel(sigma)
    return _filter_rows(_filter_rows(image, kernel).mT, kernel).mT


def gaussian_derivatives(image: Float[Tensor, "c h w"], sigma: float) -> Float[Tensor, "2 c h w"]:
    """Derivative of the smoothed image along x, then along y, per pixel."""
    kernel = _kernel(sigma)
    offsets = torch.arange(len(kernel)) - len(kernel) // 2
    slope = kernel * offsets
    slope = slope / (slope * offsets).sum()  # a ramp of slope 1 gets derivative 1
    along_x = _filter_rows(_filter_rows(image, slope).mT, kernel).mT
    along_y = _filter_rows(_filter_rows(image, kernel).mT, slope).mT
    return torch.stack([along_x, along_y])


def _kernel(sigma: float, truncate: float = 4.0) -> Float[Tensor, " k"]:
    """Samples of a Gaussian up to `truncate` standard deviations (SciPy's convention), with sum 1."""
    radius = int(truncate * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _filter_rows(image: Float[Tensor, "c h w"], kernel: Float[Tensor, " k"]) -> Float[Tensor, "c h w"]:
    """Correlation along x; beyond the border the image is mirrored: c b a | a b c | c b a."""
    width, radius = image.shape[-1], len(kernel) // 2
    column = torch.arange(-radius, width + radius, device=image.device) % (2 * width)
    padded = image[..., torch.minimum(column, 2 * width - 1 - column)]
    rows = padded.reshape(-1, 1, padded.shape[-1])  # F.conv1d on [c * h, 1, w + 2 * radius]
    return F.conv1d(rows, kernel.to(image).view(1, 1, -1)).reshape(image.shape)
