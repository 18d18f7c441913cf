"""Recall and best overlap of proposals."""

import numpy as np
import pytest
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from lecture_lib.evaluation import mean_best_overlap, recall
from tests.evaluation.records import NO_OBJECT, NO_PROPOSAL, A, B, boxes, make_proposals, make_target


def test_no_proposals_and_no_objects():
    assert recall([NO_PROPOSAL], [make_target((*A, 1, 0))], counts=(1, 5)).tolist() == [0, 0]
    for pairs in (([], []), ([NO_PROPOSAL], [NO_OBJECT])):
        assert recall(*pairs, counts=(1, 5)).isnan().all()
        overlap = mean_best_overlap(*pairs, counts=(1, 5))
        assert overlap.mean_over_objects.isnan().all()
        assert overlap.mean_over_classes.isnan().all()
        assert overlap.per_class == {}


def test_recall_and_overlap_by_hand():
    targets = [make_target((*A, 1, 0), (*B, 2, 0)), make_target((*A, 1, 0), (*B, 2, 1))]
    proposals = [make_proposals((0, 0, 10, 5), (10, 10, 20, 20)), make_proposals((0, 0, 10, 4), A)]
    assert recall(proposals, targets, counts=(1, 2, 99)).tolist() == pytest.approx([1 / 3, 1, 1])
    overlap = mean_best_overlap(proposals, targets, counts=(1, 2))
    assert overlap.counts == (1, 2)
    assert overlap.per_class[1].tolist() == pytest.approx([0.45, 0.75])
    assert overlap.per_class[2].tolist() == pytest.approx([0, 1])
    assert overlap.mean_over_classes.tolist() == pytest.approx([0.225, 0.875])
    assert overlap.mean_over_objects.tolist() == pytest.approx([0.3, 2.5 / 3])


@given(st.lists(st.tuples(st.lists(boxes(), max_size=4), st.lists(boxes(0), max_size=6)), min_size=1, max_size=3))
def test_recall_is_the_slow_loops(drawn):
    targets = [make_target(*[(*box, 1 + i % 2, i % 3 == 2) for i, box in enumerate(objects)]) for objects, _ in drawn]
    proposals = [make_proposals(*found) for _, found in drawn]
    best = {1: [], 3: []}
    for target, proposal in zip(targets, proposals, strict=True):
        overlap = torchvision.ops.box_iou(target.boxes.double(), proposal.boxes.double())
        for g in range(len(target)):
            for count in best:
                if not target.difficult[g]:
                    best[count].append(max(overlap[g, :count].tolist(), default=0.0))
    if not best[1]:
        return
    for threshold in (0.5, 0.8):
        expected = [np.mean([value >= threshold for value in values]) for values in best.values()]
        assert recall(proposals, targets, threshold, counts=tuple(best)).tolist() == pytest.approx(expected)
    overlap = mean_best_overlap(proposals, targets, counts=tuple(best))
    assert overlap.mean_over_objects.tolist() == pytest.approx([np.mean(values) for values in best.values()])


@pytest.mark.parametrize("measure", [recall, mean_best_overlap])
def test_bad_proposals_are_one_clear_error(measure):
    with pytest.raises(ValueError, match="1 records of results for 0 targets"):
        measure([NO_PROPOSAL], [])
    for counts in ((), (0, 5)):
        with pytest.raises(ValueError, match="counts is"):
            measure([NO_PROPOSAL], [NO_OBJECT], counts=counts)
