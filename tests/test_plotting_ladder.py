"""lecture_lib.plotting.ladder: what the figures of notebook 07 say is what the detectors and results are."""

from dataclasses import replace

import pytest
import torch
from matplotlib.colors import same_color

from lecture_lib.detectors import LADDER, Detector, mask_rcnn
from lecture_lib.plotting import ladder
from lecture_lib.plotting.style import BLUE, GRID
from lecture_lib.structures import Target
from tests.drawn import texts
from tests.tiny_pyramid import tiny_pyramid_backbone

pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def four(small_ladder) -> dict[str, Detector]:
    """The ladder on a small backbone, with heads that are sure of class 2 everywhere."""
    built = {}
    for name in LADDER:
        detector = small_ladder(name)
        score = detector.predict.score if name in ("rcnn", "sppnet") else detector.predict.classify
        with torch.no_grad():
            score.bias[-1] = 5.0
        built[name] = detector
    return built


@pytest.fixture
def traces(four, image):
    return {name: detector.trace(image) for name, detector in four.items()}


@pytest.fixture
def result():
    """A measured ladder: from rung to rung mAP grows by 0.1, and by 0.0 +- noise at the end."""
    maps = {"rcnn": [0.5, 0.6], "sppnet": [0.6, 0.7], "fast_rcnn": [0.7, 0.8], "faster_rcnn": [0.8, 0.7]}
    seconds = {"rcnn": 8.0, "sppnet": 2.0, "fast_rcnn": 1.0, "faster_rcnn": 0.5}
    rows = {
        name: {
            "maps": maps[name],
            "seconds": {"encode": seconds[name] / 2, "embed": seconds[name] / 2},
            "passes": 300 if name == "rcnn" else 1,
            "training": {"first": 30.0, "second": 60.0} if name in ("rcnn", "sppnet") else {"only": 45.0},
            "bytes": 2_000_000_000 if name == "rcnn" else 0,
        }
        for name in LADDER
    }
    return {"date": "2026-01-01", "rows": rows}


def test_the_table_colours_what_changed(four):
    (axes,) = ladder.slot_table(four).axes
    colored = [same_color(tile.get_facecolor(), BLUE) for tile in axes.patches]
    numbers = [i for i, blue in enumerate(colored) if blue]
    assert numbers == [
        *range(6),
        6,
        8,
        9,
        14,
        16,
        19,
    ]  # six a row
    assert all(colored[i] or same_color(tile.get_facecolor(), GRID) for i, tile in enumerate(axes.patches))
    assert {"R-CNN", "SPPnet", "Fast R-CNN", "Faster R-CNN"} <= set(texts(axes))


def test_a_slot_that_only_one_has_gets_a_column(four):
    masked = mask_rcnn(("a", "b"), tiny_pyramid_backbone(), torch.Generator().manual_seed(0))
    (axes,) = ladder.slot_table({"faster_rcnn": four["faster_rcnn"], "mask_rcnn": masked}).axes
    assert len(axes.patches) == 6 + 7
    assert "mask" in texts(axes)


def test_the_table_in_words(four):
    lines = ladder.slot_table_text(four).splitlines()
    assert lines[0] == "| slot | R-CNN | SPPnet | Fast R-CNN | Faster R-CNN |"
    assert lines[2] == "| encode | **WholeImage** | **ConvTrunk** | = | = |"
    assert lines[3] == "| propose | **SearchImage** | = | = | **RegionProposalNetwork** |"
    assert len(lines) == 2 + 6


def test_work_is_drawn_to_scale_in_billions():
    (axes,) = ladder.work_bars(
        {"rcnn": {"encode": 0, "embed": 20_000_000_000}, "sppnet": {"encode": 1_500_000_000}}
    ).axes
    assert texts(axes) == ["embed 20", "20", "1.5"]
    assert max(bar.get_width() for bar in axes.patches) == pytest.approx(20)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["R-CNN", "SPPnet"]
    assert "billions" in axes.get_legend().get_title().get_text()


def test_summary_pictures_are_of_the_surest_region(four, traces, image):
    figure = ladder.summary_pictures(image, four, traces)
    assert len(figure.axes) == 16
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "R-CNN: the CNN sees each region"
    assert titles[4] == "SPPnet: the CNN sees the picture"
    assert titles[13] == f"{len(traces['faster_rcnn'].proposals)} × RegionProposalNetwork"
    assert texts(figure.axes[3]) == [f"b {float(traces['rcnn'].detections.scores[0]):.2f}"]


def test_what_one_region_becomes(four, traces):
    shapes = {n: tuple(ladder.pooled_picture(four[n], traces[n], traces[n].proposals[:1]).shape) for n in four}
    assert shapes == {"rcnn": (3, 16, 16), "sppnet": (1, 6, 6), "fast_rcnn": (1, 4, 4), "faster_rcnn": (1, 4, 4)}


def test_a_detector_that_finds_nothing_is_a_clear_error(four, traces, image):
    none = replace(traces["sppnet"], detections=traces["sppnet"].detections[:0])
    with pytest.raises(ValueError, match="SPPnet detects nothing"):
        ladder.summary_pictures(image, four, traces | {"sppnet": none})


def test_sure_detections_are_drawn_by_the_scale_of_their_scores(four, traces, image):
    figure = ladder.found_by_all(image, four, traces)
    for axes, (name, trace) in zip(figure.axes, traces.items(), strict=True):
        least = 0.0 if name in ("rcnn", "sppnet") else 0.5
        assert len(axes.patches) == int((trace.detections.scores > least).sum()) > 0


def test_the_ground_truth_comes_before_the_detectors(four, traces, image):
    target = Target(torch.tensor([[1.0, 2, 9, 8]]), torch.tensor([2]), torch.tensor([False]), None, image.shape[-2:])
    first, *others = ladder.found_by_all(image, four, traces, target).axes
    assert len(others) == 4
    assert texts(first) == [next(iter(four.values())).classes[1]]


def test_agreement_counts_same_class_and_place(traces):
    found = traces["rcnn"].detections
    found = found[found.labels == 2]
    assert ladder.agreement(found, found) == len(found) > 0
    assert ladder.agreement(found, replace(found, labels=3 - found.labels)) == 0
    assert ladder.agreement(found, found[:0]) == 0 == ladder.agreement(found[:0], found)


def test_panels_say_what_was_measured(result):
    figure = ladder.ladder_panels(result)
    assert texts(figure.axes[0])[0] == "0.550 ± 0.071"
    assert texts(figure.axes[1])[-1] == "0.5 s"
    assert texts(figure.axes[3]) == ["2.0 GB", "0.0 GB", "0.0 GB", "0.0 GB"]


def test_the_ladder_in_words_has_the_papers_beside_it(result):
    line = ladder.ladder_text(result).splitlines()[2]
    assert line == "| R-CNN | 0.550 ± 0.071 | 8.000 | 300 | 90 | 2.0 GB | 0.660 | 48.5 |"


def test_times_faster_than_the_first(result):
    figure = ladder.steps_beside_papers(result, {"rcnn": 3.0, "sppnet": 1.0, "fast_rcnn": 1.0, "faster_rcnn": 0.3})
    (axes,) = figure.axes
    assert [line.get_ydata()[-1] for line in axes.lines] == pytest.approx([16, (47 + 1.51) / 0.198, 10])
    assert len(ladder.steps_beside_papers(result).axes[0].lines) == 2


def test_steps_of_precision_are_judged_by_their_deviation(result):
    lines = ladder.precision_steps(result).splitlines()
    assert "+0.100 ± 0.000** mAP, more than the deviation; in the papers -0.029" in lines[0]
    assert "+0.000 ± 0.141** mAP, no effect beyond the deviation; in the papers +0.030" in lines[2]
    assert lines[3].startswith("- R-CNN → Faster R-CNN: **+0.200 ± 0.141** mAP, more than the deviation")


def test_stages(result):
    assert ladder.stage_counts(result)["SPPnet"] == ("first", "second")
    assert ladder.stage_counts(result)["Faster R-CNN"] == ("only",)
    result["rows"]["rcnn"]["training"] = {"next to nothing": 0.1, "all": 100.0}
    assert ladder.stage_counts(result)["R-CNN"] == ("all",)
