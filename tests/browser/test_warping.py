import pytest
import torch

from lecture_lib.pooling import warp_regions, with_context
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

FILL = (0.5, 0.4, 0.2)
WARP = """({pixels, size, box, side, context, fill}) => {
    const window = script.withContext(box, side, context);
    return {window, square: [...script.warp(pixels, size, window, side, fill)], outside: script.outside(window, size)};
}"""
BOXES = [[3, 4, 20, 15], [0, 0, 24, 18], [20, 1, 24, 17], [5, 5, 6, 6]]


def check_warp(evaluate, box, side, context):
    image = torch.randint(0, 256, (3, 18, 24), generator=torch.Generator().manual_seed(0)) / 255
    rgba = torch.cat([image, torch.ones(1, 18, 24)]).permute(1, 2, 0).mul(255).round().flatten()
    data = {"pixels": rgba.int().tolist(), "size": [18, 24], "box": box, "side": side, "context": context, "fill": FILL}
    got = evaluate(WARP, data)
    boxes = torch.tensor([box]).float()
    window = with_context(boxes, side, context)
    torch.testing.assert_close(torch.tensor([got["window"]]).float(), window)
    wanted = 255 * warp_regions(image, boxes, side, context, FILL)[0].permute(1, 2, 0)
    square = torch.tensor(got["square"]).view(side, side, 4)[..., :3]
    assert (square - wanted).abs().max() < 0.51  # rounded to whole numbers
    inside = window.clamp(min=0).minimum(torch.tensor([24.0, 18, 24, 18])) @ torch.tensor(
        [[-1.0, 0], [0, -1], [1, 0], [0, 1]]
    )
    sides = window[:, 2:] - window[:, :2]
    assert got["outside"] == pytest.approx(float(1 - inside.prod() / sides.prod()), abs=1e-5)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(("side", "context"), [(7, 0.0), (16, 2.0), (31, 10.0)])
def test_the_square_is_that_of_warp_regions(javascript, box, side, context):
    check_warp(javascript("warping"), box, side, context)


@pytest.mark.parametrize(
    "sabotage", [("(row + 0.5)) / side - 0.5", "row) / side"), ("side - 2 * context", "side - context")]
)
def test_a_wrong_sample_would_be_seen(javascript, sabotage):
    with pytest.raises(AssertionError):
        check_warp(javascript("warping", sabotage), BOXES[0], 16, 2.0)
