"""The real nbgrader, from the source to the exported marks, with our step in the place of its Execute."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")
pytest.importorskip("nbgrader", reason="nbgrader is not installed")

from grading import build
from grading.sandbox import Sandbox, Weak
from grading.solved import solved
from tests.exercises.hostile import ALL, IOU
from tests.exercises.hostile import NOTEBOOK as NAME

ROOT = Path(build.__file__).parents[1]
LOOP = "def overlap_of(a, b):\n    while True:\n        pass\n"
FORGED = "import sqlite3\n    sqlite3.connect('gradebook.db').execute('update grade set auto_score = 45')\n    return 0"


def nbgrader(course: Path, *command: str, fails: bool = False) -> str:
    """Run one of nbgrader's commands in a course."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])}
    called = [sys.executable, "-m", "nbgrader", *command]
    done = subprocess.run(called, cwd=course, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == fails, done.stderr[-3000:]
    return done.stdout + done.stderr


def answered(release: Path, answers: dict) -> dict:
    """The released notebook with the code that `answers` has for its functions."""
    content = json.loads(release.read_text())
    code = {"".join(c["source"]).split("(")[0]: c["source"] for c in answers["cells"] if c["cell_type"] == "code"}
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if source.startswith("def "):
            cell["source"] = code[source.split("(")[0]]
    return content


def copied(content: dict) -> dict:
    """A student copied a check to write a helper into it, forged its points, and deleted another check."""
    cells = content["cells"]
    (at,) = (n for n, cell in enumerate(cells) if "".join(cell["source"]) == "check.iou(overlap_of)")
    helper = json.loads(json.dumps(cells[at])) | {"id": "copied", "source": "def helper(x):\n    return x\n"}
    helper["metadata"]["nbgrader"]["points"] = 40
    gone = [cell for cell in cells if "".join(cell["source"]) != "check.nms(rows_kept)"]
    return content | {"cells": [*gone[: at - 1], helper, *gone[at - 1 :]]}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with an assignment, and submissions as Moodle's download has them."""
    try:
        Sandbox().close()
    except Weak as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    shutil.copytree(ROOT / "grading" / "course", folder, ignore=shutil.ignore_patterns("release", "*.db"))
    nbgrader(folder, "generate_assignment", NAME)
    release = folder / "release" / NAME / f"{NAME}.ipynb"
    right = answered(release, solved(NAME))
    with_helper = {"iou": f"{source_of('overlap_of').replace('area_of(a)', 'helper(area_of(a))')}"}
    handed_in = {
        "right": json.dumps(right),
        "blank": release.read_text(),
        "wrong": json.dumps(answered(release, solved(NAME, {"iou": "def overlap_of(a, b):\n    return a @ b.T\n"}))),
        "loop": json.dumps(answered(release, solved(NAME, {"iou": LOOP}))),
        "forger": json.dumps(answered(release, solved(NAME, {"iou": f"def overlap_of(a, b):\n    {FORGED}\n"}))),
        "copier": json.dumps(copied(answered(release, solved(NAME, with_helper)))),
        "broken": release.read_text()[:500],
    }
    for student, text in handed_in.items():
        place = folder / "downloaded" / NAME / "archive" / f"{student}_12_assignsubmission_file_" / f"{NAME}.ipynb"
        place.parent.mkdir(parents=True)
        place.write_text(text)
    nbgrader(folder, "zip_collect", NAME)
    nbgrader(folder, "autograde", NAME, fails=True)  # of the broken one, and of it alone
    nbgrader(folder, "generate_feedback", NAME)
    nbgrader(folder, "export", "--to", "marks.csv")
    return folder


def source_of(function: str) -> str:
    cells = solved(NAME)["cells"]
    return next("".join(c["source"]) for c in cells if "".join(c["source"]).startswith(f"def {function}("))


@pytest.mark.slow
def test_marks_are_what_was_earned(course):
    with (course / "marks.csv").open() as file:
        marks = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    part = ALL - IOU
    earned = {"right": ALL, "blank": 0, "wrong": part, "loop": part, "forger": part, "copier": ALL, "broken": 0}
    assert marks == {student: (points, ALL) for student, points in earned.items()}


@pytest.mark.slow
def test_the_release_has_no_solution_and_nothing_of_the_grader(course):
    assert [path.name for path in (course / "release").rglob("*") if path.is_file()] == [f"{NAME}.ipynb"]
    released = (course / "release" / NAME / f"{NAME}.ipynb").read_text()
    assert "SOLUTION" not in released
    assert "clamp(min=0)" not in released
    assert "return ..." in released


@pytest.mark.slow
def test_feedback_tells_the_kind_of_failure_and_no_hidden_case(course):
    pages = {path.parts[-3]: path.read_text() for path in (course / "feedback").rglob("*.html")}
    assert set(pages) == {"right", "blank", "wrong", "loop", "forger", "copier"}
    assert "boxes that overlap" in pages["wrong"]
    assert "loop without end" in pages["loop"]
    assert "not answered" in pages["blank"]
    assert all("tensor([[" not in page for page in pages.values())


@pytest.mark.slow
def test_the_database_has_only_what_nbgrader_wrote(course):
    with sqlite3.connect(course / "gradebook.db") as database:
        scores = [score for (score,) in database.execute("select auto_score from grade") if score is not None]
    assert max(scores) <= IOU
