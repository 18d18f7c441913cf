"""Every notebook runs from a clean kernel, offline, within its budget, and is written as STYLE asks."""

import ast
import json
import statistics

import pytest

from lecture_lib.files import data_root
from lecture_lib.notebooks import FOLDER, execute, main
from lecture_lib.training.results import read_json

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS, GIB = 180, 4
BUSY = 4  # how much longer a machine that has other work may take


def cells(path, kind: str) -> list[str]:
    notebook = json.loads(path.read_text())
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_an_empty_folder_is_no_failure(tmp_path):
    assert main(["--folder", str(tmp_path), "--out", str(tmp_path / "site")]) == 0


def test_a_failing_notebook_is_reported_and_does_not_stop_the_others(tmp_path, capsys):
    for name, source in (("1_fails", "1 / 0"), ("2_works", "print('network:', 6 * 7)")):
        cell = {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook))
    assert main(["--folder", str(tmp_path), "--out", str(tmp_path / "site")]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert "network: 42" in (tmp_path / "site" / "2_works.html").read_text()
    assert not list((tmp_path / "site").glob("*.part"))
    assert main(["--folder", str(tmp_path), "--out", str(tmp_path / "site"), "--resume"]) == 1
    out = capsys.readouterr().out
    assert "1_fails" in out
    assert "2_works" not in out


@pytest.mark.slow
@pytest.mark.timeout(2 * BUSY * SECONDS)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_offline_within_its_budget_from_any_folder(path, tmp_path):
    done = execute(path, folder=tmp_path)
    assert done.error is None, done.error
    assert done.seconds <= BUSY * SECONDS
    assert done.peak_gib <= GIB
    assert not list(tmp_path.iterdir()), "a notebook left files in the folder it was started from"


def test_recorded_times_are_within_the_budget():
    recorded = read_json(data_root() / "results" / "notebooks.json")["notebooks"]
    assert set(recorded) == {path.stem for path in NOTEBOOKS}
    assert all(measured["seconds"] <= SECONDS and measured["peak_gib"] <= GIB for measured in recorded.values())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_prose_outweighs_code(path):
    lengths = [len(source.splitlines()) for source in cells(path, "code")]
    assert max(lengths) <= 12
    assert statistics.median(lengths) <= 6
    words = sum(len(source.split()) for source in cells(path, "markdown"))
    assert words >= 5 * sum(lengths)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_functions_live_in_the_library(path):
    """The only functions defined in a notebook are the stubs of exercises, which hold a docstring and `...`."""
    for source in cells(path, "code"):
        code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(code)):
            assert not isinstance(node, ast.ClassDef | ast.Lambda), source
            if isinstance(node, ast.FunctionDef):
                assert "..." in ast.unparse(node), f"{node.name} belongs in the library"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_opens_with_objectives_and_asks_for_predictions(path):
    prose, code = "\n".join(cells(path, "markdown")).lower(), "\n".join(cells(path, "code"))
    assert "you will" in prose or "learning objectives" in prose
    assert "min" in prose
    assert code.count("Predict(") >= 3
    assert "exercise" in prose
