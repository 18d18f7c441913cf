import pytest
import torch

from lecture_lib import boxes as library
from lecture_lib.exercises import check


def unsolved(*arguments):
    return ...


@pytest.mark.parametrize("judge", [check.iou, check.encode, check.nms])
def test_an_unsolved_stub_is_told_so(judge):
    assert judge(unsolved).startswith("Not solved yet")


def overlap(a, b, extra=0.0, clamp=True, twice=False, sizes=False):
    """IoU with one classic mistake at a time; `sizes`: boxes taken for (x, y, width, height)."""
    if sizes:
        a, b = (torch.cat([s[:, :2], s[:, :2] + s[:, 2:]], 1) for s in (a, b))
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2]) + extra
    shared = (sides.clamp(min=0) if clamp else sides).prod(2)
    area_a, area_b = ((s[:, 2:] - s[:, :2] + extra).prod(1) for s in (a, b))
    union = area_a[:, None] + area_b[None]
    return (shared / (union if twice else union - shared)).nan_to_num()


def by_loop(a, b):
    """The same, box by box, as a list of lists."""
    rows = torch.zeros(len(a), len(b))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            rows[i, j] = overlap(p[None], q[None])[0, 0]
    return rows


def test_right_overlaps_pass():
    assert check.iou(overlap).startswith("Right")
    assert check.iou(by_loop).startswith("Right")
    assert check.iou(library.iou).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda a, b: overlap(a, b, extra=1.0), "without + 1"),
        (lambda a, b: overlap(a, b, twice=True), "counts the shared part once"),
        (lambda a, b: overlap(a, b, clamp=False), "clamp them at 0"),
        (lambda a, b: overlap(a, b).diagonal(), "covers itself"),
        (lambda a, b: overlap(a, b).T, "a row for each a"),
        (lambda a, b: overlap(a, b, sizes=True), "(x1, y1, x2, y2)"),
    ],
)
def test_wrong_overlaps_get_the_hint_that_helps(wrong, hint):
    verdict = check.iou(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_an_answer_that_forgets_the_empty_set_is_told():
    def loop(a, b):
        return torch.stack([overlap(p[None], b)[0] for p in a])

    assert "raised RuntimeError" in check.iou(loop)


def deltas(p, g, corner=False, by_g=False, swap=False, log=True):
    """The four deltas with one classic mistake at a time."""
    p_size, g_size = p[:, 2:] - p[:, :2], g[:, 2:] - g[:, :2]
    p_at, g_at = (p[:, :2], g[:, :2]) if corner else (p[:, :2] + p_size / 2, g[:, :2] + g_size / 2)
    unit = g_size if by_g else p_size
    way = (g_at - p_at) / (unit.flip(1) if swap else unit)
    return torch.cat([way, (g_size / p_size).log() if log else g_size / p_size], dim=1)


def test_right_deltas_pass():
    assert check.encode(deltas).startswith("Right")
    assert check.encode(library.BoxCoder().encode).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda p, g: deltas(p, g, log=False), "four zeros"),
        (lambda p, g: deltas(p, g, swap=True), "do not swap x and y"),
        (lambda p, g: deltas(p, g, corner=True), "compare centres"),
        (lambda p, g: deltas(p, g, by_g=True), "Divide the way by the size of the proposal"),
        (lambda p, g: deltas(g, p), "half its width"),
        (lambda p, g: g - p, "half its width"),
    ],
)
def test_wrong_deltas_get_the_hint_that_helps(wrong, hint):
    verdict = check.encode(wrong)
    assert verdict.startswith("Not yet")
    assert hint in verdict


def keep(boxes, scores, threshold, stable=True, equal=False, by_rejected=False, places=False, unsorted=False):
    """Greedy suppression with one classic mistake at a time."""
    order = torch.arange(len(scores)) if unsorted else scores.sort(descending=True, stable=True).indices
    if not stable:
        order = scores.flip(0).sort(descending=True, stable=True).indices
        order = len(scores) - 1 - order  # of equal scores the last one first
    kept = []
    for place, row in enumerate(order.tolist()):
        judges = order[:place].tolist() if by_rejected else [order[i].item() if places else i for i in kept]
        found = library.iou(boxes[row : row + 1], boxes[judges])[0]
        if not ((found >= threshold) if equal else (found > threshold)).any():
            kept.append(place if places else row)
    return torch.tensor(kept, dtype=torch.long)


def test_right_suppression_passes():
    assert check.nms(keep).startswith("Right")
    assert check.nms(lambda b, s, t: keep(b, s, t).tolist()).startswith("Right")
    assert check.nms(library.nms).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"unsorted": True}, "best score comes first"),
        ({"places": True}, "sort by score, do not go by row"),
        ({"by_rejected": True}, "rejects nobody"),
        ({"equal": True}, "equal to it stays"),
        ({"stable": False}, "stable=True"),
    ],
)
def test_wrong_suppression_gets_the_hint_that_helps(mistake, hint):
    verdict = check.nms(lambda b, s, t: keep(b, s, t, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_changing_the_input_is_wrong_even_with_the_right_result():
    def in_place(boxes, scores, threshold):
        result = keep(boxes, scores, threshold)
        scores.zero_()
        return result

    assert "changes its input" in check.nms(in_place)

    def moved(p, g):
        result = deltas(p, g)
        p += 1
        return result

    assert "changes its input" in check.encode(moved)
