import pytest
from matplotlib.colors import to_rgba

from lecture_lib.plotting import rcnn_results
from lecture_lib.plotting.style import (
    BLUE,
    MUTED,
)
from tests.drawn import texts

pytestmark = pytest.mark.usefixtures("style")


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
