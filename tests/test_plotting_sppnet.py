from dataclasses import replace

import pytest
import torch
from matplotlib.colors import same_color
from torch import nn

from lecture_lib.detectors import sppnet
from lecture_lib.encoders import ConvTrunk
from lecture_lib.plotting import ratios
from lecture_lib.plotting import sppnet as figures
from lecture_lib.plotting.style import BLUE, CYCLE, GREEN, INK, RED
from lecture_lib.pooling import SPP_LEVELS, bins, covered_windows
from lecture_lib.structures import FeatureMap, Proposals
from tests.drawn import boxes_of, titles

SIZE = (60, 80)
NO_BOX = torch.zeros(0, 4)
SLOTS = ("encode", "pool", "embed", "predict", "decode")


pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(3, 8, 11, generator=torch.Generator().manual_seed(0)), (8.0, 8.0), SIZE)


@pytest.fixture
def detector(small_backbone):
    return sppnet(("red", "green"), small_backbone(), torch.Generator().manual_seed(0), scales=(60,))


@pytest.fixture
def one_pass():
    """R-CNN takes 4 and 24 s an image, SPPnet 0.2 and 0.4 s, Fast R-CNN 0.1 and 0.1 s; the search 0.8 s."""

    def slots(*seconds):
        return dict(zip(SLOTS, seconds, strict=True))

    few = {"rcnn": slots(0, 1, 3, 0, 0), "sppnet": slots(0.05, 0.05, 0.1, 0, 0), "fast_rcnn": slots(0.1, 0, 0, 0, 0)}
    many = {"rcnn": slots(0, 4, 20, 0, 0), "sppnet": slots(0.05, 0.1, 0.25, 0, 0), "fast_rcnn": slots(0.1, 0, 0, 0, 0)}
    training = {"rcnn": {"tune": 60, "store": 40}, "sppnet": {"tune": 10, "store": 10}, "fast_rcnn": {"joint": 40}}
    return {"propose": 0.8, "inference": {"300": few, "2000": many}, "training": training}


def test_problems_grow_and_are_struck_off():
    assert figures.problems(0).count("\n") == 1
    text = figures.problems(3, solved={1})
    assert [line[:4] for line in text.splitlines()[2:]] == ["> 1.", "> 2.", "> 3."]
    assert text.count("<s>") == text.count("✓") == 1
    assert "<s>Run the CNN only once per image, to save time.</s> ✓" in text
    assert "**arbitrary input size**" in text


def test_a_map_becomes_a_grey_picture(feature_map):
    grey = figures.shade(feature_map)
    assert grey.shape == (1, 8, 11)
    assert (float(grey.min()), float(grey.max())) == (0, 1)
    flat = replace(feature_map, tensor=torch.ones(3, 8, 11, requires_grad=True))
    assert figures.shade(flat).abs().max() == 0


def test_the_channels_that_vary_most_are_shown(image, feature_map):
    features = feature_map.tensor * torch.tensor([1.0, 0.01, 2.0])[:, None, None]
    figure = figures.show_map(image, replace(feature_map, tensor=features), channels=2)
    assert titles(figure) == ["80 × 60 pixels", "channel 0: 11 × 8 cells", "channel 2: 11 × 8 cells"]


def lopsided() -> nn.Module:
    """A trunk that pads on the right and below only, and has whatever a real one has."""
    pad, convolve = nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 2, 3, stride=2)
    return nn.Sequential(pad, convolve, nn.BatchNorm2d(2), nn.ReLU6())


def test_an_averaging_trunk_takes_means_and_leaves_its_original_alone():
    trunk = lopsided()
    before = [p.clone() for p in trunk.parameters()]
    plain = figures.averaging(trunk)
    assert torch.allclose(plain(torch.full((1, 3, 8, 8), 0.4))[:, :, 0, 0], torch.full((1, 2), 0.4), atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(trunk.parameters(), before, strict=True))


def test_where_a_cell_looks_is_measured_with_the_border_and_without(small_backbone):
    backbone = small_backbone()
    backbone.trunk, backbone.stride, backbone.first_cell = lopsided(), 2, 1.5
    encode = ConvTrunk(backbone, (16,))
    straight = figures.looked_at(encode, (16, 24), (3, 5), padded=False)
    assert straight.nonzero().amin(0).tolist() == [6, 10]  # a filter of 3 from pixel 2 i on
    assert figures.center_of(straight) == pytest.approx((11.5, 7.5))
    x, y = figures.center_of(figures.looked_at(encode, (16, 24), (3, 5)))
    assert abs(x - 2 * 5) < 0.51
    assert abs(y - 2 * 3) < 0.51
    drawn = figures.show_centers({"straight": straight}, 10)
    assert titles(drawn) == ["straight: centred on pixel 11.5, wanted 10"]


def test_windows_are_those_of_the_corner_rule(image, feature_map, target):
    figure = figures.show_windows(image, feature_map, target.boxes)
    left, right = figure.axes
    windows = covered_windows(target.boxes, (8.0, 8.0), (8, 11))
    for row, (x1, y1, x2, y2) in enumerate(windows.tolist()):
        assert boxes_of(right, CYCLE[row]) == [(x1, y1, x2 + 1, y2 + 1)]
        assert right.texts[row].get_text() == f"{x2 - x1 + 1} × {y2 - y1 + 1}"
    every, first, _ = (dots.get_offsets() for dots in left.collections)
    assert len(every) == 8 * 11
    assert sorted(first.tolist()) == [[16, 16], [16, 24], [24, 16], [24, 24]]  # centres inside 10 .. 30
    assert not boxes_of(figures.show_windows(image, feature_map, NO_BOX).axes[1], BLUE)


def test_ordinary_pooling_fits_one_size_and_a_pyramid_all():
    figure = figures.show_poolings([(13, 13), (6, 9)], SPP_LEVELS)
    said = titles(figure)
    assert said[:2] == ["13 × 13 cells", "9 × 6 cells"]
    assert said[2:4] == ["6 × 6 = 36 cells ✓", "4 × 2 = 8 cells ✗"]
    assert said[4:] == ["50 bins ✓"] * 2
    colors = [same_color(figure.axes[2 + i].patches[0].get_facecolor()[:3], c) for i, c in enumerate((GREEN, RED))]
    assert colors == [True, True]
    assert [len(axes.patches) for axes in figure.axes] == [169, 54, 36, 8, 50, 50]


def test_bins_stand_for_the_pixels_around_the_centres_of_their_cells(feature_map, target):
    cells = figures.bins_on_map(feature_map, target.boxes[1:], 2)
    window = covered_windows(target.boxes[1:], (8.0, 8.0), (8, 11))
    assert torch.equal(cells, bins(window, 2, 2)[0].float())
    assert figures.bins_on_image(feature_map, torch.tensor([2.0, 3, 4, 4])).tolist() == [12, 20, 28, 28]
    wide = replace(feature_map, stride=(4.0, 8.0))
    assert figures.bins_on_image(wide, torch.tensor([[2.0, 3, 4, 4]])).tolist() == [[12, 10, 28, 14]]


def test_bins_are_drawn_for_every_level(image, feature_map):
    figure = figures.show_bins(image, feature_map, torch.tensor([[4.0, 4, 44, 36]]), (3, 1))  # 5 x 4 cells
    assert titles(figure) == [
        "3 × 3 = 9 bins",
        "1 × 1 = 1 bin",
        "bins of 2 × 2 to 3 × 2 cells",
        "bins of 5 × 4 cells",
    ]
    assert [len(axes.patches) for axes in figure.axes] == [19, 3, 18, 2]  # two a bin, and the box above
    assert boxes_of(figure.axes[0], INK) == [(4, 4, 44, 36)]


def test_each_box_is_drawn_at_the_scale_it_chose(image, target):
    figure = figures.show_scales(image, target.boxes, torch.tensor([1, 1]), (32, 64))
    assert titles(figure) == ["shorter side 32: 0 regions", "shorter side 64: 2 regions"]
    assert [len(axes.patches) for axes in figure.axes] == [0, 2]


def test_a_gradient_arrives_at_every_stage_and_nothing_is_changed(detector, image, target):
    detector.encode.requires_grad_(False)
    regions = Proposals(target.boxes, None, SIZE)
    lengths = figures.trunk_gradients(detector, image, regions, target.labels)
    assert list(lengths) == ["conv1", "conv2"]
    assert min(lengths.values()) > 0
    assert all(p.grad is None for module in (detector.encode, detector.embed) for p in module.parameters())
    assert len(figures.gradient_bars(lengths).axes[0].patches) == 2


@pytest.mark.parametrize(
    ("measured", "claim", "said"),
    [
        (10.0, (10, 100), "as the lecture says"),
        (7.0, (10, 100), "as the lecture says"),
        (6.0, (10, 100), "faster, but less than the lecture says"),
        (200.0, (10, 100), "more than the lecture says"),
        (2.1, (3, 3), "as the lecture says"),
        (1.9, (3, 3), "faster, but less than the lecture says"),
        (1.0, (3, 3), "no difference here"),
        (0.5, (3, 3), "slower here: not as the lecture says"),
    ],
)
def test_a_verdict_follows_from_the_numbers(measured, claim, said):
    assert ratios.verdict(measured, *claim) == said


def test_a_ratio_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="ratios are positive"):
        ratios.verdict(0, 3, 3)
    with pytest.raises(ValueError, match="low <= high"):
        ratios.verdict(1, 3, 2)


def test_the_table_has_every_ratio_beside_its_claim(one_pass):
    times = ratios.times_faster(one_pass, "rcnn", "sppnet")
    assert times["inference, 300 regions"] == pytest.approx(20)
    assert times["inference, 300 regions, proposals counted"] == pytest.approx(4.8)
    assert times["inference, 2,000 regions"] == pytest.approx(60)
    assert times["training"] == pytest.approx(5)
    lines = ratios.ratio_table(one_pass).splitlines()
    assert len(lines) == 2 + 5
    assert lines[2] == "| inference, 300 regions | 10 to 100× | **20×** | as the lecture says |"
    assert lines[3] == "| inference, 300 regions, proposals counted |  | **4.8×** |  |"
    assert lines[-1] == "| training | 3× | **5×** | more than the lecture says |"
    assert "| training | 3× | **0.5×** | slower here" in ratios.ratio_table(one_pass, "sppnet", "fast_rcnn")


def test_bars_of_seconds_are_stacked_and_explained(one_pass):
    rows = ratios.inference_rows(one_pass)
    assert list(rows) == ["R-CNN, 300 regions", "SPPnet, 300 regions", "R-CNN, 2,000 regions", "SPPnet, 2,000 regions"]
    left, right = ratios.seconds_by_part(rows).axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(rows)
    bars = [p for p in left.patches if p.get_width() > 0]
    assert sum(p.get_width() for p in bars) == pytest.approx(4 + 0.2 + 24 + 0.4)
    assert sum(p.get_width() for p in right.patches) == pytest.approx(4)
    assert "75%" in [text.get_text() for text in right.texts]
    assert ratios.largest_part(rows["R-CNN, 300 regions"]) == ("embed", 0.75)
    assert "- **SPPnet, 300 regions**: 0.2 s, of which `embed` takes 50%." in ratios.why(rows)
    assert "propose" in ratios.inference_rows(one_pass, ("rcnn",), propose=True)["R-CNN, 300 regions"]
    assert ratios.training_rows(one_pass) == {
        name: one_pass["training"][key] for key, name in list(ratios.NAMES.items())[:2]
    }


def test_of_several_runs_the_least_disturbed_counts():
    assert ratios.quickest([{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 1.5}, {"a": 4, "b": 0}]) == {"a": 2.0, "b": 1.5}


def test_accuracies_are_paired_deal_by_deal():
    maps = ((0.70, 0.72, 0.5), (0.60, 0.64, 0.5))
    names = ("rcnn", "sppnet", "fast_rcnn")
    result = {"deals": [{"variants": dict(zip(names, row, strict=True)) | {"sppnet, softmax": 0.6}} for row in maps]}
    row = ratios.accuracy_row(result)
    assert row == {"R-CNN": [0.7, 0.6], "SPPnet": [0.72, 0.64], "SPPnet, softmax": [0.6, 0.6]}
    said = ratios.accuracy_sentence(result, "sppnet", "rcnn")
    assert said == "SPPnet minus R-CNN, deal by deal: **+0.030 ± 0.014** mAP, more than the deviation."
    assert "**−0.050 ± 0.071** mAP, not more" in ratios.accuracy_sentence(result, "sppnet, softmax", "rcnn")
    assert "no difference to claim" in ratios.accuracy_sentence(result, "sppnet, softmax", "rcnn")
    one = {"deals": result["deals"][:1]}
    assert "**+0.020 ± 0.000**" in ratios.accuracy_sentence(one, "sppnet", "rcnn")
