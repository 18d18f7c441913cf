"""lecture_lib.encoders: cell i of a map looks at pixel i S of the image, whatever the image's size and the network."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lecture_lib.backbones import Backbone, efficientnet_lite0
from lecture_lib.encoders import ConvTrunk, WholeImage
from lecture_lib.structures import FeatureMap
from tests.receptive import NETWORKS, centroid, skeletons

SIZES = [(416, 432), (417, 431), (399, 450), (640, 401)]  # all shorter than they are resized to, odd and even


@pytest.fixture(scope="module")
def bare() -> dict[str, Backbone]:
    return skeletons()


def looks_at(encode: ConvTrunk, image: Tensor, cell: tuple[int, int]) -> tuple[FeatureMap, Tensor]:
    """The map, and how much each pixel of the image matters to one of its cells, all channels together."""
    leaf = image.clone().requires_grad_()
    (feature_map,) = encode(leaf)
    feature_map.tensor[:, cell[0], cell[1]].sum().backward()
    return feature_map, leaf.grad.abs().sum(0)


def middle(weight: Tensor) -> tuple[float, float]:
    """(y, x) of the middle of all pixels that matter at all."""
    places = (weight > 0).nonzero()
    ends = (places.min(0).values + places.max(0).values + 1) / 2
    return float(ends[0]), float(ends[1])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_cell_i_is_centred_on_pixel_i_s(bare: dict[str, Backbone], name: str, size: tuple[int, int]) -> None:
    encode = ConvTrunk(bare[name], (min(size),))  # not resized
    for cell in ((13, 13), (12, 14)):
        feature_map, weight = looks_at(encode, torch.rand(3, *size), cell)
        assert feature_map.stride == (16.0, 16.0)
        y, x = centroid(weight)
        assert (y, x) == pytest.approx((16 * cell[0], 16 * cell[1]), abs=0.51)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "side"), [((200, 300), 480), ((701, 640), 450), ((250, 501), 417), ((405, 900), 500)])
def test_cell_i_is_centred_there_after_resizing_too(
    bare: dict[str, Backbone], name: str, size: tuple[int, int], side: int
) -> None:
    feature_map, weight = looks_at(ConvTrunk(bare[name], (side,)), torch.rand(3, *size), (13, 14))
    stride = feature_map.stride
    y, x = centroid(weight)
    assert y == pytest.approx(13 * stride[0], abs=0.51 * stride[0] / 16)
    assert x == pytest.approx(14 * stride[1], abs=0.51 * stride[1] / 16)


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    """The course's network with ImageNet's weights."""
    return efficientnet_lite0()


@pytest.mark.parametrize("size", [(448, 448), (449, 447)])
def test_the_trained_network_looks_there(lite0: Backbone, size: tuple[int, int]) -> None:
    image = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    _, weight = looks_at(ConvTrunk(lite0, (min(size),)), image, (14, 13))
    assert middle(weight) == pytest.approx((16 * 14, 16 * 13), abs=1)
    assert weight[16 * 14 - 40 : 16 * 14 + 40, 16 * 13 - 40 : 16 * 13 + 40].sum() > 0.4 * weight.sum()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(16, 16), (31, 32), (33, 47), (48, 160)])
def test_the_map_reaches_the_end_of_the_image(bare: dict[str, Backbone], name: str, size: tuple[int, int]) -> None:
    """No part of the image is without a cell, and no cell is a whole cell beyond it."""
    (feature_map,) = ConvTrunk(bare[name], (min(size),))(torch.rand(3, *size))
    for cells, side in zip(feature_map.tensor.shape[1:], size, strict=True):
        assert side - 16 <= 16 * (cells - 1) < side + 16


@pytest.fixture
def encode(small_backbone: Callable) -> ConvTrunk:
    return ConvTrunk(small_backbone(batch_norm=True), (60,), longest=200)


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((60, 80), (60, 80)),
        ((80, 60), (80, 60)),
        ((30, 41), (60, 82)),
        ((120, 161), (60, 80)),
        ((60, 400), (30, 200)),  # a panorama: the longest side decides
        ((400, 60), (200, 30)),
        ((1, 1), (60, 60)),
        ((2, 1000), (4, 200)),  # at least one stride
        ((3, 5), (60, 100)),  # smaller than the stride
    ],
)
def test_resizing_and_stride(encode: ConvTrunk, size: tuple[int, int], resized: tuple[int, int]) -> None:
    seen = []
    encode.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2:]))
    (feature_map,) = encode(torch.rand(3, *size))
    assert tuple(seen[0]) == tuple(-(-side // 4) * 4 for side in resized)
    assert feature_map.stride == (4 * size[0] / resized[0], 4 * size[1] / resized[1])
    assert feature_map.image_size == size
    assert feature_map.tensor.shape[1:] == tuple(-(-side // 4) for side in resized)
    assert torch.isfinite(feature_map.tensor).all()


def test_the_trunk_gets_the_normalised_image_and_the_mean_colour_around_it(lite0: Backbone) -> None:
    image = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0))
    framed = lite0.mean.expand(3, 64, 80).clone()
    framed[:, 16:56, 16:66] = image
    with torch.no_grad():
        (feature_map,) = ConvTrunk(lite0, (40,))(image)
        expected = lite0.trunk(lite0.preprocess(framed[None]))[0]
    torch.testing.assert_close(feature_map.tensor, expected, atol=1e-4, rtol=1e-4)
    assert feature_map.tensor.shape == (112, 4, 5)


def test_shrinking_is_smoothed(encode: ConvTrunk) -> None:
    """Stripes of two pixels become flat grey; the four times fewer samples alone would all hit the white ones."""
    stripes = ((torch.arange(320) + 1) // 2 % 2).float().expand(3, 240, 320)
    grey = torch.full((3, 240, 320), 0.5)
    (found,), (expected,) = encode(stripes), encode(grey)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(found.tensor[inner], expected.tensor[inner], atol=1e-3, rtol=0)


def test_several_scales_are_several_maps(encode: ConvTrunk) -> None:
    image = torch.rand(3, 50, 70)
    several = encode.at_scales((40, 60, 90))
    maps = several(image)
    assert [m.stride[0] for m in maps] == [4 * 50 / side for side in (40, 60, 90)]
    for side, feature_map in zip((40, 60, 90), maps, strict=True):
        assert torch.equal(feature_map.tensor, encode.at_scale(image, side).tensor)
    assert (encode.shorter_sides, len(encode(image))) == ((60,), 1)
    assert all(a is b for a, b in zip(several.parameters(), encode.parameters(), strict=True))
    assert "shorter_sides=(40, 60, 90), longest=200" in repr(several)  # a store of features must notice


def test_weights_and_pixels_get_gradients(encode: ConvTrunk, device: torch.device) -> None:
    image = torch.rand(3, 30, 40, device=device, requires_grad=True)
    (feature_map,) = encode.to(device)(image)
    assert feature_map.tensor.device.type == device.type
    feature_map.tensor.square().sum().backward()
    assert (image.grad != 0).float().mean() > 0.5
    assert all(parameter.grad.abs().sum() > 0 for parameter in encode.parameters())
    assert {name.partition(".")[0] for name in encode.state_dict()} == {"trunk"}


@pytest.mark.parametrize("sides", [(), (3,), (60, 0)])
def test_scales_are_pixels(small_backbone: Callable, sides: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shorter_sides are pixels, each at least the stride"):
        ConvTrunk(small_backbone(), sides)


def test_the_whole_image_is_a_map_of_stride_1(image: Tensor) -> None:
    (only,) = WholeImage()(image)
    assert only.tensor is image
    assert (only.stride, only.image_size) == ((1.0, 1.0), (60, 80))
