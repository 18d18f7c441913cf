import pytest
import torch

from lecture_lib.boxes import BoxCoder, iou
from lecture_lib.proposals import Anchors, ProposalRule, ScoredAnchors, anchor_grid, choose_proposals
from lecture_lib.structures import FeatureMap, Proposals, Target
from lecture_lib.training.rpn import RPNTraining, label_anchors
from lecture_lib.widgets.anchors import REASONS, anchors_explorer, judged, label_reasons

SIZE = (60, 80)
ANCHORS = Anchors((8, 16, 32), (0.5, 1.0), stride=4)


@pytest.fixture
def feature_map():
    return FeatureMap(torch.zeros(2, 15, 20), (4.0, 4.0), SIZE)


@pytest.fixture
def scored(feature_map, generator):
    boxes = Proposals(anchor_grid(feature_map, ANCHORS), None, SIZE)
    deltas = torch.tensor([[0.25, 0.0, 0.0, 0.0]]).repeat(len(boxes), 1)
    return ScoredAnchors(boxes, torch.randn(len(boxes), generator=generator), deltas)


def test_a_picture_without_objects_has_negatives_only(image, feature_map, scored):
    anchors_explorer(image, feature_map, ANCHORS, scored, Target.empty(SIZE)).html()
    arrays = judged(scored, Target.empty(SIZE), RPNTraining())
    assert arrays["iou"].max() == arrays["after"].max() == 0
    assert {REASONS[reason] for reason in arrays["reasons"].tolist()} == {"negative", "ignored: crosses the border"}


def test_it_starts_with_the_best_anchor(image, feature_map, scored, target):
    values = anchors_explorer(image, feature_map, ANCHORS, scored, target).values
    (column, row), shape = values["cell"], values["anchor"]
    overlap = iou(scored.anchors.boxes, target.boxes)
    assert overlap[(row * 20 + column) * 6 + shape].max() == overlap.max()


def test_the_network_moves_the_anchors_and_the_picture_ends_them(scored, target):
    arrays = judged(scored, target, RPNTraining())
    wanted = BoxCoder().decode(scored.anchors.boxes, scored.deltas)
    limit = torch.tensor([80, 60, 80, 60])
    assert torch.equal(arrays["moved"], wanted.clamp(min=0).minimum(limit))
    assert (wanted[:, 2] > 80).any()
    assert torch.equal(arrays["after"], iou(arrays["moved"], target.boxes).amax(1))
    assert torch.equal(arrays["objectness"], scored.logits.sigmoid())


def test_every_label_has_a_reason(scored, target):
    labels = label_anchors(scored.anchors, target, RPNTraining())
    reasons = [REASONS[reason] for reason in label_reasons(scored, labels, RPNTraining()).tolist()]
    words = {0: "negative", -1: "ignored"}
    assert all(
        reason.startswith(words.get(label, "positive"))
        for label, reason in zip(labels.labels.tolist(), reasons, strict=True)
    )
    assert {*REASONS} - {"positive"} <= {*reasons}
    x1, y1, x2, y2 = scored.anchors.boxes.unbind(1)
    outside = (x1 < 0) | (y1 < 0) | (x2 > 80) | (y2 > 60)
    assert [reason == "ignored: crosses the border" for reason in reasons] == outside.tolist()


def test_anchors_that_cross_the_border_may_be_allowed(scored, target):
    settings = RPNTraining(ignore_crossing=False)
    labels = label_anchors(scored.anchors, target, settings)
    assert 2 not in label_reasons(scored, labels, settings)


def test_the_places_are_those_of_the_proposals(scored, target):
    arrays = judged(scored, target, RPNTraining())
    proposals = choose_proposals([scored], ProposalRule())
    assert arrays["place"].max() == len(proposals) > 50
    order = [int((arrays["place"] == place).nonzero()) for place in range(1, len(proposals) + 1)]
    assert torch.allclose(arrays["moved"][order], proposals.boxes)
    assert torch.equal(arrays["objectness"][order], proposals.scores)


def test_what_does_not_belong_together_is_refused(as_user, image, feature_map, scored, target):
    with pytest.raises(ValueError, match="40 x 30 pixels, but the proposals are of one with 80 x 60"):
        anchors_explorer(torch.zeros(3, 30, 40), feature_map, ANCHORS, scored, target)
    with pytest.raises(ValueError, match="15 x 20 cells with 3 anchors each has 900 anchors, but 1800 are scored"):
        anchors_explorer(image, feature_map, Anchors((8, 16, 32), (1.0,), stride=4), scored, target)
