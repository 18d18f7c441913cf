import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from lecture_lib.matching import (
    FAST_RCNN,
    RCNN_BOX_REGRESSION,
    RCNN_FINE_TUNING,
    RCNN_SVM,
    RPN,
    IoURule,
    SampleRule,
    label_proposals,
    sample,
)
from lecture_lib.structures import Proposals, Target

SIZE = (100, 100)
RULES = [RCNN_FINE_TUNING, RCNN_SVM, RCNN_BOX_REGRESSION, FAST_RCNN, RPN]


def target_of(boxes, labels, difficult=None) -> Target:
    difficult = [False] * len(labels) if difficult is None else difficult
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Target(boxes, torch.tensor(labels, dtype=torch.long), torch.tensor(difficult, dtype=torch.bool), None, SIZE)


def proposals_of(boxes) -> Proposals:
    return Proposals(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), None, SIZE)


def strip(overlap: float) -> list[float]:
    """A box whose IoU with (0, 0, 100, 10) is exactly `overlap`."""
    return [0, 0, 100 * overlap, 10]


ONE = target_of([[0, 0, 100, 10]], [3])


@pytest.mark.parametrize("rule", RULES)
def test_empty_input(rule, device):
    box = proposals_of([[0, 0, 5, 5]]).to(device)
    assert len(label_proposals(Proposals.empty(SIZE).to(device), ONE.to(device), rule).labels) == 0
    alone = label_proposals(box, Target.empty(SIZE).to(device), rule)
    background = rule.background is not None and rule.background[0] == 0.0
    assert alone.labels.tolist() == [0 if background else -1]
    assert alone.matched.tolist() == [-1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [  # IoU:            0.05 0.1 0.29 0.3 0.49 0.5 0.59 0.6 0.69 0.7  1.0
        (RCNN_FINE_TUNING, [0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3]),
        (RCNN_SVM, [0, 0, 0, -1, -1, -1, -1, -1, -1, -1, 3]),
        (RCNN_BOX_REGRESSION, [-1, -1, -1, -1, -1, -1, -1, 3, 3, 3, 3]),
        (FAST_RCNN, [-1, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3]),
        (RPN, [0, 0, 0, -1, -1, -1, -1, -1, -1, 3, 3]),
    ],
)
def test_the_papers_thresholds(rule, expected, device):
    # Doubles, because 0.1, 0.3 and so on are not floats: the rule is tested at the threshold itself.
    overlaps = [0.05, 0.1, 0.29, 0.3, 0.49, 0.5, 0.59, 0.6, 0.69, 0.7, 1.0]
    boxes = torch.tensor([strip(o) for o in overlaps], dtype=torch.float64, device=device)
    target = Target(ONE.boxes.double(), ONE.labels, ONE.difficult, None, SIZE).to(device)
    labels = label_proposals(Proposals(boxes, None, SIZE), target, rule)
    assert labels.labels.tolist() == expected
    torch.testing.assert_close(labels.iou, torch.tensor(overlaps, dtype=torch.float64, device=device))


corner = st.integers(0, 8).map(float)
some_boxes = st.lists(
    st.tuples(corner, corner, corner, corner).map(
        lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]) + 1, max(b[1], b[3]) + 1)
    ),
    min_size=1,
    max_size=8,
)


@given(some_boxes, some_boxes, st.sampled_from(RULES))
def test_labels_equal_torchvision_s_matcher(rows, objects, rule):
    proposals, target = proposals_of(rows), target_of(objects, list(range(1, len(objects) + 1)))
    low = rule.background[1] if rule.background else 0.0
    matcher = Matcher(rule.foreground, low, allow_low_quality_matches=rule.best_is_foreground)
    overlap = box_iou(target.boxes, proposals.boxes)
    if rule.best_is_foreground:  # theirs counts an IoU of 0 as an object's best; there is nothing to learn from that
        overlap = overlap[overlap.max(dim=1).values > 0]
        target = target[box_iou(target.boxes, proposals.boxes).max(dim=1).values > 0]
    if not len(target):
        return
    theirs = matcher(overlap)
    ours = label_proposals(proposals, target, rule)
    foreground = theirs >= 0
    assert torch.equal(ours.labels > 0, foreground)
    best = overlap.max(dim=0).values
    assert torch.equal(ours.iou, best)
    assert torch.equal(overlap[ours.matched[foreground], foreground.nonzero()[:, 0]], best[foreground])
    if rule.background:
        expected = (theirs == Matcher.BELOW_LOW_THRESHOLD) & (best >= rule.background[0])
        assert torch.equal(ours.labels == 0, expected)


def test_the_best_object_wins_and_of_equals_the_first():
    target = target_of([[0, 0, 10, 10], [2, 0, 12, 10], [0, 0, 10, 10]], [1, 2, 3])
    labels = label_proposals(proposals_of([[0, 0, 10, 10], [2, 0, 12, 10]]), target, RCNN_FINE_TUNING)
    assert labels.labels.tolist() == [1, 2]
    assert labels.matched.tolist() == [0, 1]


def test_every_tied_best_anchor_is_foreground():
    anchors = proposals_of([[0, 0, 5, 10], [5, 0, 10, 10], [0, 20, 10, 30]])
    labels = label_proposals(anchors, target_of([[0, 0, 10, 10]], [1]), RPN)
    assert labels.labels.tolist() == [1, 1, 0]


def test_difficult_objects_are_neither_foreground_nor_background():
    target = target_of([[0, 0, 10, 10], [50, 50, 60, 60]], [1, 2], difficult=[True, False])
    rows = proposals_of([[0, 0, 10, 10], [0, 0, 10, 4], [50, 50, 60, 60], [80, 80, 90, 90]])
    assert label_proposals(rows, target, RCNN_FINE_TUNING).labels.tolist() == [-1, 0, 2, 0]


def test_svm_labels_are_per_class():
    target = target_of([[0, 0, 10, 10], [5, 0, 15, 10]], [1, 2])
    dog = proposals_of([[0, 0, 10, 10]])
    assert label_proposals(dog, target.of_class(1), RCNN_SVM).labels.tolist() == [1]
    assert label_proposals(dog, target.of_class(2), RCNN_SVM).labels.tolist() == [-1]  # IoU 1/3 with the cat
    assert label_proposals(dog, target.of_class(3), RCNN_SVM).labels.tolist() == [0]


def test_no_row_to_sample(generator):
    assert sample(torch.full((5,), -1), SampleRule(), generator).tolist() == []


def test_sample_is_32_objects_and_96_backgrounds(generator, device):
    labels = torch.tensor([-1, 0, 0, 0, 2] * 200, device=device)
    rows = sample(labels, SampleRule(), generator)
    assert rows.device.type == device.type
    assert len(rows) == len(rows.unique()) == 128
    assert (labels[rows] > 0).sum() == 32
    assert (labels[rows] == 0).sum() == 96


@pytest.mark.parametrize(
    ("foreground", "background", "expected"), [(3, 200, (3, 125)), (50, 10, (32, 10)), (0, 5, (0, 5))]
)
def test_missing_foreground_is_made_up_by_background_only(foreground, background, expected, generator):
    labels = torch.tensor([1] * foreground + [0] * background + [-1] * 40)
    rows = sample(labels, SampleRule(), generator)
    assert ((labels[rows] > 0).sum().item(), (labels[rows] == 0).sum().item()) == expected


def test_sample_repeats_under_a_seed_and_reaches_every_row():
    labels = torch.tensor([1] * 40 + [0] * 200)
    draws = [sample(labels, SampleRule(), torch.Generator().manual_seed(seed)) for seed in range(40)]
    assert torch.equal(draws[0], sample(labels, SampleRule(), torch.Generator().manual_seed(0)))
    assert torch.cat(draws).unique().tolist() == list(range(240))


@pytest.mark.parametrize(
    "bad", [{"foreground": 0.0, "background": None}, {"foreground": 0.5, "background": (0.2, 0.6)}]
)
def test_bad_rule(bad):
    with pytest.raises(ValueError, match="IoURule"):
        IoURule(**bad)


def test_bad_sample_rule():
    with pytest.raises(ValueError, match="SampleRule"):
        SampleRule(size=0)
