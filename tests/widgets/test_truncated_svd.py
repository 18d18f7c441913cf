import pytest
import torch

from lecture_lib.detectors import fast_rcnn
from lecture_lib.heads import compressed
from lecture_lib.structures import Detections, Proposals
from lecture_lib.widgets.truncated_svd import Ranks, compare_detections, svd_explorer, timed
from tests.tiny import tiny_backbone

SIZE = (60, 80)


@pytest.fixture
def detector():
    torch.manual_seed(0)
    found = fast_rcnn(("red", "green"), tiny_backbone(), torch.Generator().manual_seed(0), scales=(60,))
    with torch.no_grad():
        found.predict.classify.weight.mul_(300)  # so that the scores of regions differ
    return found


@pytest.fixture
def trace(detector, image):
    return detector.trace(image, Proposals(torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55]]), None, SIZE))


@pytest.mark.parametrize("ranks", [(None, None), (6, 5), (3, None), (None, 1), (2, 4)])
def test_a_cut_tail_is_that_of_the_library(detector, ranks):
    pooled = torch.randn(7, 2, 2, 2)
    cut, expected = Ranks(detector.embed).cut(*ranks), compressed(detector.embed, *ranks)
    assert [p.shape for p in cut.parameters()] == [p.shape for p in expected.parameters()]
    with torch.no_grad():
        assert torch.allclose(cut(pooled).fc7, expected(pooled).fc7, atol=1e-5)


def test_cutting_leaves_the_old_tail_and_the_factors_alone(detector):
    before = [p.detach().clone() for p in detector.embed.parameters()]
    ranks, pooled = Ranks(detector.embed), torch.randn(3, 2, 2, 2)
    ranks.cut(1, 1)
    with torch.no_grad():
        assert torch.allclose(ranks.cut(6, 5)(pooled).fc7, detector.embed(pooled).fc7, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, detector.embed.parameters(), strict=True))


@pytest.mark.parametrize("rank", [0, 7])
def test_a_rank_that_cannot_be_is_told(detector, rank):
    with pytest.raises(ValueError, match=f"fc6 has ranks 1 to 6, not {rank}"):
        Ranks(detector.embed).cut(rank, None)


def test_timing_gives_the_features_and_milliseconds(detector):
    pooled = torch.randn(3, 2, 2, 2)
    features, milliseconds = timed(detector.embed, pooled)
    with torch.no_grad():
        assert torch.equal(features.fc7, detector.embed(pooled).fc7)
    assert milliseconds > 0


def detections(boxes: list[list], labels: list[int]) -> Detections:
    n = len(boxes)
    corners = torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
    return Detections(corners, torch.tensor(labels).long(), torch.ones(n), torch.arange(n), None, SIZE)


def test_nothing_is_kept_or_lost_of_nothing():
    kept, lost = compare_detections(detections([], []), detections([], []))
    assert (len(kept), len(lost)) == (0, 0)
    kept, lost = compare_detections(detections([], []), detections([[0, 0, 5, 5]], [1]))
    assert kept.tolist() == [False]
    kept, lost = compare_detections(detections([[0, 0, 5, 5]], [1]), detections([], []))
    assert lost.tolist() == [True]


def test_the_same_detection_has_the_same_class_and_place_and_counts_once():
    before = detections([[0, 0, 10, 10], [20, 20, 40, 40], [50, 10, 70, 30]], [1, 2, 1])
    after = detections([[1, 0, 10, 10], [0, 0, 9, 10], [20, 20, 40, 40], [50, 10, 70, 30]], [1, 1, 1, 1])
    kept, lost = compare_detections(before, after)
    assert kept.tolist() == [True, False, False, True]
    assert lost.tolist() == [False, True, False]


def test_every_rank_is_tried_once(image, detector, trace):
    widget = svd_explorer(image, detector, trace, stored=[{"rank": 2, "map": 0.25}, {"rank": None, "map": 0.5}])
    rows = widget.state()["inputs"]["rows"]
    assert [(row["fc6"], row["fc7"]) for row in rows] == [(1, 1), (2, 1), (4, 1), (None, None)]
    assert [row["map"] for row in rows] == [None, 0.25, None, 0.5]
    # fc6 is 8 -> 6, fc7 6 -> 5; rank t needs t (u + v) numbers and the bias
    assert [row["weights"] for row in rows] == [14 * t + 6 + 11 + 5 for t in (1, 2, 4)] + [89]
    assert all(row["ms"] > 0 for row in rows)
    assert widget.values == {"row": 3}
    widget.html()


def test_what_is_found_is_that_of_the_library(detector, trace, image):
    arrays = svd_explorer(image, detector, trace)._data.arrays
    for number, ranks in enumerate([(1, 1), (2, 1), (4, 1), (None, None)]):
        with torch.no_grad():
            pooled = detector.pool(trace.maps, trace.proposals)
            scores = detector.predict(compressed(detector.embed, *ranks)(pooled))
        wanted = detector.decode(trace.proposals, scores, detector.rule)
        assert arrays[f"{number} labels"].tolist() == wanted.labels.tolist()
        assert torch.allclose(arrays[f"{number} scores"], wanted.scores, atol=1e-4)
        assert len(arrays[f"{number} lost"]) == len(trace.detections)
    assert arrays["3 kept"].all()
    assert not arrays["3 lost"].any()


def test_a_picture_without_proposals_can_be_explored(image, detector):
    svd_explorer(image, detector, detector.trace(image, Proposals.empty(SIZE))).html()


def test_another_image_is_refused(as_user, detector, trace):
    with pytest.raises(ValueError, match="40 x 30 pixels"):
        svd_explorer(torch.zeros(3, 30, 40), detector, trace)
