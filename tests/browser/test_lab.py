"""The notebooks in JupyterLab in a real browser: every cell runs, and a slider moved by key redraws its picture."""

import json
import shutil

import nbformat
import pytest

from lecture_lib.notebooks import FOLDER
from tests.browser.lab import CHROMIUM, FLAGS, jupyterlab, run_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SLIDER = """
import ipywidgets
from lecture_lib.widgets import Explorer
from lecture_lib.widgets.explorer import picture
Explorer(lambda n: picture("data:,", (10, 20), "", f"{n} boxes"), n=ipywidgets.IntSlider(value=3, max=9))
"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    yield page
    page.close()


def write_notebook(path, *sources):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


def test_a_failing_cell_is_seen(page, tmp_path):
    write_notebook(tmp_path / "fails.ipynb", "1 / 0")
    with jupyterlab(tmp_path, tmp_path / "home") as address:
        (error,) = run_all(page, address, "fails.ipynb")
    assert "ZeroDivisionError" in error


def test_a_slider_moved_by_key_redraws_the_picture(page, tmp_path):
    write_notebook(tmp_path / "slider.ipynb", SLIDER)
    with jupyterlab(tmp_path, tmp_path / "home") as address:
        assert run_all(page, address, "slider.ipynb") == []
        page.get_by_text("3 boxes").wait_for()
        page.locator(".noUi-handle").first.focus()
        page.keyboard.press("ArrowRight")
        page.get_by_text("4 boxes").wait_for(timeout=10_000)
    assert page.problems == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_lab(path, page, tmp_path):
    shutil.copy(path, tmp_path)
    with jupyterlab(tmp_path, tmp_path / "home") as address:
        assert run_all(page, address, path.name) == []
        assert page.locator(".jupyter-widgets").count() > 0
    assert page.problems == []
    assert json.loads(path.read_text())["cells"], "an empty notebook proves nothing"
