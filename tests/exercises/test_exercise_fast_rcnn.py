import pytest
import torch
import torch.nn.functional as F

from lecture_lib.exercises.fast_rcnn import check_multi_task, check_smooth_l1, check_truncated


def unsolved(*arguments):
    return ...


def nothing(*arguments):
    return None


@pytest.mark.parametrize("judge", [check_smooth_l1, check_multi_task, check_truncated])
@pytest.mark.parametrize("stub", [unsolved, nothing])
def test_an_unsolved_stub_is_told_so(judge, stub):
    assert judge(stub).startswith("Not solved yet")


@pytest.mark.parametrize("judge", [check_smooth_l1, check_multi_task, check_truncated])
def test_an_error_is_told(judge):
    def broken(*arguments):
        raise KeyError("oops")

    assert "raised KeyError" in judge(broken)


def smooth(x, half=True, shift=0.5, slope=True, absolute=False):
    """Smooth L1 and its gradient with one classic mistake at a time."""
    small = x.abs() < 1
    loss = torch.where(small, x**2 * (0.5 if half else 1.0), x.abs() - shift)
    outer = torch.ones_like(x) if absolute else x.sign()
    return loss, torch.where(small, x, outer) if slope else x


def test_right_smooth_l1_passes():
    assert check_smooth_l1(smooth) == "Right: smooth passes 8 cases."
    assert check_smooth_l1(lambda x: (F.smooth_l1_loss(x, 0 * x, reduction="none"), x.clamp(-1, 1))).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"half": False}, "half of x squared"),
        ({"shift": 0.0}, "the two parts meet at 1"),
        ({"absolute": True}, "the sign of x"),
        ({"slope": False}, "The gradient stays 1 there"),
    ],
)
def test_wrong_smooth_l1_gets_the_hint_that_helps(mistake, hint):
    verdict = check_smooth_l1(lambda x: smooth(x, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_an_if_over_the_whole_tensor_is_found():
    def by_if(x):
        return smooth(x) if len(x) < 4 else (x.abs() - 0.5, x.sign())

    assert "torch.where" in check_smooth_l1(by_if)


def loss(logits, deltas, labels, targets, weight, background=False, column=1, every=False, mean=False, all_terms=False):
    """The multi-task loss with one classic mistake at a time."""
    total = -logits.log_softmax(1)[torch.arange(len(labels)), labels].sum()
    boxes = torch.zeros(())
    for r, label in enumerate(labels.tolist()):
        if label or background:
            own = deltas[r].flatten()[:4] if every else deltas[r, (label - column) % deltas.shape[1]]
            error = smooth(own - targets[r])[0]
            boxes = boxes + (error.mean() if mean else error.sum())
    return weight * (total + boxes) if all_terms else total + weight * boxes


def test_right_multi_task_losses_pass():
    assert check_multi_task(loss).startswith("Right")
    assert check_multi_task(lambda *a: float(loss(*a))).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"background": True}, "Background has no box"),
        ({"column": 0}, "row u - 1"),
        ({"every": True}, "row u - 1"),
        ({"mean": True}, "row u - 1"),
        ({"all_terms": True}, "log-softmax"),
    ],
)
def test_wrong_multi_task_losses_get_a_hint(mistake, hint):
    verdict = check_multi_task(lambda *a: loss(*a, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_a_mean_over_the_regions_is_found():
    def averaged(*arguments):
        return loss(*arguments) / len(arguments[2])

    assert "do not take means" in check_multi_task(averaged)


def cut(weight, rank, values="first", transposed=False, count=None, order=False):
    """Two thin layers with one classic mistake at a time."""
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    keep = slice(len(s) - rank, None) if order else slice(rank)
    first, second = vt[keep], u[:, keep]
    if transposed:
        first = vt.T[keep]
    if values in ("first", "both"):
        first = s[keep, None] * first
    if values in ("second", "both"):
        second = second * s[keep]
    if values == "half":
        first, second = s[keep, None].sqrt() * first, second * s[keep].sqrt()
    return first, second, rank * sum(weight.shape) if count is None else count


@pytest.mark.parametrize("values", ["first", "second", "half"])
def test_right_truncations_pass_wherever_the_singular_values_went(values):
    assert check_truncated(lambda w, t: cut(w, t, values)).startswith("Right")


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ({"values": "none"}, "singular values"),
        ({"values": "both"}, "singular values"),
        ({"transposed": True}, "V transposed already"),
        ({"order": True}, "best approximation"),
        ({"count": 9}, "rank × (u + v)"),
    ],
)
def test_wrong_truncations_get_the_hint_that_helps(mistake, hint):
    verdict = check_truncated(lambda w, t: cut(w, t, **mistake))
    assert verdict.startswith("Not yet")
    assert hint in verdict


def test_the_whole_factors_are_not_thin_layers():
    def whole(weight, rank):
        u, s, vt = torch.linalg.svd(weight, full_matrices=False)
        return s[:, None] * vt, u, rank * sum(weight.shape)

    assert "should be [2, 4] and [6, 2]" in check_truncated(whole)
