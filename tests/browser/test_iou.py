import pytest
import torch

from lecture_lib.boxes import iou
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

ALL_PAIRS = """([a, b]) => {
    const boxes = [new Float32Array(a), new Float32Array(b)];
    return boxes[0].reduce((rows, _, i) => i % 4 ? rows : [...rows, boxes[1].reduce(
        (row, _, j) => j % 4 ? row : [...row, script.iou(boxes[0], i / 4, boxes[1], j / 4)], [])], []);
}"""


def random_boxes(count: int, scale: float, generator: torch.Generator) -> torch.Tensor:
    corners = scale * torch.rand(count, 2, generator=generator)
    return torch.cat([corners, corners + scale * torch.rand(count, 2, generator=generator)], 1)


def check_all_pairs(evaluate, a, b):
    got = evaluate(ALL_PAIRS, [a.flatten().tolist(), b.flatten().tolist()])
    assert torch.equal(torch.tensor(got).reshape(len(a), len(b)), iou(a, b))


def test_no_box(javascript):
    check_all_pairs(javascript("iou"), torch.zeros(0, 4), torch.rand(0, 4))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0, 1e5])
def test_iou_is_the_librarys_bit_for_bit(javascript, generator, scale):
    check_all_pairs(javascript("iou"), random_boxes(60, scale, generator), random_boxes(60, scale, generator))


def test_whole_pixels_touching_nested_and_empty_boxes(javascript, generator):
    boxes = torch.randint(0, 8, (60, 4), generator=generator).float()
    boxes = torch.cat([boxes[:, :2].minimum(boxes[:, 2:]), boxes[:, :2].maximum(boxes[:, 2:])], 1)
    assert (boxes[:, 0] == boxes[:, 2]).any()
    check_all_pairs(javascript("iou"), boxes, boxes)


def test_a_wrong_union_would_be_seen(javascript, generator):
    evaluate = javascript("iou", sabotage=("f(f(area(a, i) + area(b, j)) - shared)", "f(area(a, i) + area(b, j))"))
    with pytest.raises(AssertionError):
        check_all_pairs(evaluate, random_boxes(9, 9.0, generator), random_boxes(9, 9.0, generator))


def test_the_formula_s_numbers_fit_together(javascript):
    found = javascript("iou")("() => script.measure([0, 0, 10, 10], [5, 5, 15, 10])")
    assert found == {"areaA": 100, "areaB": 50, "shared": 25, "union": 125, "iou": pytest.approx(0.2)}
    apart = javascript("iou")("() => script.measure([0, 0, 10, 10], [10, 0, 15, 10])")
    assert (apart["shared"], apart["iou"]) == (0, 0)


@pytest.mark.parametrize(
    ("sides", "by", "moved"),
    [
        ([0, 1, 2, 3], [5, -3], [15, 17, 35, 37]),
        ([0, 1, 2, 3], [-99, 99], [0, 30, 20, 50]),
        ([0, 1], [-4, 4], [6, 24, 30, 40]),
        ([2, 1], [99, 99], [10, 39, 60, 40]),
        ([0, 3], [99, -99], [29, 20, 30, 21]),
        ([2, 3], [0.4, 0.6], [10, 20, 30, 41]),
    ],
)
def test_a_dragged_box_stays_a_box_inside_the_picture(javascript, sides, by, moved):
    move = "([sides, by]) => script.movedBox([10, 20, 30, 40], sides, by, [50, 60])"
    assert javascript("iou")(move, [sides, by]) == moved
