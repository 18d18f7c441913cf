"""lecture_lib.decoding: against a loop over classes and boxes in plain Python."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lecture_lib.boxes import BoxCoder
from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.structures import Predictions, Proposals

SIZE = (20, 30)
KEEP_ALL = DecodeRule(score_threshold=-math.inf, nms_threshold=None, max_detections=10_000)

Box = tuple[float, float, float, float]


def moved(box: list[float], delta: list[float]) -> Box:
    """A box after its deltas, cut off at the image's border."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    x, y = x1 + width / 2 + width * delta[0], y1 + height / 2 + height * delta[1]
    width, height = width * math.exp(delta[2]), height * math.exp(delta[3])
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return tuple(min(max(value, 0.0), SIZE[1 - i % 2]) for i, value in enumerate(corners))


def overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared)


def slow_decode(proposals: Proposals, predictions: Predictions, rule: DecodeRule) -> list[tuple[float, int, int, Box]]:
    """(score, label, row, box) of every detection, best first."""
    found = []
    for k in range(predictions.scores.shape[1]):
        candidates = []
        for r in range(len(proposals)):
            score = float(predictions.scores[r, k])
            box = moved(proposals.boxes[r].tolist(), predictions.deltas[r, k].tolist())
            if score > rule.score_threshold and box[2] > box[0] and box[3] > box[1]:
                candidates.append((score, k + 1, r, box))
        kept = []
        for candidate in sorted(candidates, key=lambda c: (-c[0], c[2])):
            doubles = [other for other in kept if overlap(candidate[3], other[3]) > (rule.nms_threshold or 0.0)]
            if rule.nms_threshold is None or not doubles:
                kept.append(candidate)
        found += kept
    return sorted(found, key=lambda c: (-c[0], c[1], c[2]))[: rule.max_detections]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Proposals, Predictions, DecodeRule]:
    """Boxes on whole pixels, partly outside, partly without area; few values of scores, so that many are equal.

    Thresholds and most deltas are sums of powers of two: what is equal in Python is equal in float32.
    """
    classes, count = draw(st.integers(1, 3)), draw(st.integers(0, 8))
    corner, side = st.integers(-4, 14), st.integers(0, 16)
    rows = [(draw(corner), draw(corner), draw(side), draw(side)) for _ in range(count)]
    boxes = torch.tensor([(x, y, x + w, y + h) for x, y, w, h in rows]).float().reshape(-1, 4)
    shift, growth = st.sampled_from([0.0, 0.0, 0.25, -0.5, 2.0]), st.sampled_from([0.0, 0.0, 0.3, -0.7])
    deltas = [[draw(shift), draw(shift), draw(growth), draw(growth)] for _ in range(count * classes)]
    scores = [draw(st.sampled_from([-1.5, 0.0, 0.25, 0.5, 0.5, 0.75])) for _ in range(count * classes)]
    predictions = Predictions(
        torch.tensor(scores).reshape(count, classes), torch.tensor(deltas).reshape(count, classes, 4)
    )
    rule = DecodeRule(
        draw(st.sampled_from([-2.0, 0.0, 0.25])),
        draw(st.sampled_from([None, 0.0, 0.25, 0.5, 1.0])),
        draw(st.sampled_from([1, 4, 100])),
    )
    return Proposals(boxes, None, SIZE), predictions, rule


@pytest.mark.parametrize("rule", [DecodeRule(), DecodeRule(nms_threshold=None)])
def test_no_region_no_detection(device: torch.device, rule: DecodeRule) -> None:
    found = decode(Proposals.empty(SIZE).to(device), Predictions.empty(3).to(device), rule)
    assert len(found) == 0
    assert (found.boxes.shape, found.image_size, found.boxes.device.type) == ((0, 4), SIZE, device.type)


@given(cases())
def test_against_a_loop(case: tuple[Proposals, Predictions, DecodeRule]) -> None:
    found, expected = decode(*case), slow_decode(*case)
    assert found.labels.tolist() == [label for _, label, _, _ in expected]
    assert found.proposal_index.tolist() == [row for _, _, row, _ in expected]
    assert found.scores.tolist() == [score for score, _, _, _ in expected]
    boxes = torch.tensor([box for _, _, _, box in expected]).reshape(-1, 4)
    torch.testing.assert_close(found.boxes, boxes, atol=1e-4, rtol=0)
    assert (found.masks, found.image_size) == (None, SIZE)


def random_case(generator: torch.Generator, count: int = 60, classes: int = 4) -> tuple[Proposals, Predictions]:
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([20.0, 12.0])
    boxes = torch.cat([corner, corner + 1 + 6 * torch.rand(count, 2, generator=generator)], dim=1)
    scores = torch.rand(count, classes, generator=generator)
    return Proposals(boxes, None, SIZE), Predictions(scores, torch.zeros(count, classes, 4))


def test_scores_are_sorted_and_the_index_leads_back(device: torch.device, generator: torch.Generator) -> None:
    proposals, predictions = (record.to(device) for record in random_case(generator))
    found = decode(proposals, predictions, DecodeRule(score_threshold=0.3))
    assert 10 < len(found) <= 100
    assert (found.scores.diff() <= 0).all()
    assert torch.equal(found.scores, predictions.scores[found.proposal_index, found.labels - 1])
    torch.testing.assert_close(found.boxes, proposals.boxes[found.proposal_index])  # the deltas are zero


def test_without_suppression_every_region_is_found_for_every_class(generator: torch.Generator) -> None:
    proposals, predictions = random_case(generator)
    found = decode(proposals, predictions, KEEP_ALL)
    pairs = set(zip(found.proposal_index.tolist(), found.labels.tolist(), strict=True))
    assert pairs == {(r, k + 1) for r in range(60) for k in range(4)}
    assert len(found) == 240


@pytest.mark.parametrize(("threshold", "kept"), [(None, [0, 1, 2, 3]), (0.5, [0, 1, 3]), (0.25, [0, 3]), (0.0, [0])])
def test_doubles_are_suppressed_above_the_threshold(threshold: float | None, kept: list[int]) -> None:
    """Rows 1 to 3 overlap row 0 by 1/2, 9/10 and 1/19; an overlap of just the threshold is no double."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 5, 10], [0, 0, 9, 10], [9, 0, 19, 10]])
    boxes[2, 0] = -1  # clipped to 0 .. 9
    scores = torch.tensor([[0.9], [0.8], [0.7], [0.6]])
    predictions = Predictions(scores, torch.zeros(4, 1, 4))
    found = decode(Proposals(boxes, None, SIZE), predictions, DecodeRule(nms_threshold=threshold))
    assert found.proposal_index.tolist() == kept


def test_doubles_of_another_class_stay() -> None:
    proposals = Proposals(torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]]), None, SIZE)
    found = decode(proposals, Predictions(torch.tensor([[0.9, 0.1], [0.8, 0.7]]), torch.zeros(2, 2, 4)), DecodeRule())
    assert list(zip(found.proposal_index.tolist(), found.labels.tolist(), strict=True)) == [(0, 1), (1, 2)]


def test_deltas_are_read_by_the_rules_coder() -> None:
    """Normalised deltas (Fast R-CNN): 1 means one standard deviation, 0.1 of the width."""
    proposals = Proposals(torch.tensor([[10.0, 4, 20, 14]]), None, SIZE)
    predictions = Predictions(torch.ones(1, 1), torch.tensor([[[1.0, 0, 0, 0]]]))
    coder = BoxCoder(std=(0.1, 0.1, 0.2, 0.2))
    assert decode(proposals, predictions, DecodeRule(coder=coder)).boxes.tolist() == [[11, 4, 21, 14]]
    assert decode(proposals, predictions, DecodeRule()).boxes.tolist() == [[20, 4, 30, 14]]


def test_records_of_other_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 proposals but 3 predictions; row r is one region"):
        decode(Proposals(torch.zeros(2, 4), None, SIZE), Predictions(torch.zeros(3, 1), torch.zeros(3, 1, 4)), KEEP_ALL)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"nms_threshold": 1.5}, "an IoU in 0..1 or None, got 1.5"),
        ({"nms_threshold": -0.1}, "an IoU in 0..1 or None, got -0.1"),
        ({"max_detections": 0}, "at least 1, got 0"),
    ],
)
def test_bad_rules(values: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DecodeRule(**values)
