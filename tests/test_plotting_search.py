import matplotlib.pyplot as plt
import pytest
import torch

from lecture_lib.plotting import coverage, regions, search
from lecture_lib.proposals import (
    SlidingWindow,
    Strategy,
    count_all_windows,
    count_windows,
    first_regions,
    hierarchical_grouping,
    sliding_windows,
)
from lecture_lib.proposals.similarity import PixelBins, describe_regions
from lecture_lib.structures import Detections, Proposals, Target

SIZE = (60, 80)


pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def grouped(image):
    strategy = Strategy(k=50.0)
    labels = first_regions(image, strategy)
    return labels, list(hierarchical_grouping(image, strategy))


def test_nothing_is_covered_by_nothing():
    assert coverage.best_boxes([], []) == []
    assert coverage.best_boxes([Proposals.empty(SIZE)], [Target.empty(SIZE)]) == []
    assert (search.heat(torch.zeros(0, 4), torch.zeros(0), SIZE) == 0).all()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0042, "4.2 ms"),
        (2.54, "2.5 s"),
        (120.0, "2 minutes"),
        (3.0 * 3600, "3 hours"),
        (52.0 * 86400, "52 days"),
        (3e9, "95 years"),
    ],
)
def test_duration_is_said_in_the_unit_one_would_use(seconds, said):
    assert search.duration(seconds) == said


def test_every_box_draws_as_many_as_the_closed_form_counts():
    figure = search.every_box((2, 3))
    drawn = [axes for axes in figure.axes if axes.patches]
    assert len(drawn) == count_all_windows((2, 3)) == 18


def test_window_shapes_draws_each_shape_and_each_place(image):
    window = SlidingWindow(sizes=(16, 32), aspects=(1.0,), stride=8)
    left, right = search.window_shapes(image, window).axes
    assert len(left.patches) == 2
    assert len(right.collections[0].get_offsets()) == count_windows(SIZE, SlidingWindow((32,), (1.0,), 8))


def test_cost_ladder_has_a_bar_for_each_row():
    axes = search.cost_ladder([("all", 10**9, 1e6), ("some", 1000, 2.0)]).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [1e6, 2.0]
    assert {text.get_text() for text in axes.texts} == {"12 days", "2 s"}


def test_heat_is_the_mean_of_the_boxes_over_a_pixel():
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 2, 6, 6]])
    values = search.heat(boxes, torch.tensor([1.0, 0.5]), (8, 8))
    assert values[1, 1] == 1.0
    assert values[3, 3] == 0.75
    assert values[5, 5] == 0.5
    assert values[7, 7] == 0


def test_answers_shows_names_and_probabilities(image):
    texts = [t.get_text() for t in search.answers([image], [[("zebra", 0.5), ("ant", 0.25)]]).axes[1].texts]
    assert texts == ["zebra", "50%", "ant", "25%"]


def test_best_boxes_come_worst_first_without_difficult_objects(target):
    proposals = Proposals(torch.tensor([[10.0, 10, 30, 30], [45, 30, 60, 55]]), None, SIZE)
    first, last = coverage.best_boxes([proposals], [target])
    assert (first.row, first.overlap) == (1, 0.5)
    assert (last.row, last.overlap) == (0, 1.0)
    hard = Target(target.boxes, target.labels, torch.tensor([False, True]), None, SIZE)
    assert [best.row for best in coverage.best_boxes([proposals], [hard])] == [0]


def test_worst_objects_are_shown_with_their_overlap(image, target):
    found = coverage.best_boxes([sliding_windows(SIZE, SlidingWindow((20,), (1.0,), 10))], [target])
    axes = coverage.show_best_boxes([image] * 2, [target] * 2, found, columns=2).axes
    assert [a.get_title(loc="left") for a in axes] == [f"IoU {best.overlap:.2f}" for best in found]
    assert [len(a.patches) for a in axes] == [2, 2]


def test_recall_curves_draws_both_measures():
    figure = coverage.recall_curves({"one": ([10.0, 100.0], [0.1, 0.5], [0.2, 0.6]), "two": ([5.0], [0.3], [0.4])})
    recall, overlap = figure.axes
    assert [list(line.get_ydata()) for line in recall.lines] == [[0.1, 0.5], [0.3]]
    assert [list(line.get_ydata()) for line in overlap.lines] == [[0.2, 0.6], [0.4]]


def test_spread_keeps_order_and_distance():
    assert coverage.spread([0.5, 0.51, 0.9], gap=0.1) == pytest.approx([0.5, 0.6, 0.9])
    assert coverage.spread([0.9, 0.9], gap=0.1) == pytest.approx([0.9, 1.0])
    assert coverage.spread([], gap=0.1) == []


def test_pooled_drops_equal_boxes():
    parts = [sliding_windows(SIZE, SlidingWindow((20,), (1.0,), stride)) for stride in (10, 20)]
    assert len(coverage.pooled(parts)) == len(parts[0])


def test_comparison_is_a_table_with_its_date():
    figures = {"recall_at_0.5": [0.5, 0.9], "mean_best_overlap": [0.4, 0.8]}
    machine = {"processor": "m", "cores": 2, "accelerator": None, "torch": "2.11.0+cpu"}
    result = {"date": "2026-01-02", "images": 3, "set": "some", "machine": machine, "faster": 2.0, "counts": [10, 1000]}
    table = coverage.comparison({**result, "searches": {"ours": figures, "opencv": figures}})
    assert "2026-01-02" in table
    assert "1,000 boxes" in table
    assert table.count("0.900") == 2
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_borders_lie_between_regions():
    labels = torch.tensor([[0, 0, 1], [0, 0, 1]])
    assert regions.borders(labels).tolist() == [[False, True, False], [False, True, False]]


def test_segmentations_say_how_many_regions(image, grouped):
    labels, _ = grouped
    titles = [axes.get_title(loc="left") for axes in regions.segmentations(image, {50.0: labels}).axes]
    assert titles == ["4,800 pixels", f"k = 50: {len(labels.unique())} regions"]


def test_region_pairs_show_what_is_shared(image, grouped):
    labels, steps = grouped
    table = describe_regions(labels, PixelBins.of(image))
    axes = regions.region_pairs(image, labels, table, [steps[0].merged]).axes
    shared = float(torch.minimum(*(table[r].color for r in steps[0].merged)).sum())
    assert axes[1].get_title(loc="left") == f"colour: {shared:.2f} shared"


def test_merge_film_counts_the_regions_left(image, grouped):
    labels, steps = grouped
    axes = regions.merge_film(image, labels, steps, left=(len(steps) + 1, 2)).axes
    assert [a.get_title(loc="left") for a in axes] == [f"{len(steps) + 1} regions", "2 regions"]
    assert [len(a.patches) for a in axes] == [0, 1]


def test_overlap_by_merge_ends_with_both_squares_found(grouped, target):
    axes = regions.overlap_by_merge(*grouped, target, ("red", "green")).axes[0]
    assert [round(float(line.get_ydata()[-1]), 1) >= 0.9 for line in axes.lines[:2]] == [True, True]
    names = [t for t in axes.texts if t.get_text().startswith(("red", "green"))]
    assert len(names) == 2
    assert all(t.xy[1] < axes.get_ylim()[1] for t in names)  # outside, it would not be drawn


def test_merge_tree_has_a_picture_for_every_region_of_the_top(image, grouped, target):
    labels, steps = grouped
    leaves = len(steps) + 1
    axes = regions.merge_tree(image, labels, steps, target, leaves).axes[0]
    assert len(axes.artists) == 2 * leaves - 1
    green = [a for a in axes.artists if a.patch.get_linewidth() > 3]
    assert len(green) >= 2


def test_last_regions_shows_every_way_of_grouping(image, grouped):
    labels, steps = grouped
    assert len(regions.last_regions(image, labels, {"a": steps, "b": steps}, left=2).axes) == 2


def test_found_names_the_surest_of_each_class(image):
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [2.0, 2.0, 11.0, 11.0], [4.0, 4.0, 20.0, 20.0]])
    size = tuple(image.shape[1:])
    found = Detections(boxes, torch.tensor([1, 1, 2]), torch.tensor([0.8, 0.9, 0.7]), torch.arange(3), None, size)
    axes = search.show_found(image, found, ("red", "green"), plt.figure().add_subplot())
    assert sorted(t.get_text() for t in axes.texts) == ["green 0.70", "red 0.90"]
    assert len(axes.patches) == 3
