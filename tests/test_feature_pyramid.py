"""The feature pyramid of lecture_lib.encoders: every level is centred where it says, and coarse maps tell fine ones."""

from collections.abc import Callable
from copy import copy

import pytest
import torch
from torch import nn

from lecture_lib.backbones import Backbone, efficientnet_lite0
from lecture_lib.encoders import ConvTrunk, FeaturePyramid
from lecture_lib.voc import stamps
from tests.receptive import centroid, skeletons
from tests.tiny_pyramid import tiny_pyramid_backbone

# Pixels by which the finest cells may be beside their place: those of VGG lie half a cell from those of stride 16.
PYRAMIDS = {"lite0": 0.51, "vgg16": 4.51}


@pytest.fixture(scope="module")
def bare() -> dict[str, Backbone]:
    return skeletons()


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    """The course's network with ImageNet's weights."""
    return efficientnet_lite0()


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
