"""lecture_lib.backbones: the cut loses nothing, frozen means frozen, and real photographs get their names."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from lecture_lib import backbones
from lecture_lib.backbones import Backbone, efficientnet_lite0, efficientnet_lite0_fc
from lecture_lib.mobile import LITE0_BLOCKS, EfficientNetLite0, read_imagenet_weights


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return efficientnet_lite0()


def test_no_images(lite0: Backbone) -> None:
    none = torch.zeros(0, 3, 64, 64)
    assert lite0(none).shape == (0, 1000)
    assert lite0.trunk(lite0.preprocess(none)).shape == (0, 112, 4, 4)
    assert lite0.preprocess(torch.zeros(3, 8, 8)).shape == (3, 8, 8)


@pytest.mark.parametrize("cut", [1, 5, 7])
def test_cut_network_is_the_whole_network(cut: int) -> None:
    cut_network, whole = efficientnet_lite0(cut=cut), EfficientNetLite0().eval()
    whole.load_state_dict(read_imagenet_weights())
    images = torch.rand(2, 3, 96, 128)
    with torch.inference_mode():
        torch.testing.assert_close(cut_network(images), whole((images - 0.5) / 0.5), atol=1e-4, rtol=1e-4)
        maps = cut_network.trunk(cut_network.preprocess(images))
    assert maps.shape[1:] == (cut_network.channels, 96 // cut_network.stride, 128 // cut_network.stride)


def test_folded_batch_norm_changes_nothing_but_the_number_of_layers() -> None:
    network, images = EfficientNetLite0().eval(), torch.rand(2, 3, 96, 128)
    network.load_state_dict(read_imagenet_weights())
    before, norms = network(images), [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for _ in range(2):  # a second time there is nothing left to fold
        backbones.fold_batch_norm(network)
        torch.testing.assert_close(network(images), before, atol=1e-4, rtol=1e-4)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    assert len(norms) == 49
    assert len([m for m in network.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]) == len(norms)
    network(images).sum().backward()
    assert all(p.grad is not None for p in network.parameters())  # it may learn further


def test_default_cut_is_stage_5_at_stride_16(lite0: Backbone, device: torch.device) -> None:
    assert (lite0.stride, lite0.channels, lite0.grid) == (16, 112, None)
    assert list(lite0.trunk._modules) == ["stem", "stage1", "stage2", "stage3", "stage4", "stage5"]
    assert efficientnet_lite0(None).to(device)(torch.rand(1, 3, 64, 64, device=device)).shape == (1, 1000)


@pytest.mark.parametrize("cut", [0, 8])
def test_impossible_cut_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="7 stages"):
        efficientnet_lite0(None, cut=cut)


def test_features_by_depth_end_in_the_features(lite0: Backbone) -> None:
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        depths = lite0.features_by_depth(images)
        torch.testing.assert_close(depths["head"], lite0.features(images))
        torch.testing.assert_close(lite0.tail.classifier(depths["head"]), lite0(images))
    assert list(depths) == ["stem", *(f"stage{i}" for i in range(1, 8)), "head"]
    assert [depths[f"stage{i}"].shape[1] for i in range(1, 8)] == [spec.out_channels for spec in LITE0_BLOCKS]


def test_features_of_no_region(lite0: Backbone) -> None:
    found = efficientnet_lite0_fc(None, width=16).region_features(torch.zeros(0, 3, 112, 112))
    assert (found.pool5.shape, found.fc7.shape) == ((0, 112 * 7 * 7), (0, 16))
    found = lite0.region_features(torch.zeros(0, 3, 64, 64))
    assert (found.pool5.shape, found.fc7.shape) == ((0, 112 * 4 * 4), (0, 1280))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite0_fc", "alexnet"])
def test_region_features_are_what_the_tail_reads_and_gives(name: str, device: torch.device) -> None:
    backbone = getattr(backbones, name)(weights=None).to(device)
    regions = torch.rand(2, 3, backbone.input_size, backbone.input_size, device=device)
    with torch.inference_mode():
        found = backbone.region_features(regions)
        maps = backbone.pool(backbone.trunk(backbone.preprocess(regions)))
        torch.testing.assert_close(found.pool5, maps.reshape(2, -1))
        torch.testing.assert_close(found.fc7, backbone.features(regions))
        torch.testing.assert_close(backbone.tail.classifier(found.fc7), backbone(regions))
    assert backbone.grid in (None, tuple(maps.shape[-2:]))


def test_fully_connected_tail_stands_on_lite0s_trunk(lite0: Backbone) -> None:
    backbone = efficientnet_lite0_fc(generator=torch.Generator().manual_seed(0))
    assert (backbone.stride, backbone.channels, backbone.grid, backbone.input_size) == (16, 112, (7, 7), 112)
    assert (lite0.input_size, backbone.fresh_tail, lite0.fresh_tail) == (224, True, False)
    assert list(backbone.tail._modules) == ["flatten", "fc6", "fc7", "classifier"]
    assert not backbone.training
    images = torch.rand(2, 3, 112, 112)
    with torch.inference_mode():
        ours, theirs = (b.trunk(b.preprocess(images)) for b in (backbone, lite0))
    torch.testing.assert_close(ours, theirs)
    for size in (96, 224):
        with pytest.raises(RuntimeError, match=r"same reduction dim|cannot be multiplied"):
            backbone.region_features(torch.rand(1, 3, size, size))


def test_fully_connected_tail_is_random_repeatable_and_keeps_the_scale() -> None:
    """He's initialisation: variance 2 / inputs, so that activations neither fade nor grow."""
    first, again, other = (efficientnet_lite0_fc(None, 256, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    for name, inputs in (("fc6", 112 * 7 * 7), ("fc7", 256)):
        layer = getattr(first.tail, name)[0]
        assert torch.equal(layer.weight, getattr(again.tail, name)[0].weight)
        assert not torch.equal(layer.weight, getattr(other.tail, name)[0].weight)
        assert float(layer.weight.detach().std()) == pytest.approx((2 / inputs) ** 0.5, rel=0.02)
        assert (layer.bias == 0).all()
    assert torch.equal(first.tail.classifier.weight, again.tail.classifier.weight)
    assert first.tail.classifier.weight.shape == (1000, 256)


@pytest.mark.parametrize(("name", "size"), [("alexnet", 224), ("resnet50", 96)])
def test_torchvision_network_is_unchanged_by_the_cut(name: str, size: int) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, weights=None).eval()
    torch.manual_seed(0)  # the same fresh weights a second time
    ours = getattr(backbones, name)(weights=None)
    images = torch.rand(1, 3, size, size)
    normalised = torchvision.transforms.functional.normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(normalised), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("name", "cells"), [("alexnet", 13), ("vgg16", 14), ("resnet50", 14)])
def test_cut_is_as_announced_and_a_wrong_size_breaks_fc_layers_only(name: str, cells: int) -> None:
    with torch.device("meta"):  # shapes without numbers: VGG16 has 138 million of them
        backbone = getattr(backbones, name)(weights=None)
        theirs = torchvision.models.get_model(name, weights=None)
        maps = backbone.trunk(backbone.preprocess(torch.rand(1, 3, 224, 224)))
        assert maps.shape == (1, backbone.channels, cells, cells)
        assert backbone.stride == 16
        assert backbone.input_size == (227 if name == "alexnet" else 224)
        assert backbone(torch.rand(1, 3, 224, 224)).shape == (1, 1000)
        wide = torch.rand(1, 3, 224, 320)
        assert backbone.trunk(backbone.preprocess(wide)).shape[-1] > cells
        if backbone.grid is None:
            assert backbone(wide).shape == (1, 1000)
            return
        assert backbone.pool(maps).shape[-2:] == backbone.grid
        with pytest.raises(RuntimeError, match=r"same reduction dim|cannot be multiplied"):
            backbone(wide)
    kinds = [repr(m) for m in theirs.modules() if not list(m.children()) and not isinstance(m, nn.AdaptiveAvgPool2d)]
    assert kinds == [repr(m) for m in backbone.modules() if not list(m.children()) and not isinstance(m, nn.Flatten)]


def test_downloaded_weights_are_read_from_their_path(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet50(weights=None)
    torch.save(theirs.state_dict(), tmp_path / "resnet50.pth")
    ours = backbones.resnet50(tmp_path / "resnet50.pth")
    assert torch.equal(ours.tail.classifier.weight, theirs.fc.weight)


def test_damaged_weights_are_one_clear_error(tmp_path: Path) -> None:
    for content in (b"not weights", b"", b"hello"):  # each fails in another way
        (tmp_path / "broken.pth").write_bytes(content)
        with pytest.raises(OSError, match="damaged"):
            efficientnet_lite0(tmp_path / "broken.pth")
        with pytest.raises(OSError, match=r"could not be loaded .*broken\.pth has .* damaged: delete it"):
            backbones.resnet50(tmp_path / "broken.pth")


def one_step(backbone: Backbone) -> set[str]:
    """Names of the stages that a training step on noise changes, running statistics included."""
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone.train()
    backbone(torch.rand(4, 3, 64, 64)).square().mean().backward()
    with torch.no_grad():
        for parameter in backbone.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad.sign()
    return {k.split(".")[1] for k, v in backbone.state_dict().items() if not torch.equal(before[k], v)}


def test_frozen_stages_do_not_move() -> None:
    backbone = efficientnet_lite0(None)
    backbones.freeze_all_but_last(backbone, 0)
    assert one_step(backbone) == {"classifier"}
    backbones.freeze_all_but_last(backbone, 2)
    assert one_step(backbone) == {"stage7", "head", "classifier"}
    backbones.freeze(backbone.trunk)
    backbones.unfreeze(backbone.tail)
    assert one_step(backbone) == {"stage6", "stage7", "head", "classifier"}
    backbones.unfreeze(backbone)
    assert one_step(backbone) == set(backbone.stages())
    with pytest.raises(ValueError, match="9 stages"):
        backbones.freeze_all_but_last(backbone, 10)


def test_frozen_batch_norm_keeps_statistics_while_convolutions_learn() -> None:
    backbone = efficientnet_lite0(None)
    backbones.freeze_batch_norm(backbone)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    one_step(backbone)
    changed = {k for k, v in backbone.state_dict().items() if not torch.equal(before[k], v)}
    assert not any(".norm." in k for k in changed)
    assert "trunk.stem.conv.weight" in changed


def test_new_head_is_random_small_and_repeatable(lite0: Backbone) -> None:
    first = efficientnet_lite0(None).new_head(8, torch.Generator().manual_seed(1)).tail.classifier.weight
    again = efficientnet_lite0(None).new_head(8, torch.Generator().manual_seed(1)).tail.classifier.weight
    assert first.shape == (8, 1280)
    assert torch.equal(first, again)
    assert float(first.detach().std()) == pytest.approx(0.01, rel=0.1)
    assert isinstance(lite0.tail.classifier, nn.Linear)
    with pytest.raises(ValueError, match="at least 1"):
        lite0.new_head(0)


@pytest.mark.parametrize("shape", [(3, 300, 500), (3, 500, 300), (3, 40, 41), (3, 224, 2000)])
def test_imagenet_crop_is_square_and_in_range(shape: tuple[int, int, int]) -> None:
    crop = backbones.imagenet_crop(torch.rand(shape).round())
    assert crop.shape == (3, 224, 224)
    assert float(crop.min()) >= 0
    assert float(crop.max()) <= 1


def test_names_need_the_imagenet_head(lite0: Backbone) -> None:
    names = backbones.name_photograph(lite0, torch.rand(3, 240, 320), k=3)
    assert len(names) == 3
    assert names[0][1] >= names[1][1] >= names[2][1] > 0
    with pytest.raises(ValueError, match="new head"):
        backbones.name_photograph(efficientnet_lite0(None).new_head(8), torch.rand(3, 240, 320))


@pytest.mark.slow
@torch.inference_mode()
def test_lite0_names_ants_and_bees(lite0: Backbone, real: Path) -> None:
    """Top-1 over all 1000 classes, as on ImageNet; 0.861 measured, a wrong preprocessing costs 5 to 50 points."""
    from lecture_lib.images import read_image

    correct = []
    for folder, label in (("ants", 310), ("bees", 309)):
        assert backbones.imagenet_classes()[label] == folder[:-1]
        crops = [
            backbones.imagenet_crop(read_image(f)) for f in sorted((real / "hymenoptera/train" / folder).iterdir())
        ]
        correct += [lite0(batch).argmax(1) == label for batch in torch.stack(crops).split(32)]
    assert len(torch.cat(correct)) == 244
    assert float(torch.cat(correct).float().mean()) >= 0.80
