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


def visible(show) -> set[str]:
    """Which of the texts of CELLS can be seen."""
    texts = ("A title", "Of the slide before.", "Boxes", "Move one.", "iou_explorer(", "For the speaker.", "print(")
    return {text for text in texts if any(found.is_visible() for found in show.get_by_text(text).all())}


def seen(show, expected: set[str]) -> bool:
    """Whether just these can be seen, at once or within five seconds: Lab draws cells one by one."""
    for _ in range(50):
        if visible(show) == expected:
            return True
        show.wait_for_timeout(100)
    return False


def test_what_is_on_a_slide(show):
    show.get_by_role("heading", name="A title").wait_for()
    assert seen(show, {"A title"})
    assert not show.get_by_role("menubar").first.is_visible()
    show.keyboard.press("Space")
    assert seen(show, {"Boxes", "Move one.", "iou_explorer("})
    show.keyboard.press("n")
    assert seen(show, {"Boxes", "Move one.", "iou_explorer(", "For the speaker.", "Of the slide before."})
    show.keyboard.press("n")
    show.keyboard.press("PageDown")
    assert seen(show, {"print("})
    assert show.locator(".jp-CodeCell").last.is_hidden(), "a fragment waits for a key"
    show.keyboard.press("Space")
    assert show.locator(".jp-CodeCell").last.is_visible()
    show.keyboard.press("Home")
    assert seen(show, {"A title"})
    show.keyboard.press("Escape")
    show.get_by_role("menubar").first.wait_for()
    assert {"A title", "For the speaker.", "print("} <= visible(show)
    assert show.problems == []


def test_a_slide_that_is_too_long_is_made_smaller_and_the_next_one_is_not(show):
    size = "() => document.body.style.getPropertyValue('--lecture-fit')"
    show.get_by_role("heading", name="A title").wait_for()
    assert show.evaluate(size) == "1.00"
    show.keyboard.press("Space")
    show.locator(".jp-CodeCell", has_text="iou_explorer(").evaluate("cell => { cell.style.height = '120vh'; }")
    show.wait_for_function("() => document.body.style.getPropertyValue('--lecture-fit') < 0.9")
    show.keyboard.press("PageDown")
    assert show.evaluate(size) == "1.00"


def test_cells_run_and_a_key_moves_the_widget(show):
    show.keyboard.press("Space")
    show.keyboard.press("r")
    caption = show.locator(".lw-caption", has_text="IoU = ").first
    before = caption.inner_text(timeout=120_000)
    assert "iou_explorer(" not in visible(show), "the code makes room for what it shows"
    show.locator(".lw-box").first.focus()
    show.keyboard.press("ArrowRight")
    show.wait_for_function("before => document.querySelector('.lw-caption').innerText !== before", arg=before)
    show.locator(".lecture-bar output", has_text="2 / 3").wait_for()

    show.keyboard.press("PageDown")  # a remote control's key works wherever the focus is
    show.locator(".lecture-bar output", has_text="3 / 3").wait_for()
    show.keyboard.press("Shift+Enter")
    show.get_by_text("at once").wait_for()
    show.keyboard.press("Space")
    show.keyboard.press("Shift+Enter")
    show.get_by_text("after a key").wait_for()
    show.keyboard.press("c")
    assert "print(" in visible(show)
    assert show.problems == []
