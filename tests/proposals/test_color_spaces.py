import numpy as np
import pytest
import skimage.color
import torch

from lecture_lib.proposals import COLOR_SPACES, convert_color


@pytest.fixture
def image(generator):
    """Random colours, and black, white, greys and pure colours, where hue and Lab change their formula."""
    pure = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [0.02, 0.02, 0.02], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    colors = torch.cat([pure, torch.rand(393, 3, generator=generator)])
    return colors.T.reshape(3, 20, 20)


def test_no_pixels():
    with pytest.raises(ValueError, match=r"\[3, H, W\]"):
        convert_color(torch.zeros(3, 0, 5), "hsv")


def rows(image):
    return image.permute(1, 2, 0).double().numpy()


def test_hsv_equals_scikit_image(image):
    np.testing.assert_allclose(rows(convert_color(image, "hsv")), skimage.color.rgb2hsv(rows(image)), atol=1e-5)


def test_lab_equals_scikit_image(image):
    expected = (skimage.color.rgb2lab(rows(image)) + np.array([0, 128, 128])) / np.array([100, 255, 255])
    np.testing.assert_allclose(rows(convert_color(image, "lab")), expected, atol=1e-4)


def test_shadow_leaves_chromaticity_alone(image):
    light, dark = convert_color(image, "rgi"), convert_color(image * 0.5, "rgi")
    torch.testing.assert_close(dark[:2], light[:2])
    torch.testing.assert_close(dark[2], light[2] * 0.5)
    red, green, blue = image[:, 5, 5].tolist()
    assert light[:, 5, 5].tolist() == pytest.approx(
        [red / (red + green + blue), green / (red + green + blue), 0.299 * red + 0.587 * green + 0.114 * blue]
    )


@pytest.mark.parametrize("space", COLOR_SPACES)
def test_every_space_is_scaled_to_one(image, space):
    converted = convert_color(image, space)
    assert converted.shape == (1 if space in "hi" else 3, 20, 20)
    assert converted.min() >= -1e-5
    assert converted.max() <= 1 + 1e-5


def test_unknown_space(image):
    with pytest.raises(ValueError, match="rgb, i, hsv"):
        convert_color(image, "cmyk")
