"""What the checks of notebook 05 say; which answers they call right is tested in test_mutants."""

import pytest
import torch
from torch import nn

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading.mutants import multi_task_loss, roi_pool, smooth_l1, truncated_svd
from lecture_lib import heads, pooling
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.differences import NAN, SHAPE


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (smooth_l1.wrong_no_half, "half of x squared"),
        (smooth_l1.wrong_no_shift, "the two parts meet at 1"),
        (smooth_l1.wrong_gradient_without_sign, "its gradient is x"),
        (smooth_l1.wrong_gradient_of_one_beyond, "the sign of x"),
        (smooth_l1.wrong_gradient_of_l2, "The gradient stays 1 there"),
        (smooth_l1.wrong_not_a_number_at_zero, NAN),
        (smooth_l1.wrong_summed, SHAPE),
        (smooth_l1.wrong_one_call, "does the exercise in one call"),
        (smooth_l1.wrong_in_place, "changes its input"),
        (lambda x: smooth_l1._smooth(x) if len(x) < 4 else (x.abs() - 0.5, x.sign()), "torch.where"),
    ],
)
def test_wrong_smooth_l1_gets_the_hint_that_helps(wrong, hint):
    assert hint in check.smooth_l1(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (multi_task_loss.wrong_background_has_boxes, "Background has no box"),
        (multi_task_loss.wrong_row_of_the_next_class, "row u - 1"),
        (multi_task_loss.wrong_first_class_only, "row u - 1"),
        (multi_task_loss.wrong_weight_of_both, "log-softmax"),
        (multi_task_loss.wrong_mean_of_regions, "do not take means"),
        (multi_task_loss.wrong_no_weight, "log-softmax"),
        (multi_task_loss.wrong_log_of_softmax, "so small that its log is infinite"),
        (multi_task_loss.wrong_empty, "raised RuntimeError"),
        (multi_task_loss.wrong_in_place, "changes its input"),
    ],
)
def test_wrong_multi_task_losses_get_the_hint_that_helps(wrong, hint):
    assert hint in check.multi_task_loss(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (truncated_svd.wrong_no_values, "the largest values in, once"),
        (truncated_svd.wrong_values_twice, "the largest values in, once"),
        (truncated_svd.wrong_smallest_values, "nothing is nearer"),
        (truncated_svd.wrong_transposed_twice, "V is transposed already"),
        (truncated_svd.wrong_not_cut, "[rank, v] and [u, rank]"),
        (truncated_svd.wrong_count_of_one_layer, "rank × (u + v)"),
        (truncated_svd.wrong_no_count, "three things"),
        (truncated_svd.wrong_in_place, "changes its input"),
    ],
)
def test_wrong_truncations_get_the_hint_that_helps(wrong, hint):
    assert hint in check.truncated_svd(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (roi_pool.wrong_end_not_included, "x2 - x1 + 1 cells"),
        (roi_pool.wrong_starts_at_zero, "where all are below 0"),
        (roi_pool.wrong_floor, "the nearest cell"),
        (roi_pool.wrong_sppnet_s_cells, "x2 - x1 + 1 cells"),
        (roi_pool.wrong_halves_to_even, "Halves are rounded up"),
        (roi_pool.wrong_yx_order, "x and columns"),
        (roi_pool.wrong_no_shared_cells, "to before ceil"),
        (roi_pool.wrong_kept_on_the_map, "though it leaves the map"),
        (roi_pool.wrong_bins_beyond_the_border, "raised IndexError"),
        (roi_pool.wrong_empty, "raised RuntimeError"),
        (roi_pool.wrong_adaptive, "does the exercise in one call"),
        (roi_pool.wrong_in_place, "changes its input"),
    ],
)
def test_wrong_pooling_gets_the_hint_that_helps(wrong, hint):
    assert hint in check.roi_pool(wrong)


def test_the_library_s_truncation_is_right():
    def cut(weight, rank):
        layer = nn.Linear(*weight.shape[::-1])
        layer.weight.data.copy_(weight)
        thin = heads.truncated_svd(layer, rank)
        return thin[0].weight, thin[1].weight, thin[0].weight.numel() + thin[1].weight.numel()

    assert check.truncated_svd(cut).startswith("Right")


def test_the_pooling_of_the_exercise_is_the_detector_s(generator):
    features = torch.randn(3, 9, 12, generator=generator)
    boxes = torch.tensor([[3.0, 8, 100, 70], [40, 24, 192, 144], [56, 9, 72, 20]])
    by_detector = pooling.roi_pool(features, boxes, (16.0, 16.0), (3, 3))
    assert torch.equal(EXERCISES["roi_pool"].expected(features, boxes, 16.0, 3), by_detector)
