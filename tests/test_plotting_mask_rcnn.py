"""lecture_lib.plotting.alignment and mask_rcnn: what the eighth notebook's figures show is what was computed."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import same_color, to_rgb

from lecture_lib.detectors import mask_rcnn
from lecture_lib.masks import MaskHead
from lecture_lib.plotting import alignment, rcnn
from lecture_lib.plotting import mask_rcnn as figures
from lecture_lib.plotting.style import BLUE, GRID, class_color
from lecture_lib.pooling import bins, choose_levels, roi_align, roi_pool, rounded_windows
from lecture_lib.structures import Detections, FeatureMap, Target
from lecture_lib.training.loop import Step
from tests.drawn import titles
from tests.tiny_pyramid import tiny_pyramid_backbone

SIZE = (60, 80)
BOX = torch.tensor([10.0, 12, 42, 50])

pytestmark = pytest.mark.usefixtures("style")


@pytest.fixture
def feature_map():
    return FeatureMap(torch.randn(3, 8, 11, generator=torch.Generator().manual_seed(0)), (7.5, 8.0), SIZE)


@pytest.fixture
def detector():
    return mask_rcnn(("red", "green"), tiny_pyramid_backbone(), torch.Generator().manual_seed(0), (96,))


@pytest.fixture
def masked(target):
    masks = torch.zeros(2, *SIZE, dtype=torch.bool)
    masks[0, 10:30, 10:20] = True  # the left half of its box
    masks[1, 30:55, 45:75] = True
    return Target(target.boxes, target.labels, target.difficult, masks, SIZE)


@pytest.fixture
def found(masked):
    rows = torch.arange(2)
    return Detections(masked.boxes, masked.labels, torch.tensor([0.9, 0.6]), rows, masked.masks, SIZE)


def test_no_box_is_not_displaced(feature_map):
    error = alignment.displacement(feature_map, torch.zeros(0, 4), (2, 3))
    assert [e.shape for e in error.values()] == [(0, 2, 3, 2)] * 2


def test_displacement_is_from_the_middle_of_a_part_to_the_middle_of_its_cells(feature_map):
    boxes, grid = torch.stack([BOX, BOX + 3.3]), (2, 3)
    error = alignment.displacement(feature_map, boxes, grid)
    assert error["RoIAlign"].abs().max() < 1e-4
    for r, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        cells = bins(rounded_windows(boxes[r : r + 1], feature_map.stride), *grid)[0]
        for row in range(2):
            for column in range(3):
                a, b, c, d = cells[row, column].tolist()
                columns, rows = [8.0 * i for i in range(a, c)], [7.5 * j for j in range(b, d)]
                wanted = (x1 + (column + 0.5) / 3 * (x2 - x1), y1 + (row + 0.5) / 2 * (y2 - y1))
                got = (sum(columns) / len(columns), sum(rows) / len(rows))
                expected = [g - w for g, w in zip(got, wanted, strict=True)]
                assert error["RoIPool"][r, row, column].tolist() == pytest.approx(expected, abs=1e-4)


def test_displacement_is_drawn_as_arrows_and_told(image, feature_map):
    left, right = alignment.show_displacement(image, feature_map, BOX, (2, 3)).axes
    error = alignment.displacement(feature_map, BOX[None], (2, 3))["RoIPool"]
    mean = error.norm(dim=-1).mean()
    assert left.get_title(loc="left") == f"RoIPool: misses its parts by {mean:.1f} pixels on average"
    assert right.get_title(loc="left") == "RoIAlign: misses its parts by 0.0 pixels on average"
    assert len(left.texts) == int((error.abs().amax(-1) > 0.2).sum()) > 0
    assert not right.texts


def test_a_moving_box_is_pooled_by_both(feature_map):
    shifts = torch.arange(0, 16, 0.5)
    boxes = alignment.moved_right(BOX, shifts)
    assert boxes[3].tolist() == [11.5, 12, 43.5, 50]
    pooled = alignment.glide(feature_map, BOX, shifts, (2, 2))
    assert torch.equal(pooled["RoIPool"], roi_pool(feature_map.tensor, boxes, (7.5, 8.0), (2, 2)))
    assert torch.equal(pooled["RoIAlign"], roi_align(feature_map.tensor, boxes, (7.5, 8.0), (2, 2)))
    assert alignment.largest_change(torch.tensor([[1.0, 2], [1, 5], [3, 4]])) == 3
    left, right = alignment.show_glide(feature_map, BOX, shifts, 1, (3, 4)).axes
    for name, line in zip(("RoIPool", "RoIAlign"), left.lines, strict=True):
        assert line.get_ydata() == pytest.approx(alignment.glide(feature_map, BOX, shifts)[name][:, 1, 3, 4])
    assert max(abs(right.lines[1].get_ydata())) < 1e-4 < 1 < max(abs(right.lines[0].get_ydata()))


def test_a_shifted_mask_is_worse_by_what_it_leaves(masked):
    cost = alignment.shift_cost(masked.masks, (0, 5, 40))
    assert cost[0] == 1
    assert cost[5] == pytest.approx((5 / 15 + 25 / 35) / 2)
    assert cost[40] == 0


def test_points_and_their_weights_are_drawn(feature_map):
    left, right = alignment.show_points(feature_map, BOX, (1, 2), (2, 3)).axes
    assert len(left.collections[0].get_offsets()) == 2 * 3 * 4
    assert left.get_title(loc="left") == "3 × 2 parts, 4 points each, on cells of 8 px"
    products = [text.get_text().split(" × ") for text in right.texts]
    assert sum(float(weight) for weight, _ in products) == pytest.approx(1, abs=0.03)
    total = float(right.get_title(loc="left").removeprefix("one of the points: ").partition(",")[0])
    assert sum(float(weight) * float(value) for weight, value in products) == pytest.approx(total, abs=0.05)


def test_the_strip_has_seven_slots_and_marks_the_changed_ones(detector):
    axes = rcnn.slots(detector, now=("encode", "pool", "mask")).axes[0]
    colors = [patch.get_facecolor()[:3] for patch in axes.patches[:7]]
    expected = [BLUE, GRID, BLUE, GRID, GRID, GRID, BLUE]
    assert all(same_color(a, to_rgb(b)) for a, b in zip(colors, expected, strict=True))
    said = [text.get_text() for text in axes.texts]
    assert {"encode", "mask", "FeaturePyramid", "MaskHead", "RoIAlign", "→ shapes"} <= set(said)


def test_levels_are_drawn_over_the_same_picture(detector, image):
    maps = detector.encode(image)
    figure = figures.show_levels(maps, image)
    sizes = [f"{m.tensor.shape[2]} × {m.tensor.shape[1]} cells of {m.stride[1]:.0f} pixels" for m in maps]
    assert titles(figure) == ["80 × 60 pixels", *sizes]
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 80)}
    x, right, _, y = figure.axes[2].images[0].get_extent()
    assert (x, y) == (-maps[1].stride[1] / 2, -maps[1].stride[0] / 2)  # cell 0 is centred on pixel 0
    assert right == (maps[1].tensor.shape[2] - 0.5) * maps[1].stride[1]


def test_boxes_are_drawn_on_the_level_they_are_pooled_from(detector, image):
    maps = detector.encode(image)
    sides = torch.cat([torch.linspace(4, 12, 90), torch.tensor([30.0])])
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)
    chosen = choose_levels(maps, boxes, detector.pool.side)
    figure = figures.show_chosen_levels(image, maps, boxes, chosen)
    assert [
        f": {n} boxes" in title for n, title in zip(chosen.bincount(minlength=3).tolist(), titles(figure), strict=True)
    ]
    assert titles(figure)[0].startswith("cells of 5 px: 90 boxes, √area 4 to 12 px")
    assert len(figure.axes[0].patches) <= figures.DRAWN


def test_the_finest_level_is_its_own_stage_and_what_comes_from_above(detector, image):
    parts = figures.top_down(detector.encode, image)
    own, above, level = (part.tensor for part in parts.values())
    with torch.no_grad():
        expected = detector.encode.smooth[0]((own + above)[None])[0]
    torch.testing.assert_close(level, expected, atol=1e-4, rtol=1e-4)
    even = above[:, : above.shape[1] // 2 * 2, : above.shape[2] // 2 * 2]
    torch.testing.assert_close(even[:, ::2, ::2], even[:, 1::2, 1::2], atol=1e-4, rtol=1e-4)  # each cell four times
    assert not detector.encode.lateral[0]._forward_hooks
    assert f"(deviation {own[1].std():.2f})" in titles(figures.show_top_down(parts, 1))[0]


def test_shapes_are_painted_in_the_colour_of_their_class(image, found):
    figure = figures.show_masks([image, image], [found, found[:0]], ("red", "green"))
    painted, plain = (torch.as_tensor(axes.images[0].get_array().copy()) for axes in figure.axes)
    mixed = 0.5 * image[:, 40, 50] + 0.5 * torch.tensor(to_rgb(class_color(2)))
    assert painted[40, 50].tolist() == pytest.approx(mixed.tolist(), abs=1e-3)
    assert painted[20, 25].tolist() == plain[20, 25].tolist()  # in the first box, not in its mask
    assert [text.get_text() for text in figure.axes[0].texts] == ["red 0.90", "green 0.60"]


def test_the_own_classs_mask_is_framed():
    figure = figures.show_class_masks(torch.rand(3, 28, 28), ("a", "b", "c"), 2)
    assert titles(figure) == ["a", "b", "c"]
    assert [len(axes.patches) for axes in figure.axes] == [0, 1, 0]


def test_a_pasted_mask_has_its_boxs_pixels(image):
    figure = figures.show_paste(image, torch.ones(28, 28), torch.tensor([10.0, 10, 50, 30]))
    assert titles(figure)[:2] == ["a region of 40 × 20 pixels", "28 × 28"]
    assert 0.9 * 800 < int(titles(figure)[2].removeprefix("pasted: ").removesuffix(" pixels")) <= 800


def test_overlap_of_masks(masked):
    assert figures.overlap(masked.masks, masked.masks.flip(0)).tolist() == [0, 0]
    assert figures.overlap(masked.masks, masked.masks).tolist() == [1, 1]
    assert figures.overlap(masked.masks[:, :20], masked.masks[:, :20])[1] == 0  # both empty
    assert (figures.overlap(figures.drawn_and_pasted(masked), masked.masks) > 0.85).all()


def test_a_live_head_keeps_what_it_drew(detector, image, masked):
    maps = detector.encode(image)
    head = MaskHead(8, 2, width=4, generator=torch.Generator().manual_seed(0))
    live = figures.LiveMasks(head, maps, masked, at=(2,))

    def records():
        for step in (1, 2, 3):
            torch.nn.init.constant_(head.layers[-1].bias, 9.0 * step)
            yield Step(step, 3, 1.0, {"masks": 1.0 / step}, 0.1, 0.0)

    live.follow(records())
    assert list(live.stages) == ["before", "after 2"]
    assert live.parts == {"masks": [1.0, 0.5, 1 / 3]}
    assert live.stages["after 2"].shape == (2, 28, 28)
    assert float(live.stages["after 2"].min()) > 0.9 > float(live.stages["before"].mean())
    figure = figures.mask_film(image, live.stages, masked)
    assert titles(figure)[-1] == "the true masks"
    assert titles(figure)[1].startswith("after 2: IoU 0.7")  # a half and a whole box


def test_average_precisions_are_means_over_the_deals():
    def deal(shift: float) -> dict:
        return {kind: {"ap": 0.2 + shift, "ap50": 0.5 + shift} for kind in ("boxes", "masks", "filled boxes")}

    left, right = figures.precision_groups([deal(0.0), deal(0.1)]).axes
    assert [text.get_text() for text in left.texts] == ["0.550"] * 3
    assert [text.get_text() for text in right.texts] == ["0.250"] * 3
    assert [label.get_text() for label in left.get_yticklabels()] == ["boxes", "masks", "filled boxes"]
    assert figures.precision_groups([deal(0.0)]).axes[0].texts[0].get_text() == "0.500"


def test_no_detection_and_no_object_can_be_drawn(image, found, masked):
    figures.show_masks([image], [found[:0]], ("red",))
    none = replace(masked[:0])
    assert figures.mask_film(image, {"before": torch.zeros(0, 28, 28)}, none).axes
    assert figures.drawn_and_pasted(none).shape == (0, *SIZE)
    plt.close("all")
