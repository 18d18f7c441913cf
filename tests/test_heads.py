"""lecture_lib.heads: which features are read, which number of a layer is which class's, what a layer's copy keeps."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lecture_lib.backbones import efficientnet_lite0
from lecture_lib.boxes import BoxCoder
from lecture_lib.heads import (
    FCTail,
    ForegroundSoftmax,
    JointHead,
    RegionHead,
    WholeCNN,
    compressed,
    svm_and_ridge,
    truncated_svd,
)
from lecture_lib.structures import RegionFeatures


def features(count: int, generator: torch.Generator) -> RegionFeatures:
    return RegionFeatures(torch.randn(count, 6, generator=generator), torch.randn(count, 5, generator=generator))


def test_no_region(small_backbone: Callable, device: torch.device) -> None:
    head = svm_and_ridge(6, 5, 3).to(device)
    predictions = head(RegionFeatures.empty(6, 5).to(device))
    assert (predictions.scores.shape, predictions.deltas.shape) == ((0, 3), (0, 3, 4))
    predictions = RegionHead(head.score, None)(RegionFeatures.empty(6, 5).to(device))
    assert (predictions.scores.shape, predictions.deltas.shape) == ((0, 3), (0, 3, 4))
    assert ForegroundSoftmax()(torch.zeros(0, 4, device=device)).shape == (0, 3)
    embedded = WholeCNN(small_backbone().to(device))(torch.zeros(0, 3, 16, 16, device=device))
    assert (embedded.pool5.shape, embedded.fc7.shape) == ((0, 96), (0, 10))


def test_softmax_drops_the_background(device: torch.device, generator: torch.Generator) -> None:
    logits = 3 * torch.randn(7, 4, generator=generator)
    found = ForegroundSoftmax()(logits.to(device)).cpu()
    torch.testing.assert_close(found, torch.softmax(logits, dim=1)[:, 1:])
    for r in range(7):
        powers = [2.718281828459045 ** float(value) for value in logits[r]]
        assert found[r].tolist() == pytest.approx([power / sum(powers) for power in powers[1:]], rel=1e-5)


@pytest.mark.parametrize("reads", ["fc7", "pool5"])
def test_scores_read_what_they_are_told_and_boxes_always_pool5(reads: str, generator: torch.Generator) -> None:
    found = features(4, generator)
    score, regress = nn.Linear(5 if reads == "fc7" else 6, 3), nn.Linear(6, 12)
    predictions = RegionHead(score, regress, reads)(found)
    for r in range(4):
        for k in range(3):
            margin = getattr(found, reads)[r] @ score.weight[k] + score.bias[k]
            assert predictions.scores[r, k].item() == pytest.approx(margin.item(), abs=1e-5)
            for c in range(4):
                delta = found.pool5[r] @ regress.weight[4 * k + c] + regress.bias[4 * k + c]
                assert predictions.deltas[r, k, c].item() == pytest.approx(delta.item(), abs=1e-5)


def test_softmax_classifier_scores_as_one_module(generator: torch.Generator) -> None:
    found, classifier = features(4, generator), nn.Linear(5, 4)
    predictions = RegionHead(nn.Sequential(classifier, ForegroundSoftmax()), None)(found)
    torch.testing.assert_close(predictions.scores, classifier(found.fc7).softmax(1)[:, 1:])


def test_without_regressors_boxes_stay(device: torch.device, generator: torch.Generator) -> None:
    head = RegionHead(nn.Linear(5, 3), None).to(device)
    predictions = head(features(4, generator).to(device))
    assert torch.equal(predictions.deltas, torch.zeros(4, 3, 4, device=device))
    assert predictions.scores.abs().min() > 0


def test_other_features_are_refused() -> None:
    with pytest.raises(ValueError, match="'fc7' or 'pool5', got 'fc6'"):
        RegionHead(nn.Linear(5, 3), None, "fc6")


def test_untrained_head_scores_nothing_and_moves_nothing(device: torch.device, generator: torch.Generator) -> None:
    head = svm_and_ridge(6, 5, 3).to(device)
    predictions = head(features(4, generator).to(device))
    assert torch.equal(predictions.scores, torch.zeros(4, 3, device=device))
    assert torch.equal(predictions.deltas, torch.zeros(4, 3, 4, device=device))
    shapes = {name: tuple(t.shape) for name, t in head.state_dict().items()}
    expected = {"score.weight": (3, 5), "score.bias": (3,), "regress.weight": (12, 6), "regress.bias": (12,)}
    assert shapes == expected


def test_whole_cnn_gives_both_depths(small_backbone: Callable, device: torch.device) -> None:
    backbone = small_backbone().to(device)
    regions = torch.rand(3, 3, 16, 16, device=device)
    with torch.no_grad():
        found = WholeCNN(backbone)(regions)
        torch.testing.assert_close(found.pool5, backbone.trunk(backbone.preprocess(regions)).flatten(1))
        torch.testing.assert_close(found.fc7, backbone.features(regions))


def test_no_region_for_the_tail_and_the_joint_head(small_backbone: Callable, device: torch.device) -> None:
    tail = FCTail(small_backbone().to(device), 5, classes=3)
    found = tail(torch.zeros(0, 30, device=device))
    assert (found.pool5.shape, found.fc7.shape) == ((0, 30), (0, 10))
    assert tail.logits(torch.zeros(0, 30, device=device)).shape == (0, 3)
    head = JointHead(10, 3).to(device)
    predictions = head(found)
    assert (predictions.scores.shape, predictions.deltas.shape) == ((0, 3), (0, 3, 4))
    logits, deltas = head.joint(found)
    assert (logits.shape, deltas.shape, logits.device.type) == ((0, 4), (0, 3, 4), device.type)


def test_tail_is_the_backbones_where_the_grid_fits(small_backbone: Callable, device: torch.device) -> None:
    backbone = small_backbone(dropout=0.5).to(device)
    tail, pooled = FCTail(backbone, 4 * 4), torch.randn(3, 6, 4, 4, device=device)
    found = tail(pooled)
    assert torch.equal(found.pool5, pooled.flatten(1))
    assert torch.equal(found.fc7, backbone.tail[:-1](pooled))
    assert (tail.pool5_width, tail.fc7_width, tail.classifier, tail.new_layers()) == (96, 10, None, [])
    ours = {parameter.data_ptr() for parameter in tail.parameters()}
    assert not ours & {parameter.data_ptr() for parameter in backbone.tail.parameters()}  # a copy: it may be trained
    assert torch.equal(FCTail(backbone, 16)(pooled.flatten(1)).fc7, found.fc7)  # of any shape with as many numbers


def test_tail_draws_fc6_anew_for_another_number_of_cells(small_backbone: Callable) -> None:
    backbone = small_backbone()
    tails = [FCTail(backbone, 5, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    first, again, other = (tail.layers.fc6[0].weight for tail in tails)
    assert first.shape == (12, 30)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(tails[0].layers.fc7[0].weight, backbone.tail.fc7[0].weight)
    assert tails[0].new_layers() == [tails[0].layers.fc6]
    assert (tails[0].pool5_width, tails[0].fc7_width) == (30, 10)
    assert backbone.tail.fc6[0].in_features == 96  # the backbone itself stays as it was
    wide = FCTail(backbone, 400, generator=torch.Generator().manual_seed(0)).layers.fc6[0]
    assert wide.weight.std().item() == pytest.approx(math.sqrt(2 / 2400), rel=0.05)  # keeps the scale (He et al. 2015)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("cells", [16, 5])
@pytest.mark.parametrize("classes", [None, 3])
def test_new_layers_are_those_that_imagenet_has_not_trained(
    small_backbone: Callable, fresh: bool, cells: int, classes: int | None
) -> None:
    backbone = small_backbone()
    backbone.fresh_tail = fresh
    tail = FCTail(backbone, cells, classes)
    expected = [tail.layers.fc6] if fresh or cells == 5 else []
    expected += [tail.layers.fc7] if fresh else []
    expected += [tail.classifier] if classes else []
    assert tail.new_layers() == expected
    if classes:
        pooled = torch.randn(4, 6 * cells)
        torch.testing.assert_close(tail.logits(pooled), tail.classifier(tail(pooled).fc7))


@pytest.mark.parametrize(("fresh", "classes"), [(True, None), (True, 3), (False, None)])
def test_only_a_fresh_tail_that_learns_in_one_stage_starts_small_and_without_dropout(
    small_backbone: Callable, fresh: bool, classes: int | None
) -> None:
    backbone = small_backbone(dropout=0.5)
    backbone.fresh_tail = fresh
    tails = [FCTail(backbone, 16, classes, torch.Generator().manual_seed(seed)).layers for seed in (0, 0, 1)]
    small = fresh and classes is None
    for name in ("fc6", "fc7"):
        first, again, other = (tail.get_submodule(name) for tail in tails)
        assert torch.equal(first[0].weight, again[0].weight)
        assert torch.equal(first[0].weight, other[0].weight) == (not small)
        assert torch.equal(first[0].weight, backbone.tail.get_submodule(name)[0].weight) == (not small)
        assert first[2].p == (0.0 if small else 0.5)
        if small:
            assert first[0].weight.std().item() == pytest.approx((3 * first[0].in_features) ** -0.5, rel=0.1)
    assert backbone.tail.fc6[2].p == 0.5  # the backbone itself stays as it was


def test_tail_without_fully_connected_layers_is_refused() -> None:
    with torch.device("meta"):  # shapes are enough
        no_tail = efficientnet_lite0(None)
    with pytest.raises(ValueError, match=r"no fully connected layers fc6 and fc7.*efficientnet_lite0_fc"):
        FCTail(no_tail, 49)


@torch.no_grad()
def test_joint_head_number_by_number(device: torch.device, generator: torch.Generator) -> None:
    head, found = JointHead(5, 3), features(4, generator)
    nn.init.normal_(head.move.bias, generator=generator)
    nn.init.normal_(head.classify.bias, generator=generator)
    predictions = head.to(device)(found.to(device)).to("cpu")
    logits, deltas = (out.cpu() for out in head.joint(found.to(device)))
    head.cpu()
    for r in range(4):
        powers = [math.exp(float(found.fc7[r] @ head.classify.weight[k] + head.classify.bias[k])) for k in range(4)]
        assert logits[r].exp().tolist() == pytest.approx(powers, rel=1e-4)
        assert predictions.scores[r].tolist() == pytest.approx([p / sum(powers) for p in powers[1:]], rel=1e-4)
        for k in range(3):
            rows = range(4 * k, 4 * k + 4)
            expected = [float(found.fc7[r] @ head.move.weight[row] + head.move.bias[row]) for row in rows]
            assert predictions.deltas[r, k].tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(predictions.deltas, deltas)


def test_joint_head_starts_as_in_the_paper() -> None:
    """Fast R-CNN, section 2.3: N(0, 0.01) for the classes, N(0, 0.001) for the boxes, biases 0."""
    heads = [JointHead(500, 20, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert heads[0].classify.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert heads[0].move.weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not heads[0].classify.bias.any()
    assert not heads[0].move.bias.any()
    for name, weight in heads[0].state_dict().items():
        assert torch.equal(weight, heads[1].state_dict()[name])
    assert not torch.equal(heads[0].move.weight, heads[2].move.weight)


def test_denormalised_head_moves_boxes_where_the_coder_does(device: torch.device, generator: torch.Generator) -> None:
    coder = BoxCoder(mean=(0.1, -0.2, 0.05, 0.3), std=(0.2, 0.1, 0.4, 0.25))
    head, found = JointHead(5, 3), features(6, generator)
    nn.init.normal_(head.move.weight, generator=generator)
    nn.init.normal_(head.move.bias, generator=generator)
    head, found, before = head.to(device), found.to(device), head.move.weight.clone()
    corner = 50 * torch.rand(6, 2, generator=generator)
    boxes = torch.cat([corner, corner + 5 + 40 * torch.rand(6, 2, generator=generator)], dim=1).to(device)
    expected = coder.decode(boxes, head(found).deltas)
    plain = head.denormalised(coder)
    torch.testing.assert_close(BoxCoder().decode(boxes, plain(found).deltas), expected, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(plain(found).scores, head(found).scores)
    assert torch.equal(head.move.weight, before)  # the head itself can be trained further


def matrix(layer: nn.Sequential) -> Tensor:
    first, second = layer
    return second.weight @ first.weight


@pytest.mark.parametrize(("inputs", "outputs"), [(9, 6), (5, 8)])
def test_truncated_svd_is_the_best_of_its_rank(
    inputs: int, outputs: int, device: torch.device, generator: torch.Generator
) -> None:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, generator=generator)
    layer, values = layer.to(device), torch.linalg.svdvals(layer.weight.detach().double())
    for rank in range(1, min(inputs, outputs) + 1):
        thin = truncated_svd(layer, rank)
        numbers = [parameter.numel() for parameter in thin.parameters()]
        assert sum(numbers) == rank * (inputs + outputs) + outputs
        assert [part.out_features for part in thin] == [rank, outputs]
        error = (matrix(thin) - layer.weight).square().sum().sqrt()
        assert error.item() == pytest.approx(values[rank:].square().sum().sqrt().item(), abs=1e-4)  # Eckart-Young
        assert torch.equal(thin[1].bias, layer.bias)
    x = torch.randn(4, inputs, generator=generator).to(device)
    torch.testing.assert_close(thin(x), layer(x), atol=1e-4, rtol=1e-4)  # the whole rank is the layer itself


@pytest.mark.parametrize("rank", [0, -1, 7])
def test_ranks_that_a_layer_has_not(rank: int) -> None:
    with pytest.raises(ValueError, match=f"a layer 9 -> 6 has ranks 1 to 6, not {rank}"):
        truncated_svd(nn.Linear(9, 6), rank)


def test_compressed_tail(small_backbone: Callable, device: torch.device, generator: torch.Generator) -> None:
    tail = FCTail(small_backbone(dropout=0.5).to(device), 16, classes=3)
    pooled = torch.randn(7, 96, generator=generator).to(device)
    before = tail(pooled)
    for small in (compressed(tail), compressed(tail, 12, 10), compressed(tail, fc7=10)):
        torch.testing.assert_close(small(pooled).fc7, before.fc7, atol=1e-4, rtol=1e-3)
    small = compressed(tail, fc6=2)
    assert torch.equal(small.layers.fc6[0][0].weight, truncated_svd(tail.layers.fc6[0], 2)[0].weight)
    assert isinstance(small.layers.fc7[0], nn.Linear)
    assert isinstance(compressed(tail, fc7=3).layers.fc6[0], nn.Linear)
    assert (small(pooled).fc7 - before.fc7).abs().max() > 1e-3
    assert torch.equal(small(pooled).pool5, before.pool5)
    assert torch.equal(tail(pooled).fc7, before.fc7)  # a copy was cut, not the tail
    with pytest.raises(ValueError, match="a layer 12 -> 10 has ranks 1 to 10, not 11"):
        compressed(tail, fc7=11)
