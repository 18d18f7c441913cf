"""lecture_lib.widgets.cost: what the sliders show is what the modules cost."""

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


def test_what_the_browser_gets_and_the_still_picture():
    widget = cost_explorer(MODEL)
    state = widget.state()["inputs"]
    assert list(state["networks"]) == list(TABLES)
    assert state["rates"] == pytest.approx([0.02, 0.2, 0.5])
    assert "data:image/jpeg" in widget.html()


def test_rewards_are_for_the_same_networks(as_user):
    reward_explorer({"slow": 72.0, "fast <1>": 60.0}, {"slow": 40.0, "fast <1>": 10.0}).html()
    for accuracy in ({}, {"slow": 72.0}):
        with pytest.raises(ValueError, match="reward: give both for the same networks"):
            reward_explorer(accuracy, {"slow": 40.0, "fast": 10.0})
