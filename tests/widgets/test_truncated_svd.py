import re

import pytest
import torch

from lecture_lib.detectors import fast_rcnn
from lecture_lib.heads import compressed
from lecture_lib.plotting.style import RED
from lecture_lib.structures import Detections, Proposals
from lecture_lib.widgets.truncated_svd import FULL, Ranks, compare_detections, svd_explorer, timed
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


def test_the_explorer_follows_its_sliders(image, detector, trace):
    explorer = svd_explorer(image, detector, trace)
    fc6, fc7 = explorer.children[:2]
    assert [label for label, _ in fc6.options] == ["1", "2", "4", FULL]
    caption = re.search(r"<figcaption[^>]*>(.*?)</figcaption>", explorer.canvas.value)[1]
    count = len(trace.detections)
    assert count > 0
    assert caption.startswith("89 weights of 89 (100%)")  # 8 * 6 + 6 and 6 * 5 + 5
    assert caption.endswith(f"of {count} detections {count} are left, 0 are new")
    assert RED not in explorer.canvas.value.lower() or "stroke-dasharray" not in explorer.canvas.value
    fc6.value = 2
    assert "69 weights of 89 (78%)" in explorer.canvas.value  # 2 * (8 + 6) + 6 instead of 54
    fc7.value = 1
    assert "50 weights of 89 (56%)" in explorer.canvas.value  # 1 * (6 + 5) + 5 instead of 35


def test_what_is_lost_is_drawn_dashed(image, detector, trace):
    dead = Ranks(detector.embed)
    with torch.no_grad():
        for first, second in dead._thin.values():
            first.weight.zero_()
            second.bias.fill_(-1.0)  # fc7 is 0: every class is equally likely, which no region was before
    explorer = svd_explorer(image, detector, trace, dead)
    explorer.children[0].value = explorer.children[1].value = 1
    assert "stroke-dasharray" in explorer.canvas.value or "0 are new" not in explorer.canvas.value


def test_a_picture_without_proposals_can_be_explored(image, detector):
    empty = detector.trace(image, Proposals.empty(SIZE))
    assert "of 0 detections 0 are left, 0 are new" in svd_explorer(image, detector, empty).canvas.value
