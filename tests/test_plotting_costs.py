"""lecture_lib.plotting.costs: bars and curves carry the numbers they are given."""

import matplotlib.pyplot as plt
import pytest
import torch

from lecture_lib.mobile import Cost, Latency
from lecture_lib.plotting import costs
from tests.drawn import texts


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def measured(multiply_adds: int, milliseconds: float, parameters: int = 1000) -> tuple[Cost, Latency]:
    return Cost(multiply_adds, parameters, ()), Latency(milliseconds, 0.1)


def test_no_network_is_ranked_wrongly_among_none_or_one():
    assert costs.worst_ranked([]) == (0, 0)
    assert costs.worst_ranked([measured(5, 1.0)]) == (0, 0)


def test_worst_ranked_finds_the_largest_contradiction():
    fair = [measured(10, 1.0), measured(20, 2.0), measured(30, 2.9)]
    assert costs.worst_ranked(fair) == (0, 0)
    assert costs.worst_ranked([*fair, measured(15, 9.0), measured(25, 2.5)]) == (3, 2)
    assert costs.worst_ranked([measured(15, 9.0), measured(60, 8.0), measured(16, 8.0)]) == (0, 1)


def test_a_difference_within_the_noise_ranks_nothing_wrongly():
    noisy, steady = (Cost(10, 1, ()), Latency(9.0, 8.0)), measured(20, 2.0)
    assert costs.worst_ranked([noisy, steady]) == (0, 0)
    assert costs.worst_ranked([measured(10, 9.0), steady]) == (0, 1)


def test_costs_are_written_on_the_bars():
    figure = costs.show_costs({"a": measured(2_000_000, 3.0, 4_000), "b": measured(1_500_000, 0.25, 2_000_000)})
    assert [texts(axes) for axes in figure.axes] == [["2", "1.5"], ["4", "2,000"], ["3", "0.25"]]


def test_shares_are_of_the_row():
    figure = costs.show_shares({"work": {"depthwise": 1, "pointwise": 9}, "time": {"depthwise": 40, "pointwise": 60}})
    assert texts(figure.axes[0]) == ["10%", "depthwise", "pointwise 90%", "depthwise 40%", "pointwise 60%"]
    widths = [p.get_width() for p in figure.axes[0].patches]
    assert widths == pytest.approx([0.1, 0.9, 0.4, 0.6])


def test_multipliers_are_fractions_of_the_largest():
    figure = costs.show_multipliers({"width": {0.5: measured(25, 4.0, 30), 1.0: measured(100, 8.0, 100)}})
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert list(lines["multiply-adds"]) == [0.25, 1]
    assert list(lines["parameters"]) == [0.3, 1]
    assert list(lines["milliseconds"]) == [0.5, 1]


def test_manifold_draws_every_point():
    figure = costs.show_manifold({"input": torch.rand(2, 50), "back": torch.zeros(2, 50)})
    assert [len(axes.collections[1].get_offsets()) for axes in figure.axes] == [50, 50]


def test_manifold_draws_what_is_lost_apart():
    lost = {"back": torch.arange(50) < 20}
    figure = costs.show_manifold({"input": torch.rand(2, 50), "back": torch.rand(2, 50)}, lost)
    drawn = [[len(points.get_offsets()) for points in axes.collections] for axes in figure.axes]
    assert drawn == [[0, 50], [20, 30]]


def test_latencies_are_where_they_were_measured():
    axes = costs.show_latencies(
        [measured(2_000_000, 9.0), measured(4_000_000, 3.0)], {"V2": measured(10**6, 1.0)}
    ).axes[0]
    red = next(line for line in axes.lines if line.get_color() == costs.RED)
    assert (list(red.get_xdata()), list(red.get_ydata())) == ([2, 4], [9.0, 3.0])
    assert "V2" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_best_reward_is_marked():
    accuracy, milliseconds = {"slow": 72.0, "fast": 60.0}, {"slow": 40.0, "fast": 10.0}
    best = {}
    for weight in (-0.07, -1.0):
        axes = costs.show_rewards(accuracy, milliseconds, 20.0, weight).axes[0]
        best[weight] = [t.get_text() for t in axes.texts if t.get_color() == costs.RED]
    assert best == {-0.07: ["slow", "best reward"], -1.0: ["fast", "best reward"]}


def test_scaling_is_drawn_as_given():
    axes = costs.show_scaling({"depth": {1.0: 1.0, 2.0: 2.0}, "width": {1.0: 1.0, 2.0: 4.0}}).axes[0]
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2], [1, 4]]
    assert axes.get_xscale() == axes.get_yscale() == "log"
