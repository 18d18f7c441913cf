import pytest
import torch

from lecture_lib.boxes import BoxCoder
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

CODER = BoxCoder()
BOTH_WAYS = """({proposals, objects, done, limit}) => proposals.map((proposal, i) => {
    const deltas = script.encodeBox(proposal, objects[i]);
    return [deltas, script.decodeBox(proposal, deltas.map(t => Math.fround(t * Math.fround(done))), limit)];
})"""


def random_boxes(generator, count: int = 200) -> torch.Tensor:
    """Boxes of whole pixels, some a single pixel wide: past the limit of the coder's exp()."""
    corners = torch.randint(0, 400, (count, 2), generator=generator)
    sides = torch.randint(1, 300, (count, 2), generator=generator)
    sides[::10] = 1
    return torch.cat([corners, corners + sides], 1).float()


def check_both_ways(evaluate, proposals, objects, done):
    data = {"proposals": proposals.tolist(), "objects": objects.tolist(), "done": done, "limit": CODER.max_log_scale}
    got = evaluate(BOTH_WAYS, data)
    deltas = CODER.encode(proposals, objects)
    # log and exp of the browser and of PyTorch may differ in the last bit of a float32
    close = {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(torch.tensor([row[0] for row in got]).float().reshape(-1, 4), deltas, **close)
    moved = CODER.decode(proposals, done * deltas)
    torch.testing.assert_close(
        torch.tensor([row[1] for row in got]).float().reshape(-1, 4), moved, rtol=1e-6, atol=1e-4
    )


def test_no_box(javascript):
    check_both_ways(javascript("deltas"), torch.zeros(0, 4), torch.zeros(0, 4), 1.0)


@pytest.mark.parametrize("done", [0.0, 0.01, 0.37, 0.5, 1.0])
def test_deltas_and_the_moved_box_are_those_of_the_coder(javascript, generator, done):
    check_both_ways(javascript("deltas"), random_boxes(generator), random_boxes(generator), done)


@pytest.mark.parametrize("sabotage", [("f(gw / pw)", "f(pw / gw)"), ("Math.min(t, f(limit))", "t")])
def test_a_wrong_formula_would_be_seen(javascript, generator, sabotage):
    with pytest.raises(AssertionError):
        check_both_ways(javascript("deltas", sabotage), random_boxes(generator), random_boxes(generator), 1.0)


def test_all_of_the_deltas_reach_the_object(javascript):
    moved = "() => script.decodeBox([10, 20, 50, 40], script.encodeBox([10, 20, 50, 40], [30, 5, 90, 95]), 4.1)"
    assert javascript("deltas")(moved) == pytest.approx([30, 5, 90, 95], abs=1e-4)
