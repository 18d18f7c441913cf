import pytest
import torch

from lecture_lib.matching import IoURule, SampleRule, label_proposals, sample
from lecture_lib.structures import Proposals, Target
from lecture_lib.widgets.labelling import PRESETS, labelling_explorer
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

SIZE = (60, 80)
RULES = [
    *PRESETS.values(),
    *(
        IoURule(high, (low * high, high), best)
        for high in (0.1, 0.35, 0.6)
        for low in (0, 0.5)
        for best in (False, True)
    ),
    IoURule(0.3, (0.1, 0.2)),
    IoURule(0.3, None, True),
]
LABEL = """({proposals, objects, rules}) => {
    const some = objects.map(o => ({...o, box: new Float32Array(o.box)}));
    const found = rules.map(rule => script.label(new Float32Array(proposals), some, rule));
    return found.map(({labels, iou}) => [[...labels], [...iou]]);
}"""


def scene(seed: int, count: int, objects: int) -> tuple[Proposals, Target]:
    """Boxes on a coarse grid, objects in pairs: overlaps are often equal. Every third object is difficult."""
    generator = torch.Generator().manual_seed(seed)

    def boxes(n):
        corners = 10 * torch.randint(0, 4, (n, 2), generator=generator)
        return torch.cat([corners, corners + 10 * torch.randint(1, 3, (n, 2), generator=generator)], 1).float()

    corners = boxes(objects)
    corners[1::2] = corners[: len(corners) - 1 : 2]  # two objects in one place: of different classes
    labels = torch.arange(objects) % 3 + 1
    target = Target(corners, labels, torch.arange(objects) % 3 == 2, None, SIZE)
    return Proposals(boxes(count), None, SIZE), target


def check_equal(evaluate, proposals, target):
    rows = zip(target.boxes.tolist(), target.labels.tolist(), target.difficult.tolist(), strict=True)
    objects = [{"box": box, "label": label, "difficult": difficult} for box, label, difficult in rows]
    rules = [{"foreground": r.foreground, "background": r.background, "best": r.best_is_foreground} for r in RULES]
    data = {"proposals": proposals.boxes.flatten().tolist(), "objects": objects, "rules": rules}
    for rule, (labels, iou) in zip(RULES, evaluate(LABEL, data), strict=True):
        wanted = label_proposals(proposals, target, rule)
        assert labels == wanted.labels.tolist(), rule
        assert torch.equal(torch.tensor(iou).float(), wanted.iou), rule


@pytest.mark.parametrize(("count", "objects"), [(0, 0), (0, 2), (5, 0)])
def test_no_proposal_or_no_object(javascript, count, objects):
    check_equal(javascript("labelling"), *scene(0, count, objects))


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_the_librarys_ties_and_difficult_objects_included(javascript, seed):
    check_equal(javascript("labelling"), *scene(seed, 300, 6))


def test_one_class_at_a_time_as_for_the_svms(javascript):
    proposals, target = scene(1, 300, 9)
    for label in (1, 2, 3):
        check_equal(javascript("labelling"), proposals, target.of_class(label))


def test_a_wrong_tie_would_be_seen(javascript):
    sabotage = ("if (overlaps[g][r] > best[r])", "if (overlaps[g][r] >= best[r])")
    with pytest.raises(AssertionError):
        check_equal(javascript("labelling", sabotage), *scene(0, 300, 6))


@pytest.mark.parametrize(("positive", "negative"), [(0, 0), (10, 500), (100, 500), (100, 20), (500, 0)])
def test_a_mini_batch_has_the_sizes_of_sample(javascript, positive, negative):
    labels = torch.tensor([2] * positive + [0] * negative + [-1] * 50)
    draw = "([labels, seed]) => script.drawBatch(labels, {size: 128, fraction: 0.25, seed})"
    evaluate = javascript("labelling")
    first, again, other = (evaluate(draw, [labels.tolist(), seed]) for seed in (1, 1, 2))
    wanted = labels[sample(labels, SampleRule(), torch.Generator().manual_seed(0))]
    assert len(first["positive"]) == int((wanted > 0).sum())
    assert len(first["negative"]) == int((wanted == 0).sum())
    assert first == again
    assert not first["negative"] or first["negative"] != other["negative"]
    assert len(set(first["positive"])) == len(first["positive"])
    assert all(labels[row] > 0 for row in first["positive"])
    assert all(labels[row] == 0 for row in first["negative"])


@pytest.mark.parametrize(
    ("moved", "values", "wanted"),
    [
        ("foreground", (0.3, 0.1, 0.5), (0.3, 0.1, 0.3)),
        ("high", (0.5, 0.2, 0.7), (0.7, 0.2, 0.7)),
        ("high", (0.5, 0.2, 0.1), (0.5, 0.1, 0.1)),
        ("low", (0.5, 0.6, 0.3), (0.6, 0.6, 0.6)),
    ],
)
def test_thresholds_stay_in_order(javascript, moved, values, wanted):
    names = ("foreground", "low", "high")
    given = dict(zip(names, values, strict=True))
    got = javascript("labelling")("([v, m]) => script.ordered(v, m)", [given, moved])
    assert got == dict(zip(names, wanted, strict=True))


def test_in_larger_type_it_fits_a_projector(page, tmp_path):
    proposals, target = scene(0, 300, 6)
    path = tmp_path / "page.html"
    html = labelling_explorer(torch.rand(3, *SIZE), proposals, target, ["cup", "dog", "leaf"]).html()
    path.write_text(f"<!doctype html><meta charset=utf-8><body>{html}", encoding="utf-8")
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(path.as_uri())
    page.locator(".lw-larger").click()
    page.locator(".lw-presenter .lw-caption", has_text="positive").wait_for()
    box = page.locator(".lecture-widget").bounding_box()
    assert box["height"] <= 900
    assert box["width"] <= 1600
    assert page.problems == []
