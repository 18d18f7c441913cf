from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import same_color
from torch import nn

from lecture_lib.boxes import BoxCoder
from lecture_lib.detectors import fast_rcnn
from lecture_lib.matching import IoURule, SampleRule
from lecture_lib.plotting import fast_rcnn as figures
from lecture_lib.plotting import fast_rcnn_training as training
from lecture_lib.plotting.style import IGNORED, MUTED, NEGATIVE, ORANGE, POSITIVE
from lecture_lib.pooling import bins, pool_bins, rounded_windows
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.examples import Examples
from lecture_lib.training.joint import JointTraining, multi_task_loss
from lecture_lib.training.loop import Step
from lecture_lib.voc import VOCDataset
from tests.drawn import texts, titles
from tests.tiny import tiny_backbone

SIZE = (60, 80)


pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def feature_map():
    """No two values are equal, so that every bin has one winner."""
    values = torch.randperm(2 * 15 * 20, generator=torch.Generator().manual_seed(0)).float()
    return FeatureMap(values.view(2, 15, 20), (4.0, 4.0), SIZE)


@pytest.fixture
def box():
    return torch.tensor([9.0, 7, 50, 47])


def test_windows_of_no_box_are_none(feature_map):
    assert [w.shape for w in figures.both_windows(feature_map, torch.zeros(0, 4)).values()] == [(0, 4), (0, 4)]


def test_the_two_rules_differ_where_a_corner_is_near_the_next_cell(feature_map):
    boxes = torch.tensor([[9.0, 7, 50, 47], [7.0, 7, 33, 33]])
    windows = figures.both_windows(feature_map, boxes)
    assert windows["SPPnet"].tolist() == [[3, 2, 12, 11], [2, 2, 8, 8]]
    assert windows["Fast R-CNN"].tolist() == [[2, 2, 13, 12], [2, 2, 8, 8]]


def test_rounding_says_how_many_cells_each_rule_takes(feature_map, box):
    figure = figures.show_rounding(feature_map, box, (2, 3))
    assert titles(figure) == ["SPPnet: 10 × 10 cells in 3 × 2 bins", "Fast R-CNN: 12 × 11 cells in 3 × 2 bins"]
    assert all((len(axes.patches), len(axes.lines)) == (2, 2 + 3) for axes in figure.axes)
    across = [line.get_xdata() for line in figure.axes[1].lines[:3]]
    assert [(round(a + 0.4), round(b + 0.6)) for a, b in across] == [(2, 6), (6, 10), (10, 14)]


def test_the_gradient_counts_the_bins_that_a_cell_wins(feature_map, box):
    grid = (4, 3)
    counted = torch.zeros_like(feature_map.tensor)
    windows = rounded_windows(torch.stack([box, box]), feature_map.stride)
    for row in bins(windows, *grid).flatten(0, 2):
        x1, y1, x2, y2 = row.tolist()
        for c in range(2):
            greatest = feature_map.tensor[c, y1:y2, x1:x2].max()
            counted[c][feature_map.tensor[c] == greatest] += 1
    found = figures.pooling_gradient(feature_map, torch.stack([box, box]), grid)
    assert torch.equal(found, counted)
    assert found.sum() == 2 * 2 * 12
    assert not figures.pooling_gradient(feature_map, torch.zeros(0, 4)).any()
    assert torch.equal(
        pool_bins(feature_map.tensor, bins(windows[:1], *grid))[0].flatten(1).amax(1),
        feature_map.tensor[:, 2:13, 2:14].amax((1, 2)),
    )


def test_the_gradient_figure_numbers_the_winners(feature_map, box):
    gradient = figures.pooling_gradient(feature_map, box[None], (4, 3))[1]
    left, right = figures.show_gradient(feature_map, box, 1, (4, 3)).axes
    assert sum(map(int, texts(left))) == 12
    assert len(texts(left)) == int((gradient > 0).sum())
    assert left.get_title(loc="left").startswith(f"channel 1, cells that win: {len(texts(left))};")
    assert float(right.images[0].get_array().sum()) == pytest.approx(12)


def test_losses_are_drawn_with_their_own_derivatives():
    left, right = training.loss_shapes().axes
    for loss, slope in zip(left.lines, right.lines, strict=True):
        x, y = (torch.as_tensor(v) for v in loss.get_data())
        numeric = (y[2:] - y[:-2]) / (x[2:] - x[:-2])
        smooth = (x[1:-1].abs() > 0.05).nonzero().flatten()  # L1 has a corner at 0
        assert torch.allclose(numeric[smooth], torch.as_tensor(slope.get_ydata())[1:-1][smooth], atol=0.03)
    assert sorted(texts(left)) == ["L1", "L2: ½x²", "smooth L1"]


def test_an_outlier_has_a_bounded_share_of_smooth_l1_only():
    errors = torch.tensor([0.5, -0.5, 9.0, 0.5, 0.5])
    shares = training.gradient_shares(errors)
    assert shares["L2"].tolist() == pytest.approx([9 / 11, 9.5 / 11, 10 / 11, 10.5 / 11, 1])
    assert shares["smooth L1"].tolist() == pytest.approx([1 / 3, 1.5 / 3, 2 / 3, 2.5 / 3, 1])
    axes = training.show_shares(errors, at=0.2).axes[0]
    assert axes.get_title(loc="left") == "The largest 20% of the errors: 82% with L2, 33% with smooth L1"
    assert texts(axes) == ["L2", "smooth L1"]


def test_normalised_targets_have_zero_mean_and_unit_variance():
    deltas = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.05
    coder = BoxCoder(tuple(deltas.mean(0).tolist()), tuple(deltas.std(0).tolist()))
    said = titles(training.target_histograms(deltas, coder))
    assert [text.partition("± ")[2] for text in said[:4]] == [f"{spread:.2f}" for spread in deltas.std(0).tolist()]
    assert {text.partition(": ")[2] for text in said[4:]} == {"+0.00 ± 1.00"}


def test_the_table_adds_up_to_the_loss():
    logits, deltas = torch.tensor([[2.0, 1, 0], [0, 3, 0]]), torch.ones(2, 2, 4)
    labels, targets = torch.tensor([0, 2]), torch.tensor([[9.0] * 4, [1, 1, 1, 3]])
    _, _, first, second = training.loss_table(logits, deltas, labels, targets, ("red", "green")).splitlines()
    assert "| background | 0.665 | 0.408 | 0 (background) | **0.408** |" in first
    whole = sum(float(v) for v in multi_task_loss(logits, deltas, labels, targets, 1.0).values())
    assert "| green | " in second
    assert "| 1.500 | " in second
    assert 0.408 + float(second.split("**")[1]) == pytest.approx(whole, abs=2e-3)
    assert len(training.loss_table(logits[:0], deltas[:0], labels[:0], targets[:0], ()).splitlines()) == 2


def test_every_region_is_in_one_band():
    overlaps = torch.tensor([0.0, 0.05, 0.1, 0.3, 0.49, 0.5, 0.9])
    axes = training.iou_bands(overlaps, IoURule(0.5, (0.1, 0.5))).axes[0]
    assert texts(axes) == ["2\nnever drawn", "3\nbackground", "2\nforeground"]
    heights = {c: sum(p.get_height() for p in axes.patches if same_color(p.get_facecolor(), c)) for c in COLORS}
    assert heights == {IGNORED: 2, NEGATIVE: 3, POSITIVE: 2}


COLORS = (IGNORED, NEGATIVE, POSITIVE)


def test_a_mini_batch_is_counted_and_coloured(image):
    boxes = torch.tensor([[0.0, 0, 5, 5], [1, 1, 9, 9], [2, 2, 9, 9]])
    figure = training.mini_batch([image, image], [boxes, boxes[:0]], [torch.tensor([2, 0, 0]), torch.zeros(0).long()])
    assert titles(figure) == ["1 foreground, 2 background", "0 foreground, 0 background"]
    drawn = [p.get_edgecolor()[:3] for p in figure.axes[0].patches]
    assert [sum(same_color(c, color) for c in drawn) for color in (POSITIVE, NEGATIVE)] == [1, 2]


def steps(count: int, total: int = 4):
    for number in range(1, count + 1):
        parts = {"classification": 1.0 / number, "localisation": 0.1}
        yield Step(number, total, sum(parts.values()), parts, 0.1, 0.0)


def test_a_live_training_keeps_both_terms_of_every_step():
    live = training.LiveParts()
    live.follow(steps(4))
    assert live.parts == {"classification": [1.0, 0.5, 1 / 3, 0.25], "localisation": [0.1] * 4}
    assert not live.interrupted
    training.LiveParts().follow([])
    assert plt.get_fignums() == []


def test_an_interrupted_training_keeps_what_it_has_and_closes_the_generator(monkeypatch):
    screens, ended = [], []

    class Screen:
        def update(self, figure):
            screens.append([axes.get_title(loc="left") for axes in figure.axes])

    def interrupted():
        try:
            yield from steps(2)
            raise KeyboardInterrupt
        finally:
            ended.append(True)

    monkeypatch.setattr(training, "display_area", Screen)
    live = training.LiveParts()
    live.follow(interrupted())
    assert live.interrupted
    assert ended == [True]
    assert live.parts["classification"] == [1.0, 0.5]
    assert screens[-1] == ["classification: 0.750 after 2 of 4", "localisation: 0.100 after 2 of 4"]
    assert plt.get_fignums() == []  # closed, so that the cell does not show it a second time


def test_the_trend_is_the_mean_of_the_last_steps():
    axes = training.part_curves({"classification": [4.0, 2.0, 6.0]}, 3, smooth=2).axes[0]
    assert list(axes.lines[0].get_ydata()) == [4, 2, 6]
    assert list(axes.lines[1].get_ydata()) == [4, 3, 4]


def test_stages_before_the_first_trained_are_frozen():
    trunk = nn.Sequential()
    for name, width in (("stem", 1), ("stage1", 2), ("stage2", 3)):
        trunk.add_module(name, nn.Linear(width, 1, bias=False))
    for first, frozen in (("stage1", 1), (None, 3), ("stem", 0), ("all", 0)):
        axes = training.trained_stages(trunk, first).axes[0]
        colors = [p.get_facecolor() for p in axes.patches]
        assert [same_color(c, MUTED) for c in colors] == [True] * frozen + [False] * (3 - frozen)
        assert all(same_color(c, ORANGE) for c in colors[frozen:])
        assert [p.get_width() for p in axes.patches] == [1, 2, 3]
        assert all(p.requires_grad for p in trunk.parameters())  # drawn, not done


def test_kept_share_of_a_layer_of_rank_one_is_all():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2, 3], [2, 4, 6]]))
    assert figures.kept_share(layer).tolist() == pytest.approx([1, 1])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0, 0], [0, 4, 0]]))
    assert figures.kept_share(layer).tolist() == pytest.approx([16 / 25, 1])
    axes = figures.show_kept({"fc6": (layer, nn.Linear(3, 2))}).axes[0]
    assert [(line.get_label(), line.get_linestyle()) for line in axes.lines] == [
        ("fc6, trained", "-"),
        ("fc6, random", "--"),
    ]


def test_ranks_are_drawn_for_every_deal_and_their_mean():
    rows = [
        {"rank": r, "map": m, "ms": t, "weights": 9} for r, m, t in ((None, 0.8, 20.0), (64, 0.7, 4.0), (16, 0.4, 2.0))
    ]
    other = [dict(row, map=row["map"] + 0.1) for row in rows]
    left, right = figures.rank_curves([{"svd": rows}, {"svd": other}], {None: 30.0, 16: 3.0, 64: 5.0}).axes
    lines = [list(line.get_ydata()) for line in left.lines]
    assert lines[0] == pytest.approx([0.45, 0.75])
    assert lines[1] == pytest.approx([0.85, 0.85])
    assert lines[2] == [0.4, 0.7]
    assert texts(left) == ["not cut: 0.850"]
    assert texts(right) == ["not cut: 20"]
    assert [list(line.get_ydata()) for line in right.lines] == [[2, 4], [20, 20], [3, 5], [30, 30]]
    figures.rank_curves([{"svd": rows}])


def test_a_difference_is_said_with_its_base_and_its_verdict():
    deals = [
        {"variants": {"fast_rcnn": 0.7, "frozen trunk": 0.6}},
        {"variants": {"fast_rcnn": 0.72, "frozen trunk": 0.6}},
    ]
    assert figures.difference(deals, "frozen trunk") == (
        "frozen trunk: mAP **0.600**, Fast R-CNN: **0.710**. Difference -0.110 ± 0.014, more than the deviation."
    )
    deals[1]["variants"]["frozen trunk"] = 0.83
    assert "no effect beyond the deviation" in figures.difference(deals, "frozen trunk")


def test_sampled_regions_are_features_classes_and_targets_of_the_same_rows(image):
    class Pictures(VOCDataset):
        def __init__(self):
            pass

        def image(self, i):
            return image

    target = Target(
        torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55]]), torch.tensor([1, 2]), torch.zeros(2).bool(), None, SIZE
    )
    proposals = Proposals(torch.tensor([[12.0, 10, 32, 30], [25, 10, 45, 30], [0, 40, 5, 45]]), None, SIZE)
    detector = fast_rcnn(("red", "green"), tiny_backbone(), torch.Generator().manual_seed(0), scales=(60,))
    settings = replace(JointTraining(), regions=SampleRule(4, 0.75))
    examples = Examples(Pictures(), [proposals] * 2, [target] * 2)
    features, labels, goals = training.sampled_regions(detector, examples, [0, 1], settings)
    assert labels.tolist().count(0) == 2  # the one box with an IoU of 1/7 in both images; that of 0 is never drawn
    assert labels.tolist().count(1) == 4
    assert labels.tolist().count(2) == 2
    assert (len(features), goals.shape) == (8, (8, 4))
    assert goals[labels != 1].abs().max() == 0
    assert sorted(goals[labels == 1, 0].tolist()) == pytest.approx([-0.1, -0.1, 0, 0])
    own = detector.features(detector.encode(image), Proposals(target.boxes[1:], None, SIZE)).fc7[0]
    assert torch.allclose(features.fc7[labels == 2], own.expand(2, -1), atol=1e-6)
