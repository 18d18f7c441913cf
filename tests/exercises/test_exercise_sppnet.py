"""What the checks of notebook 04 say; that they say so of the right answers is tested in test_mutants."""

import pytest
import torch

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading.mutants import bins, covered_windows, spatial_pyramid
from lecture_lib.exercises import check
from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.differences import FLOATS, SHAPE, SWAPPED, TRANSPOSED
from lecture_lib.pooling import spatial_pyramid_pool


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (covered_windows.wrong_empty, "raised RuntimeError"),
        (covered_windows.wrong_every_cell_touched, "its centre, pixel i * S, lies inside"),
        (covered_windows.wrong_one_rule_for_all, "its centre, pixel i * S, lies inside"),
        (covered_windows.wrong_centers_on_the_border, "on the border is not inside"),
        (covered_windows.wrong_one_rule_for_x_another_for_y, "its centre, pixel i * S, lies inside"),
        (covered_windows.wrong_stride_of_16, "not always 16"),
        (covered_windows.wrong_whole_stride, "need not be whole"),
        (covered_windows.wrong_floats, FLOATS),
        (covered_windows.wrong_yx_order, SWAPPED),
        (covered_windows.wrong_in_place, "changes its input"),
    ],
)
def test_wrong_windows_get_the_hint_that_helps(wrong, hint):
    assert hint in check.covered_windows(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (bins.wrong_no_shared_cells, "rounding up"),
        (bins.wrong_starts_rounded_up, "rounding down"),
        (bins.wrong_end_included, "One bin takes all cells"),
        (bins.wrong_fewer_bins, "used again"),
        (bins.wrong_two_lists, TRANSPOSED),
        (bins.wrong_starts_only, SHAPE),
    ],
)
def test_wrong_bins_get_the_hint_that_helps(wrong, hint):
    assert hint in check.bins(wrong)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (spatial_pyramid.wrong_mean, "not the mean"),
        (spatial_pyramid.wrong_starts_at_zero, "greatest value"),
        (spatial_pyramid.wrong_channels_last, "The order is level, channel"),
        (spatial_pyramid.wrong_coarsest_first, "The order is level, channel"),
        (spatial_pyramid.wrong_width_for_height, "Columns divide the width"),
        (spatial_pyramid.wrong_no_shared_cells, "to before ceil"),
        (spatial_pyramid.wrong_adaptive, "does the exercise in one call"),
        (spatial_pyramid.wrong_in_place, "changes its input"),
    ],
)
def test_wrong_pyramids_get_the_hint_that_helps(wrong, hint):
    assert hint in check.spatial_pyramid(wrong)


def test_the_pyramid_of_the_exercise_is_the_detector_s(generator):
    window = torch.randn(3, 7, 5, generator=generator)
    whole = torch.tensor([[-0.5, -0.5, 4.5, 6.5]])
    by_detector = spatial_pyramid_pool(window, whole, (1.0, 1.0), (6, 3, 2, 1))[0]
    assert torch.equal(EXERCISES["spatial_pyramid"].expected(window, (6, 3, 2, 1)), by_detector)
