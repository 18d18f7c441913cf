import math

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st

from lecture_lib.boxes import BoxCoder, area, clip, iou, nms, nms_steps, paired_iou
from lecture_lib.structures import check_boxes

# A coarse grid with halves gives ties, touching, nested, equal and degenerate boxes; now and then a huge one.
coordinate = st.one_of(st.integers(0, 12).map(lambda n: n / 2), st.sampled_from([0.0, 1e4, 1e6]))


@st.composite
def boxes(draw, max_rows=12, min_side=0.0):
    rows = draw(st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=max_rows))
    corners = [(min(a, c), min(b, d), max(a, c) + min_side, max(b, d) + min_side) for a, b, c, d in rows]
    return torch.tensor(corners).reshape(-1, 4)


def iou_by_loop(a, b):
    """IoU in Python's doubles, straight from its definition."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def test_empty_input(device):
    none = torch.zeros(0, 4, device=device)
    one = torch.tensor([[0.0, 0, 2, 3]], device=device)
    assert area(none).shape == (0,)
    assert iou(none, one).shape == (0, 1)
    assert iou(one, none).shape == (1, 0)
    assert paired_iou(none, none).shape == (0,)
    assert clip(none, (5, 5)).shape == (0, 4)
    assert BoxCoder().encode(none, none).shape == (0, 4)
    assert BoxCoder().decode(none, torch.zeros(0, 3, 4, device=device)).shape == (0, 3, 4)
    assert nms(none, torch.zeros(0, device=device), 0.5).shape == (0,)
    assert list(nms_steps(none, torch.zeros(0, device=device), 0.5)) == []


def test_half_open_boxes_have_no_plus_one():
    assert area(torch.tensor([[2.0, 3, 12, 8]])).tolist() == [50.0]


@given(boxes(), boxes())
def test_iou_equals_the_loop(a, b):
    expected = torch.tensor([[iou_by_loop(p, q) for q in b.tolist()] for p in a.tolist()]).reshape(len(a), len(b))
    torch.testing.assert_close(iou(a, b), expected, atol=1e-6, rtol=1e-5)


@given(boxes(min_side=0.5), boxes(min_side=0.5))
def test_iou_equals_torchvision(a, b):
    assert torch.equal(iou(a, b), torchvision.ops.box_iou(a, b))


@given(boxes())
def test_paired_iou_is_the_diagonal_of_all_pairs(a):
    b = a.roll(1, dims=0)
    assert torch.equal(paired_iou(a, b), iou(a, b).diagonal())


@given(boxes())
def test_iou_properties(a):
    matrix = iou(a, a)
    assert torch.equal(matrix, matrix.T)
    assert ((matrix >= 0) & (matrix <= 1)).all()
    assert torch.equal(matrix.diagonal(), (area(a) > 0).float())


def test_touching_boxes_do_not_overlap():
    assert iou(torch.tensor([[0.0, 0, 5, 5]]), torch.tensor([[5.0, 0, 9, 5], [0, 5, 5, 9]])).tolist() == [[0, 0]]


@given(boxes())
def test_clip_equals_torchvision(a):
    clipped = clip(a, (3, 5))
    assert torch.equal(clipped, torchvision.ops.clip_boxes_to_image(a, (3, 5)))
    check_boxes(clipped)


def test_clip_takes_boxes_of_every_class():
    many = torch.tensor([[[-5.0, -5, 50, 50], [1, 1, 2, 2]]])
    assert clip(many, (30, 40)).tolist() == [[[0, 0, 40, 30], [1, 1, 2, 2]]]


@given(boxes(min_side=0.5), st.randoms())
def test_encode_equals_torchvision_and_decode_undoes_it(proposals, random):
    order = list(range(len(proposals)))
    random.shuffle(order)
    truth = proposals[torch.tensor(order, dtype=torch.long)]
    theirs = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    deltas = BoxCoder().encode(proposals, truth)
    torch.testing.assert_close(deltas, theirs.encode_single(truth, proposals), atol=1e-5, rtol=1e-5)
    unclamped = BoxCoder(max_log_scale=math.inf)
    scale = float(torch.cat([proposals, torch.ones(1, 4)]).max())
    torch.testing.assert_close(unclamped.decode(proposals, deltas), truth, atol=1e-5 * scale, rtol=1e-4)


def test_decode_equals_torchvision_for_every_class(generator, device):
    corner = torch.rand(20, 2, generator=generator) * 50
    proposals = torch.cat([corner, corner + 1 + torch.rand(20, 2, generator=generator) * 40], dim=1).to(device)
    deltas = torch.randn(20, 3, 4, generator=generator).to(device) * 3  # some beyond the clamp
    theirs = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    expected = theirs.decode(deltas.reshape(20, 12), [proposals])
    torch.testing.assert_close(BoxCoder().decode(proposals, deltas), expected)


def test_the_paper_s_example_by_hand():
    # A proposal of 10 x 20 centred at (5, 10), an object twice as wide, centred 5 to the right.
    deltas = BoxCoder().encode(torch.tensor([[0.0, 0, 10, 20]]), torch.tensor([[0.0, 0, 20, 20]]))
    torch.testing.assert_close(deltas, torch.tensor([[0.5, 0.0, math.log(2), 0.0]]))


def test_deltas_do_not_depend_on_scale():
    p, g = torch.tensor([[1.0, 2, 11, 22]]), torch.tensor([[3.0, 1, 16, 19]])
    torch.testing.assert_close(BoxCoder().encode(p * 7, g * 7), BoxCoder().encode(p, g))


def test_normalised_targets_are_undone():
    p, g = torch.tensor([[1.0, 2, 11, 22]]), torch.tensor([[3.0, 1, 16, 19]])
    coder = BoxCoder(mean=(0.1, -0.2, 0.0, 0.3), std=(0.1, 0.1, 0.2, 0.2))
    assert not torch.allclose(coder.encode(p, g), BoxCoder().encode(p, g))
    torch.testing.assert_close(coder.decode(p, coder.encode(p, g)), g)


def test_encode_refuses_an_empty_box():
    with pytest.raises(ValueError, match="without width or height"):
        BoxCoder().encode(torch.tensor([[0.0, 0, 0, 5]]), torch.tensor([[0.0, 0, 5, 5]]))


def nms_by_loop(rows, scores, threshold):
    order = sorted(range(len(rows)), key=lambda r: (-scores[r], r))
    kept = []
    for row in order:
        if all(iou_by_loop(rows[row], rows[k]) <= threshold for k in kept):
            kept.append(row)
    return kept


@given(boxes(max_rows=20), st.data())
def test_nms_and_its_steps_equal_the_loop(rows, data):
    scores = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))).float()
    threshold = data.draw(st.sampled_from([0.0, 0.25, 0.45, 0.7, 1.0]))
    expected = nms_by_loop(rows.tolist(), scores.tolist(), threshold)
    assert nms(rows, scores, threshold).tolist() == expected
    assert [step.kept for step in nms_steps(rows, scores, threshold)] == expected


def test_iou_equal_to_the_threshold_does_not_suppress(device):
    # |A and B| = 2, |A or B| = 4: IoU is exactly 0.5. In the second pair 1 / 3, which floats only come near to.
    half = torch.tensor([[0.0, 0, 4, 1], [0, 0, 2, 1]], device=device)
    third = torch.tensor([[0.0, 0, 2, 1], [1, 0, 3, 1]], device=device)
    scores = torch.tensor([0.9, 0.8], device=device)
    for rows, threshold in ((half, 0.5), (third, 1 / 3), (third, 0.3)):
        assert nms(rows, scores, threshold).tolist() == [step.kept for step in nms_steps(rows, scores, threshold)]
    assert nms(half, scores, 0.5).tolist() == [0, 1]


def test_steps_account_for_every_box(generator):
    corner = torch.rand(60, 2, generator=generator) * 20
    rows = torch.cat([corner, corner + 10], dim=1)
    scores = torch.rand(60, generator=generator)
    seen, left = [], 60
    for step in nms_steps(rows, scores, 0.4):
        assert (step.rejected_iou > 0.4).all()
        torch.testing.assert_close(step.rejected_iou, iou(rows[step.kept][None], rows[step.rejected])[0])
        assert len(step.remaining) == left - 1 - len(step.rejected)
        left = len(step.remaining)
        seen += [step.kept, *step.rejected.tolist()]
    assert sorted(seen) == list(range(60))


def test_nms_refuses_bad_scores(as_user):
    rows = torch.tensor([[0.0, 0, 1, 1]])
    with pytest.raises(ValueError, match="one score a box"):
        next(nms_steps(rows, torch.zeros(2), 0.5))
    with pytest.raises(ValueError, match="NaN"):
        nms(rows, torch.tensor([float("nan")]), 0.5)


@pytest.mark.parametrize("bad", [torch.zeros(3), torch.zeros(2, 5), [[0.0, 0, 1, 1]]])
def test_another_shape_is_refused(bad, as_user):
    good = torch.tensor([[0.0, 0, 1, 1]])
    for call in (lambda: iou(bad, good), lambda: iou(good, bad), lambda: clip(bad, (9, 9))):
        with pytest.raises(ValueError, match="expected"):
            call()


@pytest.mark.parametrize("function", [area, lambda b: iou(b, b), lambda b: nms(b, torch.zeros(len(b)), 0.5)])
def test_turned_boxes_are_refused(function):
    with pytest.raises(ValueError, match="x2 < x1"):
        function(torch.tensor([[5.0, 0, 4, 1]]))
