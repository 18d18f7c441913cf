"""tests.benchmarks.speed.start: what is said of the notebooks and of the grader."""

import subprocess

import pytest

from tests.benchmarks.grading import Graded
from tests.benchmarks.speed.start import grader_line, notebook_table, run

RECORDED = {
    "command": "python -m x",
    "date": "2026-01-02",
    "machine": {"processor": "P", "cores": 2, "threads": 2, "accelerator": None, "torch": "2.0"},
    "notebooks": {"01_a": {"seconds": 61, "peak_gib": 1.5}, "02_b": {"seconds": 9, "peak_gib": 2.5}},
}


def test_notebooks_with_their_sum_and_their_date() -> None:
    text = notebook_table(RECORDED)
    assert "| 01_a | 61 | 1.5 |" in text
    assert "| all, one after the other | 70 | 2.5 |" in text
    assert "2026-01-02" in text
    assert "`python -m x`" in text


@pytest.mark.parametrize(("problems", "said"), [([], "every grade as expected"), (["0.ipynb: 3"], "1 problems: 0.ip")])
def test_grader_line(problems: list[str], said: str) -> None:
    line = grader_line(Graded(10, 2, 20.0, "full", problems))
    assert "30 submissions a minute, 2 s each" in line
    assert said in line


def test_a_program_that_fails_is_no_measurement() -> None:
    run("pass")
    with pytest.raises(subprocess.CalledProcessError):
        run("raise SystemExit(3)")
