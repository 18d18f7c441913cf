"""lecture_lib.plotting.transfer: the figures of notebook 01."""

import json

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex

from lecture_lib.backbones import efficientnet_lite0, freeze_all_but_last
from lecture_lib.plotting import transfer
from lecture_lib.plotting.style import GRID, ORANGE, use_style
from tests.drawn import texts


@pytest.fixture(autouse=True)
def _course_look():
    use_style()
    yield
    plt.close("all")


def test_no_points_and_no_file():
    assert transfer.collect_curves([]) == {}


def test_no_stored_result(tmp_path):
    assert transfer.stored_curves(tmp_path / "none.json") == {}


def test_points_are_sorted_by_method_and_size():
    rows = [("frozen", 1, 0.5), ("scratch", 1, 0.1), ("frozen", 1, 0.7), ("frozen", 5, 0.9)]
    points = [dict(zip(("method", "images_per_class", "accuracy"), row, strict=True)) for row in rows]
    assert transfer.collect_curves(points) == {"frozen": {1: [0.5, 0.7], 5: [0.9]}, "scratch": {1: [0.1]}}


def test_stored_curves_say_their_date_and_seeds(tmp_path):
    point = {"method": "frozen", "images_per_class": 1, "accuracy": 0.5}
    result = {"date": "2026-11-22", "points": [point | {"seed": 0}, point | {"seed": 1, "accuracy": 0.7}]}
    (tmp_path / "curves.json").write_text(json.dumps(result))
    ((title, curves),) = transfer.stored_curves(tmp_path / "curves.json").items()
    assert "2026-11-22" in title
    assert "2 seeds" in title
    assert curves == {"frozen": {1: [0.5, 0.7]}}


def test_learning_curves_show_mean_and_deviation():
    axes = plt.figure().subplots()
    transfer.draw_learning_curves(axes, {"frozen": {10: [0.8, 0.8], 1: [0.4, 0.6]}}, chance=0.125)
    assert list(axes.lines[0].get_xdata()) == [1, 10]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([50, 80])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((40, 80))
    assert axes.lines[1].get_ydata()[0] == 12.5
    assert "frozen" in texts(axes)


def test_one_seed_has_no_band():
    figure = transfer.show_learning_curves({"one": {"frozen": {1: [0.4], 2: [0.5]}}}, classes=8)
    assert not figure.axes[0].collections


def test_names_and_probabilities_stand_under_the_photograph():
    figure = transfer.show_named([torch.rand(3, 8, 8)], [[("cat", 0.9), ("dog", 0.05)]])
    assert texts(figure.axes[1]) == ["cat  90%", "dog  5%"]


def test_what_learns_is_coloured():
    backbone = efficientnet_lite0(None).new_head(8)
    freeze_all_but_last(backbone, 1)
    axes = transfer.show_trainable({"part": backbone}).axes[0]
    colors = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert colors == [GRID] * 8 + [ORANGE] * 2
    learn = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
    assert f"{learn:,} of" in axes.get_title(loc="left")


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (928, "928"), (11664, "11.7 k"), (4652008, "4.65 M")])
def test_short_numbers(number, text):
    assert transfer.short_number(number) == text


def test_mosaic_holds_the_channels_that_vary_most():
    maps = torch.zeros(12, 28, 28)
    maps[3:, :14] = torch.arange(9.0)[:, None, None] + 1
    mosaic = transfer.channel_mosaic(maps)
    assert mosaic.shape == (90, 90)
    assert mosaic.nan_to_num().amax() == 1
    tiles = mosaic.unflatten(0, (3, 30)).unflatten(2, (3, 30))
    assert (tiles.nan_to_num().amax((1, 3)) == 1).all()


def test_mosaic_of_few_channels_has_empty_places():
    mosaic = transfer.channel_mosaic(torch.rand(2, 7, 7))
    assert mosaic.shape == (27, 27)
    assert mosaic[9:].isnan().all()


def test_depth_and_training_and_probes_draw_what_they_get():
    figure = transfer.show_depth(torch.rand(3, 32, 32), {"stem": torch.rand(16, 16, 16)})
    assert figure.axes[1].get_title(loc="left") == "stem: 16 × 16×16"
    assert not transfer.show_training({}).axes[0].lines
    axes = transfer.show_training({"slow": [3.0, 2.0, 1.0]}).axes[0]
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    axes = transfer.show_probes({"stem": 0.25, "head": 0.9}, chance=0.125).axes[0]
    assert [patch.get_height() for patch in axes.patches] == [25, 90]
    assert texts(axes)[:2] == ["25", "90"]
