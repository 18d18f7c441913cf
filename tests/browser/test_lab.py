"""Whole notebooks in JupyterLab in a real browser: every cell runs; the widgets have tests of their own."""

import json
import shutil

import pytest

from lecture_lib.notebooks import FOLDER
from tests.browser.lab import NEEDS_BROWSER, jupyter, run_all, write_notebook

pytestmark = NEEDS_BROWSER
# The two quickest: tests/test_notebooks.py runs all of them from end to end, without a browser.
NOTEBOOKS = [FOLDER / name for name in ("04_sppnet.ipynb", "08_stepping_forward.ipynb")]


def test_a_failing_cell_is_seen(page, tmp_path):
    write_notebook(tmp_path / "fails.ipynb", "1 / 0")
    with jupyter(tmp_path, tmp_path / "home") as address:
        (error,) = run_all(page, address["lab"], "fails.ipynb")
    assert "ZeroDivisionError" in error


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_lab(path, page, tmp_path):
    shutil.copy(path, tmp_path)
    with jupyter(tmp_path, tmp_path / "home") as address:
        assert run_all(page, address["lab"], path.name) == []
        assert page.locator(".jupyter-widgets, .lecture-widget .lw-caption").count() > 0
    assert page.problems == []
    assert json.loads(path.read_text())["cells"], "an empty notebook proves nothing"
