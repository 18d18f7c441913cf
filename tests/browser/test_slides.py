"""The slide show in JupyterLab: what is on a slide, cells that run, a widget that moves by key, and the way out."""

import nbformat
import pytest

from lecture_lib.slides.__main__ import EXTENSIONS
from tests.browser.lab import NEEDS_BROWSER, jupyter

pytestmark = NEEDS_BROWSER

CELLS = [
    ("markdown", "slide", "# A title"),
    ("code", "skip", "import torch"),
    ("markdown", "slide", "Of the slide before.\n\n## Boxes\n\nMove one."),
    ("code", "-", "from lecture_lib.widgets.iou import iou_explorer\n\niou_explorer(torch.rand(3, 90, 120))"),
    ("markdown", "notes", "For the speaker."),
    ("code", "subslide", "print('at', 'once')"),
    ("code", "fragment", "print('after a', 'key')"),
]


@pytest.fixture
def show(page, tmp_path):
    """The page with the slide show of CELLS, at its first slide."""
    cells = [getattr(nbformat.v4, f"new_{kind}_cell")(source) for kind, _, source in CELLS]
    for cell, (_, slide_type, _) in zip(cells, CELLS, strict=True):
        cell.metadata["slideshow"] = {"slide_type": slide_type}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "slides.ipynb")
    with jupyter(tmp_path, tmp_path / "home", f"--LabApp.extra_labextensions_path={EXTENSIONS}") as address:
        page.goto(address["doc"].format("slides.ipynb"))
        page.locator(".lecture-bar output", has_text="1 / 3").wait_for(timeout=60_000)
        yield page


def test_the_whole_show(show):
    sees = lambda text: show.get_by_text(text, exact=True).is_visible()  # noqa: E731
    assert sees("A title¶") and not sees("Move one.")
    assert not show.get_by_role("menubar").first.is_visible()

    show.keyboard.press("Space")
    assert sees("Move one.") and not sees("Of the slide before.") and not sees("A title¶")
    show.keyboard.press("r")
    label = show.locator(".lw-caption", has_text="IoU = ").first
    before = label.inner_text()
    show.locator(".lw-box").first.focus()
    show.keyboard.press("ArrowRight")
    show.wait_for_function("before => document.querySelector('.lw-caption').innerText !== before", arg=before)
    assert not show.get_by_text("iou_explorer(").first.is_visible(), "the code makes room for what it shows"

    show.keyboard.press("n")  # the widget has the focus, so that letters are its own
    assert not sees("For the speaker.")
    show.locator(".lecture-bar").click()
    show.evaluate("document.activeElement.blur()")
    show.keyboard.press("n")
    assert sees("For the speaker.")

    show.keyboard.press("PageDown")
    show.locator(".lecture-bar output", has_text="3 / 3").wait_for()
    show.keyboard.press("Shift+Enter")
    show.get_by_text("at once").wait_for()
    assert show.locator(".jp-CodeCell").last.is_hidden()
    show.keyboard.press("Space")
    show.keyboard.press("Shift+Enter")
    show.get_by_text("after a key").wait_for()

    show.keyboard.press("Escape")
    show.get_by_role("menubar").first.wait_for()
    assert sees("Of the slide before.")
    assert show.problems == []
