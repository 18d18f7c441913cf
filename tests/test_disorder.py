"""Notebooks run in disorder: what a missing name explains is borne, everything else is reported."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.disorder import main

START, SLOW = "import time\na = 1", "time.sleep(1.5)"


def disturbed(folder, capsys, *sources: str) -> tuple[int, dict[str, str]]:
    """Whether a notebook of these cells fails, and what was said about each way of running it."""
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), folder / "a.ipynb")
    failures = main(["--folder", str(folder)])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a ")]
    return failures, {line[25:50].strip(): line.partition(" s  ")[2] for line in lines}


def test_an_empty_folder_is_no_failure(tmp_path):
    assert main(["--folder", str(tmp_path)]) == 0


def test_an_unknown_notebook_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["no_such", "--folder", str(tmp_path)])
    assert "there is no no_such" in capsys.readouterr().err


@pytest.mark.slow
def test_a_name_of_an_earlier_cell_may_be_missing(tmp_path, capsys):
    failures, said = disturbed(tmp_path, capsys, START, "b = a + 1", SLOW, "b", "a")
    assert failures == 0
    assert set(said.values()) == {"ok"}
    assert len(said) == 5


@pytest.mark.slow
def test_a_cell_that_bears_no_second_run_is_reported(tmp_path, capsys):
    failures, said = disturbed(
        tmp_path, capsys, START + "\na = globals().get('kept', 1)", "kept = 2", SLOW, "1 / (2 - a)"
    )
    assert failures == 1
    assert said["from the top"] == "ok"
    assert said["from the top again"] == "cell 3: ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_a_kernel_that_was_never_killed_is_reported(tmp_path, capsys):
    failures, said = disturbed(tmp_path, capsys, "a = 1")
    assert failures == 1
    assert said["killed in the middle"] == "never killed"
