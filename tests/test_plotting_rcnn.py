import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import same_color, to_rgba
from matplotlib.patches import FancyBboxPatch
from torch import nn

from lecture_lib.backbones import Backbone, Stages
from lecture_lib.boxes import BoxCoder, nms_steps
from lecture_lib.detectors import SLOTS, rcnn
from lecture_lib.plotting import rcnn as figures
from lecture_lib.plotting import rcnn_results, rcnn_training
from lecture_lib.plotting.style import (
    BLUE,
    DETECTION,
    GREEN,
    GROUND_TRUTH,
    IGNORED,
    MUTED,
    NEGATIVE,
    POSITIVE,
    PROPOSAL,
    RED,
)
from lecture_lib.pooling import WarpRegions
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.loop import Step
from lecture_lib.training.regions import LabelledRegions
from lecture_lib.training.ridge import RegressionPairs
from lecture_lib.training.svm import MiningStep

SIZE = (60, 80)
NO_BOX = torch.zeros(0, 4)


pytestmark = pytest.mark.usefixtures("style")


def tiny_backbone() -> Backbone:
    """Pixels averaged to a 2x2 grid, then fully connected layers that insist on it."""
    conv = nn.Conv2d(3, 2, 4, stride=4, bias=False)
    tail = Stages()
    for name, layer in (("flatten", nn.Flatten()), ("fc7", nn.Linear(8, 5)), ("classifier", nn.Linear(5, 10))):
        tail.add_module(name, layer)
    trunk = Stages()
    trunk.add_module("conv", conv)
    return Backbone(trunk, tail, stride=4, channels=2, first_cell=2.0, input_size=8, grid=(2, 2)).eval()


@pytest.fixture
def detector():
    return rcnn(("red", "green"), tiny_backbone(), torch.Generator().manual_seed(0))


@pytest.fixture
def regions():
    """Three regions of two images; the last one is of the first image again."""
    boxes = torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55], [0, 0, 8, 8]])
    return LabelledRegions(boxes, torch.tensor([1, 2, 0]), torch.tensor([0, 1, 0]))


def boxes_of(axes, color: str) -> list[tuple[float, ...]]:
    """Corners of the boxes that were drawn on axes in a colour."""
    drawn = [p for p in axes.patches if same_color(p.get_edgecolor()[:3], color)]
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in drawn]


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") or axes.get_title(loc="center") for axes in figure.axes]


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_nothing_is_drawn_of_nothing(image):
    assert len(figures.show_warps(image, NO_BOX, torch.zeros(0, 3, 8, 8)).axes) == 1
    assert figures.warp_and_back(image, NO_BOX, 8) == []
    assert len(figures.stretch(NO_BOX)) == 0
    figures.lost_by_warping(image, NO_BOX, 8)
    moved = figures.moved_boxes(image, NO_BOX, NO_BOX, Target.empty(SIZE))
    assert all(not axes.patches for axes in moved.axes)
    strip = figures.suppression_strip(image, NO_BOX, torch.zeros(0), [])
    assert titles(strip) == ["Before: 0 boxes"]
    labels = figures.show_labels(image, {"rule": (NO_BOX, torch.zeros(0, dtype=torch.long))})
    assert titles(labels) == ["rule\n0 positive, 0 ignored, 0 background"]


def test_slots_are_read_from_the_detector(detector):
    axes = figures.slots(detector, now=("pool",)).axes[0]
    written = [text for text in texts(axes) if text]  # the arrows are empty texts
    assert written[0::4] == list(SLOTS)
    assert {"WholeImage", "SearchImage", "WarpRegions", "WholeCNN", "RegionHead", "decode"} <= set(written)
    assert f"{sum(p.numel() for p in detector.embed.parameters())} weights" in written
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert [same_color(box.get_facecolor(), BLUE) for box in boxes] == [name == "pool" for name in SLOTS]


def test_another_filling_is_another_drawing(detector):
    def my_search(image, maps):
        return Proposals.empty(SIZE)

    assert "my_search" in texts(figures.slots(replace(detector, propose=my_search)).axes[0])


def test_warps_stand_beside_their_boxes(image, target):
    squares = WarpRegions(16, 2.0)((FeatureMap(image, (1.0, 1.0), SIZE),), Proposals(target.boxes, None, SIZE))
    figure = figures.show_warps(image, target.boxes, squares)
    assert titles(figure) == ["Proposals", "1: 20 × 20", "2: 30 × 25"]
    assert texts(figure.axes[0]) == ["1", "2"]
    assert np.allclose(figure.axes[1].images[0].get_array(), squares[0].permute(1, 2, 0))


def test_map_sizes_are_those_of_the_network():
    sizes = figures.map_sizes(tiny_backbone(), [(8, 8), (16, 12)])
    assert sizes == {(8, 8): (2, 2), (16, 12): (4, 3)}


def test_a_map_is_green_only_where_the_layers_behind_can_read_it():
    axes = figures.show_map_sizes({(8, 8): (2, 2), (16, 12): (4, 3)}, wanted=(2, 2)).axes[0]
    assert texts(axes) == ["8 × 8\npixels", "2 × 2 cells ✓", "12 × 16\npixels", "3 × 4 cells ✗"]
    for color, cells in ((GREEN, 4), (RED, 12)):
        filled = [p for p in axes.patches if same_color(p.get_facecolor()[:3], color)]
        assert len(filled) == cells


def test_stretch_is_how_far_from_square():
    assert figures.stretch(torch.tensor([[0.0, 0, 10, 10], [0, 0, 30, 10], [5, 5, 10, 25]])).tolist() == [1, 3, 4]


def test_a_flat_region_survives_warping_and_a_fine_pattern_does_not():
    stripes = torch.zeros(3, 64, 64)
    stripes[:, :, ::2] = 1
    flat = torch.full((3, 64, 64), 0.3)
    box = torch.tensor([[0.0, 0, 64, 32]])
    ((region, warped, back),) = figures.warp_and_back(flat, box, 16)
    assert [tuple(part.shape) for part in (region, warped, back)] == [(3, 32, 64), (3, 16, 16), (3, 32, 64)]
    assert torch.allclose(region, back, atol=1e-6)
    ((region, _, back),) = figures.warp_and_back(stripes, box, 16)
    assert (region - back).abs().mean() > 0.3


def test_lost_by_warping_says_shape_stretch_and_error(image):
    figure = figures.lost_by_warping(image, torch.tensor([[0.0, 0, 60, 20], [10, 10, 30, 30]]), 16)
    assert [t for axes in figure.axes[:3] for t in texts(axes)] == ["region", "warped to 16 × 16", "warped back"]
    said = titles(figure)[3:]
    assert said[0::3] == ["60 × 20", "20 × 20"]
    assert said[1::3] == ["stretched 3.0 to 1", "stretched 1.0 to 1"]
    assert all(text.startswith("mean error 0.") for text in said[2::3])


def test_labels_are_counted_and_coloured(image):
    boxes = torch.tensor([[0.0, 0, 5, 5], [1, 1, 9, 9], [2, 2, 9, 9], [3, 3, 9, 9]])
    (axes,) = figures.show_labels(image, {"rule": (boxes, torch.tensor([2, -1, 0, 0]))}).axes
    assert axes.get_title(loc="left") == "rule\n1 positive, 1 ignored, 2 background"
    assert boxes_of(axes, POSITIVE) == [(0, 0, 5, 5)]
    assert boxes_of(axes, IGNORED) == [(1, 1, 9, 9)]
    assert boxes_of(axes, NEGATIVE) == [(2, 2, 9, 9), (3, 3, 9, 9)]


def test_of_many_background_boxes_some_are_drawn_and_all_counted(image):
    boxes = torch.tensor([[0.0, 0, 5, 5]]).repeat(1000, 1)
    (axes,) = figures.show_labels(image, {"rule": (boxes, torch.zeros(1000, dtype=torch.long))}).axes
    assert "1,000 background" in axes.get_title(loc="left")
    assert 0 < len(boxes_of(axes, NEGATIVE)) <= figures.NEGATIVES


def test_a_moved_box_is_shown_with_its_object_and_both_overlaps(image, target):
    before, after = torch.tensor([[10.0, 10, 30, 20]]), torch.tensor([[10.0, 10, 30, 30]])
    (axes,) = figures.moved_boxes(image, before, after, target, ["red 0.5"]).axes
    assert axes.get_title(loc="left") == "red 0.5\nIoU 0.50 → 1.00"
    assert boxes_of(axes, PROPOSAL) == [(10, 10, 30, 20)]
    assert boxes_of(axes, DETECTION) == [(10, 10, 30, 30)]
    assert boxes_of(axes, GROUND_TRUTH) == [(10, 10, 30, 30)]


def test_without_ground_truth_a_move_has_no_overlap(image):
    boxes = torch.tensor([[10.0, 10, 30, 20]])
    (axes,) = figures.moved_boxes(image, boxes, boxes + 2, Target.empty(SIZE), ["red"]).axes
    assert axes.get_title(loc="left") == "red"
    assert boxes_of(axes, GROUND_TRUTH) == []


def test_suppression_is_drawn_round_by_round(image):
    boxes = torch.tensor([[10.0, 10, 30, 30], [11, 10, 31, 30], [45, 30, 75, 55]])
    scores = torch.tensor([0.5, 0.9, 0.3])
    figure = figures.suppression_strip(image, boxes, scores, list(nms_steps(boxes, scores, 0.3)))
    assert titles(figure) == ["Before: 3 boxes", "Round 1: 1 rejected, 1 wait", "Round 2: 0 rejected, 0 wait"]
    before, first, second = figure.axes
    assert len(boxes_of(before, PROPOSAL)) == 3
    assert boxes_of(first, RED) == [(10, 10, 30, 30)]
    assert boxes_of(first, DETECTION) == [(11, 10, 31, 30)]
    assert boxes_of(first, PROPOSAL) == [(45, 30, 75, 55)]
    assert sorted(boxes_of(second, DETECTION)) == [(11, 10, 31, 30), (45, 30, 75, 55)]
    assert texts(first) == ["kept 0.90"]


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


def test_precision_says_mean_and_deviation():
    one, three = rcnn_results.precision_bars({"live": {"SVM": [0.5]}, "full": {"SVM": [0.5, 0.6, 0.7]}}).axes
    assert texts(one) == ["0.500"]
    assert texts(three) == ["0.600 ± 0.100"]


def test_seconds_of_the_slots_add_up():
    axes = rcnn_results.slot_seconds({"a": {"propose": 1.0, "embed": 3.0}, "b": {"embed": 8.0}}).axes[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1), (1, 3), (0, 0), (0, 8)]
    assert {"4 s", "8 s", "embed 8 s"} <= set(texts(axes))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["propose 1 s", "embed 8 s"]
    alone = rcnn_results.slot_seconds({"a": {"encode": 2.0, "propose": 1.0, "embed": 3.0}}).axes[0]
    assert [bar.get_facecolor() for bar in alone.patches[1:]] == [bar.get_facecolor() for bar in axes.patches[:2]]


def test_seconds_are_set_against_what_was_said():
    axes = rcnn_results.seconds_bars([("ours", 5.0), ("AlexNet", 60.0)], ("said", 40.0)).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [5.0, 60.0]
    assert axes.lines[0].get_xdata()[0] == 40
    assert axes.get_xlim()[1] > 60


def made_up(*deals: dict[str, float]) -> dict:
    return {"deals": [{"deal": i, "variants": variants} for i, variants in enumerate(deals)]}


RESULT = made_up(
    {"complete": 0.7, "softmax": 0.6, "no NMS": 0.71, "fine-tuned, SVM on pool5": 0.6, "lambda 1": 0.5},
    {"complete": 0.8, "softmax": 0.72, "no NMS": 0.79, "fine-tuned, SVM on pool5": 0.7, "lambda 1": 0.7},
)


def test_a_variant_is_read_from_every_deal():
    assert rcnn_results.variant(RESULT, "complete") == [0.7, 0.8]


def test_a_single_deal_has_no_effect():
    left = rcnn_results.ablation(made_up(RESULT["deals"][0]["variants"])).axes[0]
    assert [text for text in texts(left) if "no effect" not in text] == []


def test_the_ablation_greys_what_is_within_its_deviation():
    left, right = rcnn_results.ablation(RESULT).axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["softmax", "no NMS", "fine-tuned, SVM on pool5"]
    shown = {text.get_text(): text.get_color() for text in left.texts}
    assert shown == {"−0.090": BLUE, "+0.000  no effect": MUTED, "−0.100": BLUE}
    points = [container.lines[0] for container in right.containers]
    assert [(line.get_xdata()[0], round(line.get_ydata()[0], 3)) for line in points] == [(1.0, -0.15)]
    assert to_rgba(points[0].get_color()) == to_rgba(BLUE)


def test_a_difference_that_dwarfs_the_others_does_not_press_them_together():
    first = {"complete": 0.7, "softmax": 0.68, "no hard negatives": 0.69, "no NMS": 0.1}
    second = {"complete": 0.8, "softmax": 0.77, "no hard negatives": 0.78, "no NMS": 0.2}
    left = rcnn_results.ablation(made_up(first, second)).axes[0]
    assert [text.get_text() for text in left.texts] == ["−0.025", "−0.015", "−0.600  (off the scale)"]
    assert -0.08 < left.get_xlim()[0] < -0.05


def test_the_stored_result_is_read_from_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        rcnn_results.stored_result()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "rcnn.json").write_text('{"deals": []}')
    assert rcnn_results.stored_result() == {"deals": []}
