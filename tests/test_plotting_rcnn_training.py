import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import rcnn
from lecture_lib.plotting import rcnn_training
from lecture_lib.structures import Proposals
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import LabelledRegions
from lecture_lib.training.ridge import RegressionPairs
from lecture_lib.training.svm import MiningStep
from tests.drawn import texts
from tests.tiny import tiny_backbone

SIZE = (60, 80)


pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def detector():
    return rcnn(("red", "green"), tiny_backbone(), torch.Generator().manual_seed(0))


@pytest.fixture
def regions():
    """Three regions of two images; the last one is of the first image again."""
    boxes = torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55], [0, 0, 8, 8]])
    return LabelledRegions(boxes, torch.tensor([1, 2, 0]), torch.tensor([0, 1, 0]))


def test_live_losses_runs_the_training_to_its_end_and_keeps_every_loss():
    ran = []

    def training():
        for number in range(1, 4):
            ran.append(number)
            yield Step(number, 3, 1.0 / number, {}, 0.1, 10.0**number)

    live = rcnn_training.LiveLosses()
    live.follow("a", training())
    live.follow("none", [])
    assert live.runs == {"a": [1.0, 0.5, 1 / 3], "none": []}
    assert live.step_seconds == {"a": 100.0}
    assert ran == [1, 2, 3]
    assert plt.get_fignums() == []


def test_live_losses_are_drawn_over_the_runs_before(monkeypatch):
    drawn = []

    class Screen:
        def update(self, figure):
            drawn.append([list(line.get_ydata()) for line in figure.axes[0].lines])

    monkeypatch.setattr(rcnn_training, "display_area", Screen)
    earlier = {"a": [8.0, 6.0]}
    live = rcnn_training.LiveLosses(earlier)
    live.follow("b", [Step(1, 2, 4.0, {}, 0.1, 0.0), Step(2, 2, 2.0, {}, 0.1, 0.0)])
    assert drawn[-1] == [[8.0, 6.0], [4.0, 2.0]]
    assert earlier == {"a": [8.0, 6.0]}
    assert plt.get_fignums() == []  # closed, so that the cell does not show it a second time


def test_losses_are_named_at_their_ends():
    axes = rcnn_training.loss_curves({"slow": [3.0, 1.0], "fast": [3.0, 30.0]}, steps=2).axes[0]
    assert sorted(texts(axes)) == ["fast", "slow"]
    assert axes.get_yscale() == "log"


def test_squares_come_in_the_order_of_the_rows(detector, image, regions):
    other = image.flip(2)
    rows = torch.tensor([1, 2, 0])
    squares = rcnn_training.region_squares(detector, regions, [image, other], rows)
    for row, square in zip(rows.tolist(), squares, strict=True):
        picture = [image, other][int(regions.image[row])]
        expected = detector.pool(detector.encode(picture), Proposals(regions.boxes[row : row + 1], None, SIZE))[0]
        assert torch.equal(square, expected)
    assert rcnn_training.region_squares(detector, regions, [image], torch.zeros(0, dtype=torch.long)) == []


def test_logits_are_those_of_the_network_on_the_warped_regions(detector, image, regions):
    pixels, rows = [image, image.flip(2)], torch.tensor([1, 2, 0])
    logits, labels = rcnn_training.region_logits(detector, regions, pixels, rows)
    by_image = torch.tensor([2, 0, 1])
    squares = torch.stack(rcnn_training.region_squares(detector, regions, pixels, by_image))
    with torch.no_grad():
        assert torch.allclose(logits, detector.embed.backbone(squares), atol=1e-6)
    assert labels.tolist() == [0, 1, 2]


def test_judging_tells_objects_from_background():
    logits = torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    found = rcnn_training.judge_logits(logits, torch.tensor([0, 1, 1, 2]))
    assert found["background named rightly"] == 1
    assert found["objects named rightly"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(9 / 4, abs=0.01)


def test_distance_is_relative_to_the_length_of_the_weights():
    before, now = nn.Linear(2, 1), nn.Linear(2, 1)
    with torch.no_grad():
        for layer, weight in ((before, [3.0, 0.0]), (now, [3.0, 6.0])):
            layer.weight.copy_(torch.tensor([weight]))
            layer.bias.fill_(4.0)
    assert rcnn_training.distance_moved(before, before) == 0
    assert rcnn_training.distance_moved(now, before) == pytest.approx(6 / 5)


def test_clobbered_has_a_row_for_each_run():
    judged = {"slow": {"objects named rightly": 0.5, "background named rightly": 0.9}}
    judged["fast"] = {"objects named rightly": 0.0, "background named rightly": 1.0}
    left, right = rcnn_training.clobbered(judged, {"slow": 0.01, "fast": 0.8}).axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["slow", "fast"]
    assert [bar.get_width() for bar in left.patches] == [0.5, 0.0, 0.9, 1.0]
    assert texts(right) == ["1.0%", "80.0%"]


def test_counts_carry_their_numbers():
    axes = rcnn_training.count_bars([("few", 7.6), ("many", 491_000)]).axes[0]
    assert texts(axes) == ["8", "491,000"]
    assert [bar.get_width() for bar in axes.patches] == [7.6, 491_000]
    assert axes.get_xlabel() == "logarithmic scale"
    linear = rcnn_training.count_bars([("few", 2), ("many", 100)], scale="linear", title="passes").axes[0]
    assert linear.get_xlabel() == ""
    assert (linear.get_xscale(), linear.get_xlim()[0]) == ("linear", 0)
    grouped = rcnn_training.class_counts({"a": [1, 20], "b": [300, 4000]}, ("red", "green")).axes[0]
    assert [bar.get_height() for bar in grouped.patches] == [1, 20, 300, 4000]
    assert texts(grouped) == ["1", "20", "300", "4,000"]


def test_shares_add_up_to_one():
    axes = rcnn_training.share_bars({"all": (6, 94), "batch": (32, 96)}).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.06, 0.94, 0.25, 0.75])
    assert texts(axes) == ["6% positive", "94% background", "25% positive", "75% background"]


def test_a_class_without_an_example_can_be_drawn():
    grouped = rcnn_training.class_counts({"a": [0, 20]}, ("red", "green")).axes[0]
    assert texts(grouped) == ["0", "20"]
    assert all(math.isfinite(limit) for limit in grouped.get_ylim())


def test_mining_draws_a_line_for_each_class():
    steps = [MiningStep(0, (0, 0), (200, 200)), MiningStep(10, (5, 9), (150, 160))]
    left, right = rcnn_training.mining_rounds(steps, ("red", "green")).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[0, 5], [0, 9]]
    assert [list(line.get_ydata()) for line in right.lines] == [[200, 150], [200, 160]]
    assert sorted(texts(right)) == ["green", "red"]


def test_few_samples_and_lambda_draw_what_they_are_given():
    axes = rcnn_training.few_samples({"SVMs": {1: 0.2, 20: 0.6}}, "mAP").axes[0]
    assert list(axes.lines[0].get_ydata()) == [0.2, 0.6]
    axes = rcnn_training.ridge_curves({"pool5": {1.0: 0.5, 1000.0: 0.8}, "fc7": {1.0: 0.4}}, before=0.7).axes[0]
    assert [list(line.get_ydata())[:2] for line in axes.lines] == [[0.5, 0.8], [0.4], [0.7, 0.7]]
    assert sorted(texts(axes)) == ["before regression", "fc7", "pool5"]


def test_overlap_is_one_for_a_regressor_that_knows_the_deltas():
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 30]])
    objects = torch.tensor([[2.0, 0, 12, 10], [20, 22, 44, 34]])
    pairs = RegressionPairs(torch.arange(2), torch.tensor([2, 1]), BoxCoder().encode(boxes, objects))
    layer = nn.Linear(2, 8)  # two classes; the features say which pair it is
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[4:, 0], layer.weight[:4, 1] = pairs.deltas[0], pairs.deltas[1]
    before, after = rcnn_training.overlap_moved(layer, torch.eye(2), boxes, pairs)
    assert before == pytest.approx((80 / 120 + 160 / (200 + 288 - 160)) / 2, abs=1e-4)
    assert after == pytest.approx(1, abs=1e-5)
