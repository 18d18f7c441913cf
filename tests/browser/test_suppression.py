from dataclasses import replace

import pytest
import torch

from lecture_lib.boxes import clip, nms_steps
from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.structures import Predictions, Proposals
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

SIZE = (60, 80)
THRESHOLDS = [0.0, 0.1, 0.3, 0.45, 0.5, 0.7, 0.95, 1.0]
SCORES = [-1.0, 0.05, 0.1, 0.3, 0.6, 0.9, 2.0]
SUPPRESS = """({boxes, scores, classes, size, settings}) => {
    const inside = script.clip(new Float32Array(boxes), size);
    const s = new Float32Array(scores);
    const order = script.ranked(inside, s, classes);
    return settings.map(setting => script.suppress(inside, s, order, setting));
}"""


def random_predictions(seed: int, count: int, classes: int = 3, decimals: int = 1):
    """Proposals on a coarse grid with scores of few decimals: many ties, some boxes outside the picture or empty."""
    generator = torch.Generator().manual_seed(seed)
    corners = 5 * torch.randint(0, 14, (count, 2), generator=generator)
    sides = 5 * torch.randint(0, 6, (count, 2), generator=generator)
    proposals = Proposals(torch.cat([corners, corners + sides], 1).float(), None, SIZE)
    scores = (2 * torch.rand(count, classes, generator=generator) - 0.9).round(decimals=decimals)
    deltas = 0.4 * torch.randn(count, classes, 4, generator=generator).round(decimals=1)
    return proposals, Predictions(scores, deltas)


def suppress(evaluate, proposals, predictions, settings, rule=DecodeRule()) -> list[dict]:  # noqa: B008
    boxes = rule.coder.decode(proposals.boxes, predictions.deltas)
    data = {"boxes": boxes.flatten().tolist(), "scores": predictions.scores.flatten().tolist(), "size": SIZE}
    most = {"most": rule.max_detections}
    return evaluate(SUPPRESS, data | {"classes": boxes.shape[1], "settings": [s | most for s in settings]})


def check_equal(evaluate, proposals, predictions, rule):
    settings = [{"score": score, "threshold": threshold} for score in SCORES for threshold in THRESHOLDS]
    classes = predictions.scores.shape[1]
    for setting, got in zip(settings, suppress(evaluate, proposals, predictions, settings, rule), strict=True):
        wanted = decode(
            proposals,
            predictions,
            replace(rule, score_threshold=setting["score"], nms_threshold=setting["threshold"]),
        )
        kept = [divmod(round_["kept"], classes) for round_ in got["rounds"]]
        assert [(row, k + 1) for row, k in kept] == list(
            zip(wanted.proposal_index.tolist(), wanted.labels.tolist(), strict=True)
        ), setting


def test_no_proposal_and_no_class(javascript):
    evaluate = javascript("suppression")
    for count, classes in ((0, 3), (0, 0), (4, 0)):
        proposals = Proposals(torch.ones(count, 4).cumsum(1), None, SIZE)
        predictions = Predictions(torch.zeros(count, classes), torch.zeros(count, classes, 4))
        (got,) = suppress(evaluate, proposals, predictions, [{"score": 0.0, "threshold": 0.5}])
        assert got == {"candidates": [], "rounds": []}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [5, 10_000])
def test_detections_are_those_of_decode_ties_included(javascript, seed, most):
    check_equal(javascript("suppression"), *random_predictions(seed, 80), DecodeRule(max_detections=most))


def test_detections_are_those_of_decode_with_2000_boxes(javascript):
    check_equal(javascript("suppression"), *random_predictions(9, 2000, 1, decimals=7), DecodeRule())


@pytest.mark.parametrize("sabotage", [("overlap > threshold", "overlap >= threshold"), ("Math.fround(score)", "score")])
def test_a_wrong_comparison_would_be_seen(javascript, sabotage):
    with pytest.raises(AssertionError):
        check_equal(javascript("suppression", sabotage), *random_predictions(0, 80), DecodeRule(max_detections=10_000))


def test_rounds_are_those_of_nms_steps(javascript):
    proposals, predictions = random_predictions(3, 60, classes=1)
    boxes = clip(DecodeRule().coder.decode(proposals.boxes, predictions.deltas), SIZE)[:, 0]
    rows = (((boxes[:, 2:] > boxes[:, :2]).all(1)) & (predictions.scores[:, 0] > 0.05)).nonzero().flatten()
    (got,) = suppress(javascript("suppression"), proposals, predictions, [{"score": 0.05, "threshold": 0.3}])
    steps = list(nms_steps(boxes[rows], predictions.scores[rows, 0], 0.3))
    assert len(steps) == len(got["rounds"]) > 3
    for step, round_ in zip(steps, got["rounds"], strict=True):
        assert round_["kept"] == rows[step.kept]
        assert round_["rejected"] == rows[step.rejected].tolist()
        assert torch.equal(torch.tensor(round_["ious"]), step.rejected_iou)
