from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import same_color

from lecture_lib.boxes import iou
from lecture_lib.detectors import faster_rcnn
from lecture_lib.matching import Labels
from lecture_lib.plotting import faster_rcnn as figures
from lecture_lib.plotting import faster_rcnn_training as training
from lecture_lib.plotting.style import BLUE, GROUND_TRUTH, INK, MUTED, NEGATIVE, ORANGE, POSITIVE, PROPOSAL, PURPLE
from lecture_lib.proposals import Anchors, ScoredAnchors, anchor_grid
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.four_step import TURNS, Turn
from lecture_lib.training.loop import Step
from lecture_lib.training.rpn import RPNTraining, label_anchors
from tests.drawn import texts, titles
from tests.tiny import tiny_backbone

SIZE = (60, 80)
ANCHORS = Anchors((8, 16, 32), (0.5, 1.0), stride=4)

pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def feature_map():
    return FeatureMap(torch.rand(2, 15, 20, generator=torch.Generator().manual_seed(0)), (4.0, 4.0), SIZE)


@pytest.fixture
def scored(feature_map):
    boxes = Proposals(anchor_grid(feature_map, ANCHORS), None, SIZE)
    logits = torch.randn(len(boxes), generator=torch.Generator().manual_seed(1))
    return ScoredAnchors(boxes, logits, torch.zeros(len(boxes), 4))


@pytest.fixture
def detector():
    generator = torch.Generator().manual_seed(0)
    return faster_rcnn(("red", "green"), tiny_backbone(), generator, scales=(60,), sides=(8, 16))


def boxes_in(axes, color: str) -> list[tuple[float, ...]]:
    """Corners of the unfilled boxes of a colour."""
    drawn = [p for p in axes.patches if not p.get_fill() and same_color(p.get_edgecolor()[:3], color)]
    return [(*p.get_xy(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in drawn]


def no_objects() -> Target:
    return Target(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0).bool(), None, SIZE)


def test_rows_of_a_cell_are_those_of_the_grid(feature_map):
    rows = figures.rows_at(feature_map, ANCHORS, (7, 3))
    centers = anchor_grid(feature_map, ANCHORS)[rows].view(-1, 2, 2).mean(1)
    assert centers.tolist() == [[28, 12]] * len(ANCHORS)
    for outside in ((20, 0), (0, 15), (-1, 0)):
        with pytest.raises(ValueError, match="there is no cell"):
            figures.rows_at(feature_map, ANCHORS, outside)


def test_anchors_are_named_by_width_and_height():
    assert figures.anchor_sizes(Anchors((10, 20), (0.25, 1.0))) == ["20 × 5", "40 × 10", "10 × 10", "20 × 20"]


def test_the_anchors_of_one_cell_are_drawn_and_its_window(image, feature_map):
    left, right = figures.show_anchors(image, feature_map, ANCHORS, (10, 7)).axes
    drawn = sorted(box for color in set(figures.side_colors(ANCHORS)) for box in boxes_in(left, color))
    expected = anchor_grid(feature_map, ANCHORS)[figures.rows_at(feature_map, ANCHORS, (10, 7))]
    assert torch.allclose(torch.tensor(drawn), torch.tensor(sorted(expected.tolist())), atol=1e-4)
    assert boxes_in(right, ORANGE) == [(9, 6, 12, 9)]
    assert len(left.collections[0].get_offsets()) == 15 * 20


def test_anchors_inside_are_counted_by_shape(feature_map):
    axes = figures.inside_bars(feature_map, ANCHORS).axes[0]
    counts = [0] * len(ANCHORS)
    for row, (x1, y1, x2, y2) in enumerate(anchor_grid(feature_map, ANCHORS).tolist()):
        counts[row % len(ANCHORS)] += x1 >= 0 and y1 >= 0 and x2 <= 80 and y2 <= 60
    assert [int(text) for text in texts(axes)] == counts
    assert len(set(counts)) > 3


def test_shapes_are_compared_about_one_centre_in_the_networks_pixels(target):
    hard = replace(target, difficult=torch.tensor([True, False]))
    sizes, overlap = figures.shape_fit([hard, no_objects()], Anchors((60, 30), (1.0,)), shorter_side=120)
    assert sizes.tolist() == [[60, 50]]  # 30 x 25 in an image of 60 pixels
    assert overlap.tolist() == [pytest.approx([3000 / 3600, 900 / 3000])]
    assert [part.shape for part in figures.shape_fit([], ANCHORS, 60)] == [(0, 2), (0, 6)]


def test_each_choice_of_anchors_says_how_many_objects_it_fits(target):
    choices = {"good": Anchors((20, 27), (1.0,)), "bad": Anchors((200,), (1.0,))}
    assert titles(figures.show_shape_fit([target], choices, 60)) == [
        "good: fit 100% of the objects",
        "bad: fit 0% of the objects",
    ]


def test_objectness_is_the_best_of_a_side_at_every_cell(image, scored, feature_map):
    maps = figures.objectness_maps(scored, feature_map, ANCHORS)
    for s in range(3):
        for y, x in ((0, 0), (3, 17), (14, 19)):
            rows = [(y * 20 + x) * 6 + ratio * 3 + s for ratio in range(2)]
            assert maps[s, y, x] == scored.logits[rows].sigmoid().max()
    said = titles(figures.show_objectness(image, scored, feature_map, ANCHORS))
    assert said[1:] == [f"{side} px: at most {float(maps[s].max()):.2f}" for s, side in enumerate((8, 16, 32))]


def test_covering_boxes_are_blue_and_objects_counted(image, target):
    proposals = Proposals(torch.tensor([[10.0, 10, 30, 28], [0, 0, 5, 5], [45, 30, 75, 55]]), None, SIZE)
    figure = figures.proposal_strip(image, target, {"a": proposals, "b": Proposals.empty(SIZE)}, count=2)
    assert titles(figure) == ["a: 2 boxes cover 1 of 2", "b: 0 boxes cover 0 of 2"]
    left, right = figure.axes
    assert boxes_in(left, BLUE) == [(10, 10, 30, 28)]
    assert boxes_in(left, PROPOSAL) == [(0, 0, 5, 5)]
    assert len(boxes_in(right, GROUND_TRUTH)) == 2
    assert titles(figures.proposal_strip(image, no_objects(), {"c": proposals})) == ["c: 3 boxes cover 0 of 0"]


RECALLS = [
    {"recall": {"rpn": {"50": 0.8, "300": 0.9}, "selective search": {"50": 0.3, "300": 0.8, "2000": 0.9}}},
    {"recall": {"rpn": {"50": 0.6, "300": 1.0}, "selective search": {"50": 0.5, "300": 0.6, "2000": 0.9}}},
]


def test_stored_recalls_are_means_over_the_deals():
    measured = figures.stored_recalls(RECALLS)
    assert measured["RPN"] == pytest.approx({50: 0.7, 300: 0.95})
    assert measured["Selective Search"] == pytest.approx({50: 0.4, 300: 0.7, 2000: 0.9})


def test_recall_is_drawn_with_its_numbers():
    left, right = figures.recall_panels({"here": {"RPN": {50: 0.5}}, "all": figures.stored_recalls(RECALLS)}).axes
    assert [text.strip() for text in texts(left)] == ["0.50", "RPN"]
    wanted = ["0.70", "0.95", "RPN", "0.40", "0.70", "0.90", "Selective Search"]
    assert [text.strip() for text in texts(right)] == wanted
    assert list(right.lines[1].get_xdata()) == [50, 300, 2000]


def test_the_sentence_says_between_which_numbers_it_is_enough():
    measured = figures.stored_recalls(RECALLS)
    measured["Selective Search"][300] = 0.71
    assert figures.boxes_needed(measured, 50).endswith("Selective Search needs more than 50 and at most 300.")
    assert figures.boxes_needed(measured, 300).endswith("Selective Search needs more than 2,000.")
    assert "RPN covers **95.0%**" in figures.boxes_needed(measured, 300)


def deals_of(*pairs: tuple[float, float]) -> list[dict]:
    return [{"variants": {"faster_rcnn": a, "four steps": b}} for a, b in pairs]


def test_a_difference_is_paired_and_judged():
    said = figures.difference(deals_of((0.7, 0.75), (0.8, 0.83)), "four steps", "faster_rcnn")
    assert said == "four steps **0.790**, Faster R-CNN, end to end **0.750**: +0.040 ± 0.014, more than the deviation."
    none = figures.difference(deals_of((0.7, 0.75), (0.8, 0.76)), "four steps", "faster_rcnn")
    assert "no effect beyond the deviation" in none


def test_variants_that_were_not_measured_have_no_bar():
    result = {"date": "2026-11-23", "deals": deals_of((0.7, 0.75), (0.8, 0.83))}
    axes = figures.variant_bars(result, ["faster_rcnn", "four steps, not shared"]).axes[0]
    assert texts(axes) == ["0.750 ± 0.071"]
    assert axes.get_title(loc="left").endswith("2 trainings, 2026-11-23")


def test_the_two_ways_are_told_apart():
    deals = [{"seconds": {"end to end": t, "step 1: RPN": 10.0 * t}} for t in (1.0, 3.0)]
    deals[0]["seconds"]["step 2: x"] = 5.0
    expected = {"end to end": {"end to end": 2.0}, "four steps": {"step 1: RPN": 20.0, "step 2: x": 5.0}}
    assert figures.ways_seconds(deals) == expected


def test_seconds_have_every_slot_and_the_regions_are_limited(image, detector):
    seen = []
    counting = replace(detector, decode=lambda p, y, rule: seen.append(len(p)) or detector.decode(p, y, rule))
    seconds = figures.picture_seconds(counting, image, regions=3, repeats=2)
    assert list(seconds) == ["encode", "propose", "pool", "embed", "predict", "decode"]
    assert seen == [3, 3]
    assert all(value > 0 for value in seconds.values())


def test_every_anchor_is_of_one_kind(scored, target):
    labels = label_anchors(scored.anchors, target, RPNTraining())
    kinds = training.anchor_kinds(scored.anchors, labels)
    assert torch.stack([*kinds.values()]).sum(0).eq(1).all()
    overlap = iou(scored.anchors.boxes, target.boxes).amax(1)
    assert (overlap[kinds["positive"]] >= 0.7).all()
    assert (overlap[kinds["negative"]] < 0.3).all()
    assert (overlap[kinds["positive, best only"]] < 0.7).all()
    crossing = scored.anchors.boxes[kinds["ignored, crossing"]]
    assert ((crossing[:, :2] < 0).any(1) | (crossing[:, 2] > 80) | (crossing[:, 3] > 60)).all()
    assert all(mask.any() for name, mask in kinds.items() if name != "positive")


def test_labels_are_drawn_by_kind(image, target):
    boxes = torch.tensor([[10.0, 10, 30, 30], [8, 10, 24, 30], [40, 0, 50, 9], [-5, 0, 9, 9], [12, 0, 30, 30]])
    labels = Labels(torch.tensor([1, 1, 0, -1, -1]), torch.zeros(5).long(), torch.tensor([1.0, 0.6, 0, 0, 0.4]))
    figure = training.show_anchor_labels(image, Proposals(boxes, None, SIZE), labels, target)
    assert titles(figure) == ["positive: 1 + 1 best only", "negative: 1", "ignored, between: 1", "ignored, crossing: 1"]
    first, second, _, last = figure.axes
    assert boxes_in(first, POSITIVE) == [(10, 10, 30, 30)]
    assert boxes_in(first, PURPLE) == [(8, 10, 24, 30)]
    assert boxes_in(second, NEGATIVE) == [(40, 0, 50, 9)]
    assert boxes_in(last, INK) == [(-5, 0, 9, 9)]
    assert last.get_xlim()[0] < -5


def test_a_sample_is_counted(image):
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 9, 9], [2, 2, 8, 4]])
    figure = training.show_sample([image, image], [boxes, boxes[:0]], [torch.tensor([1, 0, 0]), torch.zeros(0).long()])
    assert titles(figure) == ["1 positive, 2 negative", "0 positive, 0 negative"]
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[5, 5], [5, 3]]


def steps(count: int, total: int = 4):
    for number in range(1, count + 1):
        parts = {"objectness": 1.0 / number, "anchor deltas": 0.1, "classification": 1.0, "localisation": 2.0}
        yield Step(number, total, sum(parts.values()), parts, 0.1, 0.0)


def test_a_training_keeps_the_proposals_of_the_asked_steps(image, target, detector):
    def moving():
        for record in steps(4):
            with torch.no_grad():
                detector.propose.deltas.bias.fill_(0.1 * record.step)
            yield record

    live = training.LiveProposals(detector, image, target, at=(1, 3))
    live.follow(moving())
    assert list(live.stages) == ["before", "after 1 steps", "after 3 steps"]
    assert len(live.parts["objectness"]) == 4
    before, after = (live.stages[name].boxes for name in ("before", "after 3 steps"))
    assert not torch.equal(before, after)
    assert torch.equal(live.proposals().boxes, detector.propose(image, detector.encode(image)).boxes)
    assert not live.proposals().boxes.requires_grad


def test_an_interrupted_training_is_drawn_and_ended(image, target, detector, monkeypatch):
    screens, ended = [], []

    class Screen:
        def update(self, figure):
            screens.append(titles(figure))

    def interrupted():
        try:
            yield from steps(2)
            raise KeyboardInterrupt
        finally:
            ended.append(True)

    monkeypatch.setattr("lecture_lib.plotting.fast_rcnn_training.display_area", Screen)
    live = training.LiveProposals(detector, image, target, count=5)
    live.follow(interrupted())
    assert live.interrupted
    assert ended == [True]
    terms = ["objectness: 0.75", "anchor deltas: 0.1", "classification: 1", "localisation: 2"]
    assert screens[-1][:4] == terms
    assert screens[-1][4].startswith("step 2 of 4: 5 boxes cover ")
    assert plt.get_fignums() == []  # closed, so that the cell does not show it a second time


def test_a_training_of_one_term_is_drawn(image, target):
    figure = training.training_view({"objectness": [0.0]}, 9, image, target, Proposals.empty(SIZE))
    assert titles(figure) == ["objectness: 0", "step 1 of 9: 0 boxes cover 0 of 2"]


def test_the_four_steps_are_the_papers():
    assert training.turn_states(TURNS) == [
        {"CNN": "learns, from ImageNet", "RPN": "learns", "Fast R-CNN": "not used"},
        {"CNN": "learns, from ImageNet", "RPN": "fixed", "Fast R-CNN": "learns"},
        {"CNN": "fixed, as after step 2", "RPN": "learns", "Fast R-CNN": "fixed"},
        {"CNN": "fixed, as after step 2", "RPN": "fixed", "Fast R-CNN": "learns"},
    ]


def test_the_chart_colours_what_learns():
    turns = [Turn("all", "ImageNet", ("encode", "propose", "embed", "predict")), Turn("rest", "step 1", ("predict",))]
    axes = training.turns_chart(turns).axes[0]
    learning = [same_color(p.get_facecolor(), ORANGE) for p in axes.patches]
    assert learning == [True] * 3 + [False, False, True]
    assert texts(axes)[0] == "1. all"
    assert texts(axes)[4:] == [
        "2. rest", "fixed, as after step 1", "fixed", "learns", "CNN", "RPN", "Fast R-CNN"
    ]  # fmt: skip
    lone = training.turns_chart(TURNS[:1]).axes[0]
    assert same_color(lone.texts[3].get_color(), MUTED)
