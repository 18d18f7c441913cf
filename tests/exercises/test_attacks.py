"""What hostile and unlucky submissions get: the points that were earned, nothing more, nothing less."""

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import judge
from grading.sandbox import Sandbox
from grading.solved import solved
from tests.exercises.hostile import ALL, IOU, NOTEBOOK, attacked, iou, points, spoilt

pytestmark = pytest.mark.usefixtures("impatient")
SOLVED = (
    "from lecture_lib import boxes",
    "import torchvision",
    "from torchvision.ops import box_iou as overlap",
    "from sklearn import metrics",
)


def test_correct(sandbox):
    assert points(solved(NOTEBOOK), sandbox)[0] == ALL


def test_blank(sandbox):
    blank = json.loads((Path(judge.__file__).parents[1] / "notebooks/exercises/03_rcnn.ipynb").read_text())
    earned, graded = points(blank, sandbox)
    assert earned == 0
    assert {result.status for result in graded.results} == {"blank"}


def test_one_wrong_costs_only_itself_although_another_calls_it(sandbox):
    earned, graded = points(spoilt(iou("return torch.zeros(len(a), len(b))")), sandbox)
    assert earned == ALL - IOU
    assert any("overlap" in failure for failure in graded.results[0].failures)


def status_of(name: str, content: dict, sandbox: Sandbox) -> str:
    return next(result.status for result in points(content, sandbox)[1].results if result.name == name)


def test_what_a_right_answer_brings_along_replaces_no_helper_of_the_students(sandbox):
    own = "def area_of(box):\n    return float((box[2] - box[0]) * (box[3] - box[1]))"
    kept = source("rows_kept").replace("overlap, kept", "max(map(area_of, boxes), default=0)\n    overlap, kept")
    content = solved(NOTEBOOK, {"nms": kept}, last=own)
    assert status_of("nms", content, sandbox) == "right"


def test_a_default_argument_may_be_an_earlier_answer(sandbox):
    kept = source("rows_kept").replace("scores, threshold)", "scores, threshold, overlap_of=overlap_of)")
    content = solved(NOTEBOOK, {"nms": kept})
    assert status_of("nms", content, sandbox) == "right"


def test_a_syntax_error_costs_its_cell(sandbox):
    earned, graded = points(spoilt(iou("return (a +")), sandbox)
    assert earned == ALL - IOU
    assert "SyntaxError" in graded.problems[0]


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    pass",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    ],
)
def test_an_endless_loop_costs_its_exercise_within_the_limit(body, sandbox):
    start = time.monotonic()
    earned, graded = points(spoilt(iou(body)), sandbox)
    assert earned == ALL - IOU
    assert "loop without end" in graded.results[0].failures[0]
    assert time.monotonic() - start < 3 * judge.LIMIT


def test_an_endless_loop_at_top_level_costs_nothing(sandbox):
    assert points(solved(NOTEBOOK, first="while True:\n    pass"), sandbox)[0] == ALL


def test_edited_tests_and_forged_points_count_nothing(sandbox):
    content = spoilt(iou("return torch.zeros(len(a), len(b))"))
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("check."):
            cell["source"] = "score = 100"
            cell["metadata"] = {"nbgrader": {"grade": True, "points": 100, "grade_id": "check-iou", "score": 100}}
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Right: 100 of 100"}]
    assert points(content, sandbox)[0] == ALL - IOU


def test_deleted_and_copied_test_cells_do_not_matter(sandbox):
    content = solved(NOTEBOOK)
    checks = [cell for cell in content["cells"] if "".join(cell["source"]).startswith("check.")]
    assert points(content | {"cells": [c for c in content["cells"] if c not in checks]}, sandbox)[0] == ALL
    assert points(content | {"cells": [*content["cells"], *checks, *checks]}, sandbox)[0] == ALL


def test_warnings_and_prints_cost_nothing(sandbox):
    noise = "import sys\n    import warnings\n\n    warnings.warn('careful')\n    print('x' * 100_000, file=sys.stderr)"
    code = source("overlap_of").replace('"""\n', f'"""\n    {noise}\n', 1)
    assert "warnings.warn" in code
    assert points(spoilt({"iou": code}), sandbox)[0] == ALL


def source(function: str) -> str:
    sources = ("".join(cell["source"]) for cell in solved(NOTEBOOK)["cells"])
    return next(source for source in sources if source.startswith(f"def {function}("))


@pytest.mark.parametrize("imported", SOLVED)
def test_a_library_that_has_the_answer_gives_nothing_and_the_reason(imported, sandbox):
    name = imported.split()[-1]
    call = {"overlap": "overlap(a, b)", "boxes": "boxes.iou(a, b)"}.get(name, f"{name}.ops.box_iou(a, b)")
    for code in (iou(f"return {call}", head=imported), iou(f"{imported}\nreturn {call}")):
        earned, graded = points(spoilt(code), sandbox)
        assert earned == ALL - IOU
        assert graded.status == "flagged"
        assert "which has the answer" in graded.results[0].failures[0]


@pytest.mark.parametrize(
    "body",
    [
        'return __import__("torch" + "vision").ops.box_iou(a, b)',
        'import importlib\nreturn importlib.import_module("lecture" + "_lib.boxes").iou(a, b)',
        'import sys\nsys.path.insert(0, ".")\nreturn __import__("lecture" + "_lib").boxes.iou(a, b)',
        "return torch.ops.torchvision.nms(a, b[:, 0], 0.5)",
    ],
)
def test_nor_does_one_whose_name_is_hidden(body, sandbox):
    assert attacked(spoilt(iou(body)), sandbox).earned == 0


def test_patches_of_what_a_test_would_use_change_nothing(sandbox):
    patches = (
        "import numpy as np\nimport torch\n\nlist = tuple\nnp.allclose = lambda *a, **k: True\n"
        "np.testing.assert_allclose = lambda *a, **k: None\ntorch.allclose = lambda *a, **k: True\n"
        "torch.Tensor.__eq__ = lambda *a: True"
    )
    inside = "torch.allclose = torch.equal = lambda *a, **k: True\ntorch.Tensor.__eq__ = lambda *a: True\nreturn a"
    earned, graded = points(spoilt(iou(inside), first=patches), sandbox)
    assert earned == ALL - IOU
    assert graded.status == "flagged"


@pytest.mark.parametrize(
    "body",
    ["import sys\nsys.exit(0)", "import os\nos._exit(0)", "import ctypes\nctypes.string_at(0)", "raise SystemExit"],
)
def test_leaving_python_loses_only_that_exercise(body, sandbox):
    assert points(spoilt(iou(body)), sandbox)[0] == ALL - IOU
    assert points(solved(NOTEBOOK, first="import sys\nsys.exit(0)"), sandbox)[0] == ALL


def test_ipython_hooks_change_nothing(sandbox):
    hooks = (
        "get_ipython().input_transformers_cleanup.append(lambda lines: ['score = 100'])\n"
        "get_ipython().ast_transformers = [None]\nimport sys\n\nsys.displayhook(4.0)\nraise SystemExit"
    )
    assert points(spoilt(iou("return 0"), first=hooks, last="%%capture\nx = 1"), sandbox)[0] == ALL - IOU
