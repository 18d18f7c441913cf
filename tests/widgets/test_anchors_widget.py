import re

import pytest
import torch

from lecture_lib.boxes import BoxCoder, iou
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH, MUTED, NEGATIVE, POSITIVE
from lecture_lib.proposals import Anchors, ScoredAnchors, anchor_grid
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.rpn import RPNTraining, label_anchors
from lecture_lib.widgets.anchors import anchors_explorer, label_reason

SIZE = (60, 80)
ANCHORS = Anchors((8, 16, 32), (0.5, 1.0), stride=4)


@pytest.fixture
def feature_map():
    return FeatureMap(torch.zeros(2, 15, 20), (4.0, 4.0), SIZE)


@pytest.fixture
def scored(feature_map):
    boxes = Proposals(anchor_grid(feature_map, ANCHORS), None, SIZE)
    deltas = torch.tensor([[0.25, 0.0, 0.0, 0.0]]).repeat(len(boxes), 1)
    return ScoredAnchors(boxes, torch.zeros(len(boxes)), deltas)


@pytest.fixture
def explorer(image, feature_map, scored, target):
    return anchors_explorer(image, feature_map, ANCHORS, scored, target)


def rects(html: str, color: str) -> list[tuple[float, ...]]:
    """Corners of the boxes in a colour."""
    pattern = r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*stroke="' + color + '"'
    numbers = [tuple(map(float, found)) for found in re.findall(pattern, html)]
    return [(x, y, x + w, y + h) for x, y, w, h in numbers]


def caption(explorer) -> str:
    return re.search(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.canvas.value).group(1)


def set_to(explorer, column: int, row: int, shape: int) -> None:
    for slider, value in zip(explorer.children[:3], (column, row, shape), strict=True):
        slider.value = value


def test_it_starts_with_the_best_anchor(explorer, scored, target):
    column, row, shape = (slider.value for slider in explorer.children[:3])
    overlap = iou(scored.anchors.boxes, target.boxes)
    best = scored.anchors.boxes[(row * 20 + column) * 6 + shape]
    assert iou(best[None], target.boxes).max() == overlap.max()
    assert caption(explorer).startswith(f"IoU {float(overlap.max()):.2f} → positive")
    assert rects(explorer.canvas.value, GROUND_TRUTH) == [(10, 10, 30, 30), (45, 30, 75, 55)]


def test_the_sliders_choose_the_anchor_of_the_grid(explorer, scored):
    for column, row, shape in ((5, 12, 3), (9, 4, 0), (19, 14, 5)):
        set_to(explorer, column, row, shape)
        chosen = scored.anchors.boxes[(row * 20 + column) * 6 + shape].tolist()
        every = [box for color in (POSITIVE, NEGATIVE, MUTED) for box in rects(explorer.canvas.value, color)]
        assert every == [pytest.approx(chosen, abs=0.11)]
        assert f'cx="{4 * column:.1f}" cy="{4 * row:.1f}"' in explorer.canvas.value


def test_labels_and_colours_follow_the_rule(explorer, scored, target):
    labels = label_anchors(scored.anchors, target, RPNTraining()).labels
    seen = set()
    for cell in range(0, 300, 7):
        for shape in (1, 4):
            set_to(explorer, cell % 20, cell // 20, shape)
            label = int(labels[cell * 6 + shape])
            color, word = {1: (POSITIVE, "positive"), 2: (POSITIVE, "positive"), 0: (NEGATIVE, "negative")}.get(
                label, (MUTED, "ignored")
            )
            assert len(rects(explorer.canvas.value, color)) == 1
            assert f"→ {word}" in caption(explorer)
            seen.add(word)
    assert seen == {"positive", "negative", "ignored"}


def test_ignored_anchors_say_why(scored, target):
    labels = label_anchors(scored.anchors, target, RPNTraining())
    reasons = {label_reason(scored, labels, row) for row in range(len(scored.logits))}
    wanted = {"positive: the best of an object", "negative", "ignored: in between", "ignored: crosses the border"}
    assert wanted <= reasons
    assert label_reason(scored, labels, 0) == "ignored: crosses the border"


def test_the_networks_answer_is_decoded_and_clipped(explorer, scored):
    set_to(explorer, 18, 7, 4)
    anchor, deltas = scored.anchors.boxes[[(7 * 20 + 18) * 6 + 4]], torch.tensor([[0.25, 0.0, 0, 0]])
    moved = BoxCoder().decode(anchor, deltas)[0].tolist()
    assert moved[2] > 80
    assert rects(explorer.canvas.value, DETECTION) == [pytest.approx((moved[0], moved[1], 80, moved[3]), abs=0.11)]
    assert "stroke-dasharray" in explorer.canvas.value
    assert "objectness 0.50" in caption(explorer)


def test_a_picture_without_objects_has_negatives_only(image, feature_map, scored):
    nothing = Target(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0).bool(), None, SIZE)
    explorer = anchors_explorer(image, feature_map, ANCHORS, scored, nothing)
    set_to(explorer, 10, 7, 0)
    assert caption(explorer) == "IoU 0.00 → negative · the RPN: objectness 0.50, moved to IoU 0.00"
