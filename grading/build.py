"""One source per exercise notebook; from it the student's version, the solutions and the nbgrader assignment.

python -m grading.build writes them; with --check it writes nothing and fails when one is stale.

A source is a Python file with cells as jupytext marks them ("# %%"). "# %% exercise NAME" is a student's cell, whose
lines between ### BEGIN SOLUTION and ### END SOLUTION students do not see; "# %% check NAME" is worth its points.
"""

import argparse
import ast
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from lecture_lib.exercises.catalogue import EXERCISES
from lecture_lib.exercises.record import Exercise
from lecture_lib.files import replacing

HERE = Path(__file__).parent
SOURCES = HERE / "source"
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION\n?", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"^ *### (BEGIN|END) SOLUTION\n", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One cell of a source: "markdown", "code", "exercise" or "check", the exercise's name, and its text."""

    kind: str
    exercise: str
    text: str


def cells_of(source: str) -> list[Cell]:
    """The cells of a source. Raises ValueError for a mark or an exercise that does not exist."""
    cells = []
    for part in re.split(r"^# %%", source, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        kind, _, name = head.strip().partition(" ")
        text = text.strip("\n") + "\n"
        if kind == "[markdown]":
            cells.append(Cell("markdown", "", re.sub(r"^# ?", "", text, flags=re.MULTILINE)))
        elif kind in ("exercise", "check") and name in EXERCISES:
            cells.append(Cell(kind, name, text))
        elif not kind:
            cells.append(Cell("code", "", text))
        else:
            raise ValueError(
                f"'# %%{head}' is no cell: write # %%, # %% [markdown], # %% exercise NAME or # %% check NAME"
            )
    return cells


def student_text(cell: Cell) -> str:
    """The cell as students get it: an ellipsis in the place of the solution."""
    return SOLUTION.sub(r"\1return ...\n", cell.text)


def reference(exercise: Exercise) -> str:
    """The solution of an exercise as code that stands by itself: its cell, and plain code cells with definitions."""
    cells = cells_of((SOURCES / f"{exercise.notebook}.py").read_text())
    helpers = [cell.text for cell in cells if cell.kind == "code"]
    own = [cell.text for cell in cells if (cell.kind, cell.exercise) == ("exercise", exercise.name)]
    kept = [
        ast.unparse(node)
        for text in [*helpers, *own]
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.Import) and node.names[0].name == "torch")
    ]
    return "\n".join(kept)


def notebook(name: str, cells: list[Cell], solved: bool, nbgrader: bool = False) -> str:
    """A notebook as JSON; with `nbgrader`, its cells carry what nbgrader needs to know."""
    made = []
    for number, cell in enumerate(cells):
        text = (cell.text if nbgrader else MARK.sub("", cell.text)) if solved else student_text(cell)
        made.append(
            {
                "cell_type": "markdown" if cell.kind == "markdown" else "code",
                "id": f"{name.replace('_', '-')}-x{number:02d}",
                "metadata": {"nbgrader": _for_nbgrader(cell)} if nbgrader and cell.exercise else {},
                "source": text.rstrip("\n").splitlines(keepends=True),
            }
        )
        if cell.kind != "markdown":
            made[-1] |= {"execution_count": None, "outputs": []}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _for_nbgrader(cell: Cell) -> dict:
    graded = cell.kind == "check"
    about = {"grade": graded, "solution": not graded, "locked": graded, "task": False, "schema_version": 3}
    points = {"points": EXERCISES[cell.exercise].points} if graded else {}
    return about | points | {"grade_id": f"{cell.kind}-{cell.exercise}"}


def built(root: Path) -> dict[Path, str]:
    """Every generated file and what is to stand in it."""
    files = {}
    for source in sorted(SOURCES.glob("*.py")):
        name, cells = source.stem, cells_of(source.read_text())
        files[root / "notebooks" / "exercises" / f"{name}.ipynb"] = notebook(name, cells, solved=False)
        files[root / "grading" / "solutions" / f"{name}.ipynb"] = notebook(name, cells, solved=True)
        assignment = root / "grading" / "course" / "source" / name / f"{name}.ipynb"
        files[assignment] = notebook(name, cells, solved=True, nbgrader=True)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Write the notebooks, or check them; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m grading.build", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a generated notebook is stale")
    check = parser.parse_args(arguments).check
    files = built(HERE.parent)
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        print("stale:" if check else "wrote:", path.relative_to(HERE.parent))
        if not check:
            with replacing(path) as beside:
                beside.write_text(files[path])
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
