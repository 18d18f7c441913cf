import numpy as np
import pytest
import torch

from lecture_lib.boxes import iou
from lecture_lib.plotting.regions import segment_picture
from lecture_lib.proposals import Strategy, boxes_after, first_regions, hierarchical_grouping, labels_after
from lecture_lib.structures import Target
from lecture_lib.widgets.frame import _in_base64, pack
from lecture_lib.widgets.grouping import grouping_explorer
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

AFTER = """({arrays, regions, size, merges}) => {
    const a = Object.fromEntries(Object.entries(arrays).map(([name, packed]) => [name, script.decode(packed)]));
    const labels = script.unroll(a.values, a.lengths);
    const best = [...script.bestSoFar(a.boxes, a.objects)];
    return merges.map(done => {
        const roots = script.rootsAfter(a.merges, regions, done);
        return {
            labels: [...labels].map(label => roots[label]),
            pixels: [...script.paint(labels, roots, size, a.colors)],
            best: best.slice((regions + done - 1) * 2, (regions + done) * 2),
        };
    });
}"""


@pytest.fixture(scope="module")
def grouped():
    """A noisy picture whose first regions are many, their merges, and two objects."""
    image = (
        torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(0)).repeat_interleave(5, 1).repeat_interleave(5, 2)
    )
    strategy = Strategy(k=20.0)
    target = Target(
        torch.tensor([[0.0, 0, 15, 10], [8, 7, 33, 26]]),
        torch.tensor([1, 1]),
        torch.zeros(2, dtype=torch.bool),
        None,
        (30, 40),
    )
    return image, first_regions(image, strategy), list(hierarchical_grouping(image, strategy)), target


def check_every_merge(evaluate, image, labels, steps, target):
    state = grouping_explorer(image, labels, steps, target).state()
    merges = list(range(len(steps) + 1))
    data = {"arrays": state["arrays"], "merges": merges, **state["inputs"]}
    for done, got in zip(merges, evaluate(AFTER, data), strict=True):
        wanted = labels_after(labels, steps[:done])
        assert torch.equal(torch.tensor(got["labels"]).view(wanted.shape), wanted.long())
        best = iou(target.boxes, boxes_after(labels, steps[:done])).amax(1)
        assert torch.equal(torch.tensor(got["best"]).float(), best)
        pixels = np.array(got["pixels"]).reshape(*wanted.shape, 4)[..., :3]
        drawn = 255 * segment_picture(image, wanted).permute(1, 2, 0).numpy()
        assert np.abs(pixels - drawn).max() <= 0.51  # rounded to whole numbers


def test_every_merge_gives_the_regions_the_colours_and_the_recall_of_the_library(javascript, grouped):
    assert len(grouped[2]) > 15
    check_every_merge(javascript("grouping"), *grouped)


@pytest.mark.parametrize(
    "sabotage", [("let i = done - 1; i >= 0", "let i = done - 1; i > 0"), ("own[i] !== own[i + width]", "false")]
)
def test_a_wrong_merge_or_border_would_be_seen(javascript, grouped, sabotage):
    evaluate = javascript("grouping", sabotage)
    with pytest.raises(AssertionError):
        check_every_merge(evaluate, *grouped)


def test_runs_are_unrolled(javascript):
    unroll = "([v, n]) => [...script.unroll(script.decode(v), script.decode(n))]"
    arrays = [_in_base64(pack(torch.tensor(values))) for values in ([4, 0, 4], [2, 1, 3])]
    assert javascript("grouping")(unroll, arrays) == [4, 4, 0, 4, 4, 4]
