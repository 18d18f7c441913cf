"""lecture_lib.encoders: cell i of a map looks at pixel i S of the image, whatever the image's size and the network."""

from collections.abc import Callable
from copy import copy, deepcopy

import pytest
import torch
from torch import Tensor, nn

from lecture_lib.backbones import LITE0_MEAN, LITE0_STD, Backbone, alexnet, efficientnet_lite0, vgg16
from lecture_lib.encoders import ConvTrunk, FeaturePyramid, WholeImage
from lecture_lib.structures import FeatureMap
from lecture_lib.voc import stamps
from tests.tiny_pyramid import tiny_pyramid_backbone

NETWORKS = {"lite0": efficientnet_lite0, "alexnet": alexnet, "vgg16": vgg16}
SIZES = [(416, 432), (417, 431), (399, 450), (640, 401)]  # all shorter than they are resized to, odd and even


def skeleton(trunk: nn.Module) -> nn.Module:
    """The trunk's geometry alone: one channel, equal weights, averages for maxima, and nothing that bends or shifts.

    What a cell of it looks at is exact: the gradient is symmetric about the centre of the cell's receptive field.
    """
    bare = deepcopy(trunk)
    for module in list(bare.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
            elif isinstance(layer, nn.ReLU | nn.ReLU6 | nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
            elif isinstance(layer, nn.Conv2d):
                inputs = 3 if layer.in_channels == 3 else 1
                layer.weight = nn.Parameter(torch.ones(1, inputs, *layer.kernel_size) / layer.weight[0, 0].numel())
                layer.groups, layer.bias = 1, None
    return bare


@pytest.fixture(scope="module")
def bare() -> dict[str, Backbone]:
    """The networks with skeletons for trunks; of the rest there are shapes only."""
    made = {}
    for name, build in NETWORKS.items():
        with torch.device("meta"):
            made[name] = build(None)
        made[name].trunk = skeleton(made[name].trunk)
        made[name].set_normalisation(LITE0_MEAN, LITE0_STD)
    return made


def looks_at(encode: ConvTrunk, image: Tensor, cell: tuple[int, int]) -> tuple[FeatureMap, Tensor]:
    """The map, and how much each pixel of the image matters to one of its cells, all channels together."""
    leaf = image.clone().requires_grad_()
    (feature_map,) = encode(leaf)
    feature_map.tensor[:, cell[0], cell[1]].sum().backward()
    return feature_map, leaf.grad.abs().sum(0)


def centroid(weight: Tensor) -> tuple[float, float]:
    """(y, x) of the centre of mass; pixel p covers p to p + 1, as boxes do."""
    weight = weight.double()
    rows, columns = (torch.arange(n).double() + 0.5 for n in weight.shape)
    return float(weight.sum(1) @ rows / weight.sum()), float(weight.sum(0) @ columns / weight.sum())


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


# Pixels by which the finest cells may be beside their place: those of VGG lie half a cell from those of stride 16.
PYRAMIDS = {"lite0": 0.51, "vgg16": 4.51}


@pytest.fixture(scope="module")
def pyramids(bare: dict[str, Backbone]) -> dict[str, Callable[[int], FeaturePyramid]]:
    """Builds pyramids on the skeletons, whose own layers only average too."""

    def builder(name: str) -> Callable[[int], FeaturePyramid]:
        def build(side: int) -> FeaturePyramid:
            thin = copy(bare[name])
            thin.channels = 1
            return averaged(FeaturePyramid(thin, (side,)))

        return build

    return {name: builder(name) for name in PYRAMIDS}


def averaged(pyramid: FeaturePyramid) -> FeaturePyramid:
    """The pyramid with plain means for its lateral and smoothing layers."""
    for layer in (*pyramid.lateral, *pyramid.smooth):
        nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    return pyramid


@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize(("size", "side"), [((416, 432), 416), ((417, 431), 417), ((200, 300), 480), ((701, 640), 450)])
def test_cells_of_every_level_are_centred_there(pyramids: dict, name: str, size: tuple[int, int], side: int) -> None:
    """Without the top-down path: what is enlarged twofold lies up to half a coarse cell beside its place."""
    pyramid, image = pyramids[name](side), torch.rand(3, *size)
    nn.init.zeros_(pyramid.lateral[1].weight)
    for level, cell in ((0, (27, 25)), (1, (13, 14)), (2, (7, 6))):
        if level == 1:
            nn.init.ones_(pyramid.lateral[1].weight)
        leaf = image.clone().requires_grad_()
        feature_map = pyramid(leaf)[level]
        feature_map.tensor[:, cell[0], cell[1]].sum().backward()
        y, x = centroid(leaf.grad.abs().sum(0))
        stride, beside = feature_map.stride, PYRAMIDS[name] if level == 0 else 0.51
        assert y == pytest.approx(cell[0] * stride[0], abs=beside * stride[0] / 2 ** (3 + level))
        assert x == pytest.approx(cell[1] * stride[1], abs=beside * stride[1] / 2 ** (3 + level))


@pytest.fixture
def pyramid() -> FeaturePyramid:
    return FeaturePyramid(tiny_pyramid_backbone(), (64,), longest=200, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64), (65, 79), (30, 41), (128, 161), (64, 900), (1, 1)])
def test_levels_halve_the_map_and_reach_the_end_of_the_image(pyramid: FeaturePyramid, size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    maps, (trunk,) = pyramid(image), ConvTrunk(tiny_pyramid_backbone(), (64,), longest=200)(image)
    assert maps[1].stride == trunk.stride
    assert maps[1].tensor.shape == trunk.tensor.shape
    for feature_map, times in zip(maps, (0.5, 1, 2), strict=True):
        assert feature_map.stride == pytest.approx([times * side for side in trunk.stride])
        assert feature_map.image_size == size
        assert feature_map.tensor.is_contiguous()
        assert torch.isfinite(feature_map.tensor).all()
        for cells, stride, side in zip(feature_map.tensor.shape[1:], feature_map.stride, size, strict=True):
            assert side - 1.01 * stride <= stride * (cells - 1) < side + 2 * trunk.stride[0]
    assert torch.equal(maps[2].tensor, maps[1].tensor[:, ::2, ::2])


def test_what_the_coarse_map_knows_flows_down(pyramid: FeaturePyramid) -> None:
    """With its own lateral layer switched off the finest map is the coarser one, enlarged twofold and smoothed."""
    image = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(pyramid.lateral[0].weight)
    with torch.no_grad():
        fine = pyramid(image)[0].tensor
        summed = pyramid.lateral[1](pyramid.trunk(pyramid.prepare(image, 64)[0]))
        rows, columns = fine.shape[1:]
        doubled = summed.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :rows, :columns]
        torch.testing.assert_close(fine, pyramid.smooth[0](doubled)[0])
    assert fine.std() > 0


def test_every_layer_of_the_pyramid_learns_and_is_new(pyramid: FeaturePyramid, device: torch.device) -> None:
    image = torch.rand(3, 70, 80, device=device, requires_grad=True)
    maps = pyramid.to(device)(image)
    sum(feature_map.tensor.square().sum() for feature_map in maps).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in pyramid.parameters())
    assert (image.grad != 0).float().mean() > 0.5
    new = {id(p) for layer in pyramid.new_layers() for p in layer.parameters()}
    assert new == {id(p) for p in pyramid.parameters()} - {id(p) for p in pyramid.trunk.parameters()}
    assert all(feature_map.tensor.device.type == device.type for feature_map in maps)


def test_the_pyramids_generator_draws_its_layers() -> None:
    made = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(global_seed)
        pyramid = FeaturePyramid(tiny_pyramid_backbone(), (64,), generator=torch.Generator().manual_seed(seed))
        made.append([layer.weight for part in pyramid.new_layers() for layer in part])
    assert all(torch.equal(a, b) for a, b in zip(made[0], made[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(made[0], made[2], strict=True))


def test_maps_of_the_pyramid_are_as_large_as_the_trunks_own(lite0: Backbone) -> None:
    """What follows, fully connected layers and RPN, is initialised for values of the trunk's size."""
    image = stamps("test").image(0)
    with torch.no_grad():
        (trunk,) = ConvTrunk(lite0, (240,))(image)
        maps = FeaturePyramid(lite0, (240,), generator=torch.Generator().manual_seed(0))(image)
    for feature_map in maps:
        assert 0.5 < float(feature_map.tensor.std() / trunk.tensor.std()) < 2


def test_a_network_without_the_stages_is_refused(bare: dict[str, Backbone], small_backbone: Callable) -> None:
    with pytest.raises(ValueError, match="this trunk, of stride 16, has no stage of stride 8"):
        FeaturePyramid(bare["alexnet"])
    with pytest.raises(ValueError, match="this trunk, of stride 4, has no stage of stride 8"):
        FeaturePyramid(small_backbone())


def test_the_pyramid_takes_one_size(pyramid: FeaturePyramid) -> None:
    with pytest.raises(ValueError, match=r"one shorter side is needed, got \(64, 96\)"):
        FeaturePyramid(tiny_pyramid_backbone(), (64, 96))
    smaller = pyramid.at_scales((48,))
    assert smaller(torch.rand(3, 64, 96))[1].stride == pytest.approx((64 / 3, 64 / 3))
    assert all(a is b for a, b in zip(smaller.parameters(), pyramid.parameters(), strict=True))
