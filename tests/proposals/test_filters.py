import numpy as np
import pytest
import torch
from scipy import ndimage

from lecture_lib.proposals.filters import gaussian, gaussian_derivatives


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 2, 9), (3, 17, 12)])
@pytest.mark.parametrize("sigma", [0.5, 0.8, 3.0])
def test_gaussian_equals_scipy_down_to_one_pixel(shape, sigma, generator):
    image = torch.rand(shape, generator=generator)
    expected = ndimage.gaussian_filter(image.double().numpy(), (0, sigma, sigma))  # mirrors at the border
    np.testing.assert_allclose(gaussian(image, sigma).numpy(), expected, atol=1e-5)


def test_no_smoothing(generator):
    image = torch.rand(3, 4, 5, generator=generator)
    assert torch.equal(gaussian(image, 0.0), image)


def test_derivatives_of_a_ramp_are_its_slopes():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    ramp = (0.02 * x - 0.01 * y)[None]
    along_x, along_y = gaussian_derivatives(ramp, 1.0)[:, 0, 5:-5, 5:-5]
    torch.testing.assert_close(along_x, torch.full_like(along_x, 0.02))
    torch.testing.assert_close(along_y, torch.full_like(along_y, -0.01))


def test_derivatives_equal_scipy(generator):
    image = torch.rand(2, 15, 11, generator=generator)
    along_x, along_y = gaussian_derivatives(image, 1.0)
    for found, order in ((along_x, (0, 0, 1)), (along_y, (0, 1, 0))):
        expected = ndimage.gaussian_filter(image.double().numpy(), (0, 1, 1), order=order)
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)  # SciPy does not scale the slope to a ramp's
