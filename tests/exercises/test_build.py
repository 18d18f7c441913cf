"""Generated notebooks are what their source says, and students see no solution."""

import json
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import build
from grading.build import SOURCES, built, cells_of, main, student_text
from lecture_lib.exercises.catalogue import BY_NOTEBOOK, EXERCISES
from lecture_lib.notebooks import execute

ROOT = Path(build.__file__).parents[1]
NAMES = [path.stem for path in sorted(SOURCES.glob("*.py"))]


def test_no_generated_notebook_is_stale():
    assert main(["--check"]) == 0, "run python -m grading.build"


def test_a_stale_one_is_found(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "HERE", tmp_path / "grading")
    assert main(["--check"]) == 1
    assert "stale: notebooks/exercises/03_rcnn.ipynb" in capsys.readouterr().out
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_an_unknown_exercise_is_a_clear_error():
    with pytest.raises(ValueError, match="exercise iuo' is no cell"):
        cells_of("# %% exercise iuo\nx = 1\n")


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_its_cells(name):
    cells = cells_of((SOURCES / f"{name}.py").read_text())
    wanted = {exercise.name for exercise in BY_NOTEBOOK[name]}
    for kind in ("exercise", "check"):
        assert {cell.exercise for cell in cells if cell.kind == kind} == wanted
    for cell in cells:
        if cell.kind == "exercise":
            assert f"def {EXERCISES[cell.exercise].function}(" in cell.text
            assert "return ..." in student_text(cell)
            assert f"check.{cell.exercise}({EXERCISES[cell.exercise].function})" in "".join(c.text for c in cells)


@pytest.mark.parametrize("name", NAMES)
def test_students_see_stubs_and_no_solution(name):
    student = built(ROOT)[ROOT / "notebooks" / "exercises" / f"{name}.ipynb"]
    assert "SOLUTION" not in student
    code = ["".join(c["source"]) for c in json.loads(student)["cells"] if c["cell_type"] == "code"]
    assert sum("return ..." in source for source in code) == len(BY_NOTEBOOK[name])
    for cell in cells_of((SOURCES / f"{name}.py").read_text()):
        if cell.kind == "exercise":
            hidden = set(cell.text.splitlines()) - set(student_text(cell).splitlines())
            assert hidden
            assert not any(line.strip() in student for line in hidden if len(line.strip()) > 25)


@pytest.mark.parametrize("name", NAMES)
def test_the_visible_checks_call_every_solution_right(name):
    scope = {}
    for cell in cells_of((SOURCES / f"{name}.py").read_text()):
        if cell.kind in ("code", "exercise"):
            exec(cell.text, scope)
    for exercise in BY_NOTEBOOK[name]:
        assert eval(f"check.{exercise.name}({exercise.function})", scope).startswith("Right")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_both_versions_run_offline(name, tmp_path):
    count = len(BY_NOTEBOOK[name])
    for folder, verdict in (("notebooks/exercises", "Not solved yet"), ("grading/solutions", "Right: ")):
        done = execute(ROOT / folder / f"{name}.ipynb", folder=tmp_path)
        assert done.error is None
        assert done.page.count(verdict) == count
