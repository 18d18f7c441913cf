import itertools

import pytest
import torch

from lecture_lib.mobile import mnasnet_reward
from lecture_lib.plotting.blocks import block_costs
from lecture_lib.widgets.cost import TABLES, TimeModel, cost_explorer, scaled_cost
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

MODEL = TimeModel(torch.tensor([0.02, 0.2, 0.5]), 0.1)
COSTS = """({networks, rates, settings}) => settings.map(setting => {
    const cost = script.costOf(networks[setting.network], setting);
    return {...cost, ms: script.milliseconds(cost, rates)};
})"""
WIDTHS = [0.25, 0.3, 0.35, 0.55, 0.7, 0.85, 1.0, 1.15, 1.25]
SETTINGS = [
    {"network": network, "width": width, "depth": depth, "side": side}
    for network, width, depth, side in itertools.product(TABLES, WIDTHS, [0.5, 1.0, 1.25], [96, 208, 225])
]


def check_costs(evaluate, settings):
    inputs = cost_explorer(MODEL).state()["inputs"]
    for setting, got in zip(settings, evaluate(COSTS, inputs | {"settings": settings}), strict=True):
        network, cost = scaled_cost(setting["network"], setting["width"], setting["depth"], setting["side"])
        assert (got["multiplyAdds"], got["parameters"]) == (cost.multiply_adds, cost.parameters), setting
        blocks = [(b["stage"], b["side"], b["channels"], b["multiplyAdds"]) for b in got["blocks"]]
        assert blocks == block_costs(network, cost)
        assert got["ms"] == pytest.approx(MODEL.milliseconds(network, cost), rel=1e-5)


def test_costs_are_those_of_the_modules(javascript):
    check_costs(javascript("cost"), SETTINGS)


@pytest.mark.parametrize("sabotage", [("rounded < 0.9 * channels", "false"), ("weights + 2 * out", "weights + out")])
def test_a_wrong_count_would_be_seen(javascript, sabotage):
    evaluate = javascript("cost", sabotage)
    with pytest.raises(AssertionError):
        check_costs(evaluate, SETTINGS)


@pytest.mark.parametrize(
    "setting", [{"weight": -0.07, "target": 10}, {"weight": -1, "target": 37}, {"weight": 0, "target": 1}]
)
def test_rewards_are_ranked_as_mnasnet_does(javascript, setting):
    rivals = [{"name": n, "accuracy": a, "milliseconds": ms} for n, a, ms in (("a", 60.0, 10.0), ("b", 72.0, 40.0))]
    ranked = javascript("reward")("([rivals, setting]) => script.ranking(rivals, setting)", [rivals, setting])
    wanted = {r["name"]: mnasnet_reward(r["accuracy"], r["milliseconds"], **setting) for r in rivals}
    assert [r["name"] for r in ranked] == sorted(wanted, key=wanted.get, reverse=True)
    assert [r["reward"] for r in ranked] == pytest.approx(sorted(wanted.values(), reverse=True))
