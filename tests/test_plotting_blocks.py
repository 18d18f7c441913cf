"""lecture_lib.plotting.blocks: what is drawn is what the modules are."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import Rectangle

from lecture_lib.mobile import BlockNetwork, BlockSpec, ConvNorm, DepthwiseSeparable, InvertedResidual, count_cost
from lecture_lib.plotting.blocks import block_costs, block_positions, shade, show_silhouettes, show_stages, show_wiring


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def network() -> BlockNetwork:
    blocks = (BlockSpec(3, 1, 1, 16, 1), BlockSpec(5, 2, 6, 24, 2))
    return BlockNetwork(blocks, stem=8, head=64, classes=10)


def texts(axes) -> str:
    return " ".join(t.get_text() for t in axes.texts)


def kernels(axes) -> int:
    return sum(len(line.get_xdata()) == 2 for line in axes.lines)


@pytest.mark.parametrize(
    ("block", "lines"),
    [(ConvNorm(4, 5, 3), 20), (DepthwiseSeparable(4, 5), 4 + 20), (InvertedResidual(2, 3, expansion=4), 16 + 8 + 24)],
)
def test_a_line_for_every_kernel(block, lines):
    assert kernels(show_wiring({"block": block}).axes[0]) == lines


def test_skip_and_missing_relu_are_drawn_only_where_they_are():
    with_skip, without = show_wiring({"a": InvertedResidual(3, 3), "b": InvertedResidual(3, 3, stride=2)}).axes
    assert "skip" in texts(with_skip)
    assert "no ReLU" in texts(with_skip)
    assert "skip" not in texts(without)


def test_blocks_have_the_costs_of_their_layers(network):
    cost = count_cost(network, (3, 64, 64))
    shapes = block_costs(network, cost)
    assert [(stage, side, channels) for stage, side, channels, _ in shapes] == [
        (0, 32, 8),
        (1, 32, 16),
        (2, 16, 24),
        (2, 16, 24),
    ]
    rest = count_cost(network.head, (24, 16, 16)).multiply_adds + network.classifier.weight.numel()
    assert sum(s[3] for s in shapes) + rest == cost.multiply_adds


def test_blocks_do_not_overlap(network):
    shapes = block_costs(network, count_cost(network, (3, 64, 64)))
    left = block_positions(shapes)
    assert all(x + shape[2] < following for x, shape, following in zip(left, shapes, left[1:], strict=False))


def test_silhouettes_share_one_scale(network):
    small, large = (count_cost(network, (3, side, side)) for side in (32, 64))
    first, second = show_silhouettes({"small": (network, small), "large": (network, large)}).axes
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    heights = [[p.get_height() for p in axes.patches if isinstance(p, Rectangle)] for axes in (first, second)]
    assert heights[1] == [2 * h for h in heights[0]]


def test_stages_are_named_with_their_share(network):
    cost = count_cost(network, (3, 64, 64))
    written = texts(show_stages(network, cost).axes[0])
    shares = [s[3] / cost.multiply_adds for s in block_costs(network, cost)]
    assert f"2\n5×5\n16\n24\n{shares[2] + shares[3]:.0%}" in written
    assert "stem\n3×3\n32\n8" in written


def test_more_costly_is_darker():
    assert sum(shade(0.0)) > sum(shade(0.5)) > sum(shade(1.0))
    assert shade(-1.0) == shade(0.0)
