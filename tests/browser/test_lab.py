"""The notebooks in JupyterLab in a real browser: every cell runs, and a slider moved by key redraws its picture."""

import json
import shutil

import pytest

from lecture_lib.notebooks import FOLDER
from tests.browser.lab import NEEDS_BROWSER, jupyter, run_all, write_notebook

pytestmark = NEEDS_BROWSER
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SLIDER = """
import ipywidgets
from lecture_lib.widgets import Explorer
from lecture_lib.widgets.explorer import picture
Explorer(lambda n: picture("data:,", (10, 20), "", f"{n} boxes"), n=ipywidgets.IntSlider(value=3, max=9))
"""


def test_a_failing_cell_is_seen(page, tmp_path):
    write_notebook(tmp_path / "fails.ipynb", "1 / 0")
    with jupyter(tmp_path, tmp_path / "home") as address:
        (error,) = run_all(page, address["lab"], "fails.ipynb")
    assert "ZeroDivisionError" in error


def test_a_slider_moved_by_key_redraws_the_picture(page, tmp_path):
    write_notebook(tmp_path / "slider.ipynb", SLIDER)
    with jupyter(tmp_path, tmp_path / "home") as address:
        assert run_all(page, address["lab"], "slider.ipynb") == []
        page.get_by_text("3 boxes").wait_for()
        page.locator(".noUi-handle").first.focus()
        page.keyboard.press("ArrowRight")
        page.get_by_text("4 boxes").wait_for(timeout=10_000)
    assert page.problems == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_lab(path, page, tmp_path):
    shutil.copy(path, tmp_path)
    with jupyter(tmp_path, tmp_path / "home") as address:
        assert run_all(page, address["lab"], path.name) == []
        assert page.locator(".jupyter-widgets, .lecture-widget .lw-caption").count() > 0
    assert page.problems == []
    assert json.loads(path.read_text())["cells"], "an empty notebook proves nothing"
