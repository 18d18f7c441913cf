"""lecture_lib.widgets.cost: what the sliders show is what the modules cost."""

import re

import pytest
import torch

from lecture_lib.mobile import Latency, count_cost, mobilenet, mobilenet_v2
from lecture_lib.widgets import cost
from lecture_lib.widgets.cost import TABLES, TimeModel, chain_cost, cost_explorer, reward_explorer, scaled_network

MODEL = TimeModel(torch.tensor([0.02, 0.2, 0.5]), 0.1)


@pytest.mark.parametrize(
    ("name", "width", "depth", "side"),
    [("MobileNet", 0.25, 1.0, 97), ("MobileNetV2", 1.5, 0.5, 96), ("EfficientNet-Lite0", 0.75, 2.0, 65)],
)
def test_shapes_alone_give_the_cost_of_a_forward_pass(name, width, depth, side):
    network = scaled_network(name, width, depth)
    assert chain_cost(network, side) == count_cost(network, (3, side, side))


@pytest.mark.parametrize(("name", "build"), [("MobileNet", mobilenet), ("MobileNetV2", mobilenet_v2)])
@pytest.mark.parametrize("width", [0.5, 1.0, 1.5])
def test_networks_are_the_library_s(name, build, width):
    assert chain_cost(scaled_network(name, width), 224) == chain_cost(build(width), 224)


def test_work_splits_the_multiply_adds():
    network, counted = cost.scaled_cost("MobileNet", 1.0, 1.0, 224)
    ordinary, depthwise, written = cost.work(network, counted).tolist()
    assert ordinary + depthwise == pytest.approx(counted.multiply_adds / 1e6)
    assert 0.02 < depthwise / ordinary < 0.05  # table 2 of the paper: 3 % of the multiply-adds are depthwise
    assert written > 0
    assert MODEL.milliseconds(network, counted) == pytest.approx(0.02 * ordinary + 0.2 * depthwise + 0.5 * written)


def test_time_model_recovers_rates_that_made_the_times(monkeypatch):
    def fake(network, input_size, **_):
        return Latency(MODEL.milliseconds(network, chain_cost(network, input_size[1])), 0.0)

    monkeypatch.setattr(cost, "measure_latency", fake)
    fitted = cost.fit_time_model()
    torch.testing.assert_close(fitted.rates, MODEL.rates, rtol=1e-3, atol=1e-4)
    assert fitted.error < 1e-3


@pytest.mark.parametrize("name", list(TABLES))
def test_every_setting_fits_the_picture(name):
    explorer = cost_explorer(MODEL)
    network, width, resolution, depth, canvas = explorer.children
    network.value, width.value, resolution.value, depth.value = name, width.max, resolution.max, depth.max
    edges = re.findall(r'<rect x="([\d.]+)" y="([\d.-]+)" width="([\d.]+)"', canvas.value)
    assert max(float(x) + float(w) for x, _, w in edges) <= cost.WIDTH
    assert min(float(y) for _, y, _ in edges) >= 0
    texts = re.findall(r'<text x="([\d.]+)"[^>]*>([^<]*)<', canvas.value)
    assert max(float(x) + 9 * len(text) for x, text in texts) <= cost.WIDTH  # bold 14 px takes less than 9 px a letter
    assert "e+" not in canvas.value


def test_moving_a_slider_changes_the_numbers():
    explorer = cost_explorer(MODEL)
    _, width, resolution, _, canvas = explorer.children
    label = re.search('aria-label="([^"]*)"', canvas.value).group(1)
    assert label.startswith("multiply-adds 569 million, parameters 4.23 million")
    width.value = 0.5
    halved = re.search('aria-label="([^"]*)"', canvas.value).group(1)
    assert halved.startswith("multiply-adds 149 million, parameters 1.33 million")
    resolution.value = 160
    assert "multiply-adds 76.5 million, parameters 1.33 million" in canvas.value


def test_rewards_are_ranked():
    explorer = reward_explorer({"slow": 72.0, "fast <1>": 60.0}, {"slow": 40.0, "fast <1>": 10.0})
    weight, target, canvas = explorer.children
    assert 'aria-label="best reward: slow' in canvas.value
    assert "<1>" not in canvas.value
    target.value = 40
    assert "72.0 = 72.0 % at 40.0 ms" in canvas.value
    weight.value = -1
    assert 'aria-label="best reward: fast' in canvas.value
