"""lecture_lib.graphs: the same numbers as the network's own, whatever happens between two calls."""

import copy

import pytest
import torch
from torch import nn

from lecture_lib.graphs import replay


@pytest.fixture
def network(device: torch.device) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(inplace=True), nn.Conv2d(4, 2, 1))
    return nn.Sequential(*layers).to(device).eval()


def images(device: torch.device) -> list[torch.Tensor]:
    """Several of each of two sizes, in turn."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 3, 8 + i % 2, 9, generator=generator).to(device) for i in range(8)]


@torch.no_grad()
def test_what_is_replayed_is_what_the_network_gives(network: nn.Module, device: torch.device) -> None:
    given = images(device)
    found = [replay(network, x) for x in given]  # kept: no replay may write into what an earlier one gave
    for x, y in zip(given, found, strict=True):
        torch.testing.assert_close(y, network(x))


@torch.no_grad()
def test_new_weights_are_seen(network: nn.Module, device: torch.device) -> None:
    x = images(device)[0]
    before = [replay(network, x) for _ in range(3)][-1]
    network[3].weight.mul_(2)  # as an optimiser does
    torch.testing.assert_close(replay(network, x), network(x))
    network[3].weight = nn.Parameter(torch.ones_like(network[3].weight))  # other memory
    torch.testing.assert_close(replay(network, x), network(x))
    assert not torch.allclose(replay(network, x), before)


def test_gradients_and_training_go_through(network: nn.Module, device: torch.device) -> None:
    x = images(device)[0]
    for _ in range(3):
        replay(network, x).sum().backward()
    assert network[0].weight.grad is not None
    network.train()
    mean = network[1].running_mean.clone()
    with torch.no_grad():
        replay(network, x)
    assert not torch.equal(network[1].running_mean, mean)


@torch.no_grad()
def test_a_copy_has_graphs_of_its_own(network: nn.Module, device: torch.device) -> None:
    x = images(device)[0]
    for _ in range(3):
        replay(network, x)
    other = copy.deepcopy(network)
    other[3].bias.add_(1)
    for _ in range(3):
        torch.testing.assert_close(replay(other, x), network(x) + 1)


@torch.no_grad()
def test_more_sizes_than_are_kept(network: nn.Module, device: torch.device) -> None:
    for _ in range(3):
        for side in range(8, 20):
            x = torch.rand(1, 3, side, side, device=device)
            torch.testing.assert_close(replay(network, x), network(x))


@torch.no_grad()
def test_half_precision_has_a_graph_of_its_own(network: nn.Module, device: torch.device) -> None:
    x = images(device)[0]
    for _ in range(3):
        full = replay(network, x)
        with torch.autocast(device.type, torch.bfloat16):
            half = replay(network, x)
        assert (full.dtype, half.dtype) == (torch.float32, torch.bfloat16)
        torch.testing.assert_close(half.float(), full, atol=0.1, rtol=0.1)
