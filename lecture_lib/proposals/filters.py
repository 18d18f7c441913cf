"""Gaussian smoothing and Gaussian derivatives of an image, as two one-dimensional passes each."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def gaussian(image: Float[Tensor, "c h w"], sigma: float) -> Float[Tensor, "c h w"]:
    """Every channel smoothed with a Gaussian of standard deviation `sigma` pixels (0 leaves the image alone)."""
    if sigma <= 0:
        return image
    kernel = _kernel(sigma)
    return _filter_both(image, kernel, kernel)


def gaussian_derivatives(image: Float[Tensor, "c h w"], sigma: float) -> Float[Tensor, "2 c h w"]:
    """Derivative of the smoothed image along x, then along y, per pixel."""
    kernel = _kernel(sigma)
    offsets = torch.arange(len(kernel)) - len(kernel) // 2
    slope = kernel * offsets
    slope = slope / (slope * offsets).sum()  # a ramp of slope 1 gets derivative 1
    along_x = _filter_both(image, slope, kernel)
    along_y = _filter_both(image, kernel, slope)
    return torch.stack([along_x, along_y])


def _kernel(sigma: float) -> Float[Tensor, " k"]:
    """Samples of a Gaussian up to 4 standard deviations (SciPy's convention), with sum 1."""
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _filter_both(
    image: Float[Tensor, "c h w"], along_x: Float[Tensor, " k"], along_y: Float[Tensor, " k"]
) -> Float[Tensor, "c h w"]:
    """Correlation along x, then along y; beyond the border the image is mirrored: c b a | a b c | c b a."""
    from lecture_lib.proposals.kernels import filter_rows

    rows = filter_rows(np.ascontiguousarray(image), along_x.numpy())
    columns = filter_rows(np.ascontiguousarray(rows.transpose(0, 2, 1)), along_y.numpy())
    return torch.from_numpy(np.ascontiguousarray(columns.transpose(0, 2, 1)))
