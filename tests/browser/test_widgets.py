"""Every widget in JupyterLab and in Notebook 7: shown, moved, followed by the kernel, there again after a restart."""

import pytest

from tests.browser.cases import CASES, SETUP, show
from tests.browser.lab import (
    NEEDS_BROWSER,
    ask,
    jupyter,
    open_notebook,
    restart_and_run,
    run_cells,
    write_notebook,
)

pytestmark = NEEDS_BROWSER
NAMES = list(CASES)
DRAGGED = [name for name in NAMES if CASES[name].drags]
NAME_OF_CELL = "widget_{} = _"


class Opened:
    """The notebook of all widgets, open in one of the two applications."""

    def __init__(self, page) -> None:
        self.page = page

    def widget(self, name: str):
        """The widget of a case, in view."""
        root = self.page.locator(".lecture-widget").nth(NAMES.index(name))
        root.scroll_into_view_if_needed()
        return root

    def values(self, name: str) -> dict:
        return self.widget(name).evaluate("root => root.lecture.values")

    def wait_until_all_are_drawn(self) -> None:
        drawn = "n => [...document.querySelectorAll('.lecture-widget')].filter(w => w.lecture?.draws > 0).length === n"
        self.page.wait_for_function(drawn, arg=len(NAMES), timeout=60_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("widgets")


@pytest.fixture(scope="module")
def addresses(folder):
    cells = [source for name in NAMES for source in (show(name), NAME_OF_CELL.format(name))]
    for app in ("lab", "notebook"):
        write_notebook(folder / f"{app}.ipynb", SETUP, *cells)
    with jupyter(folder, folder / "home") as addresses:
        yield addresses


@pytest.fixture(scope="module", params=["lab", "notebook"])
def app(request):
    return request.param


@pytest.fixture(scope="module")
def opened(app, addresses, browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    open_notebook(page, addresses[app], f"{app}.ipynb")
    page.wait_for_timeout(1500)
    page.problems.clear()  # those of the application itself, before there was any widget
    assert run_cells(page) == []
    opened = Opened(page)
    opened.wait_until_all_are_drawn()
    yield opened
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_drawn_and_says_its_result(opened, name):
    widget = opened.widget(name)
    assert widget.get_attribute("aria-label")
    assert widget.locator(".lw-body").get_attribute("aria-label")
    assert widget.locator(".lw-error").is_hidden()


@pytest.mark.parametrize("name", NAMES)
def test_a_key_moves_it_and_the_kernel_follows(opened, name):
    widget, case, before = opened.widget(name), CASES[name], opened.values(name)
    label, picture = widget.locator(".lw-body").get_attribute("aria-label"), widget.screenshot()
    widget.locator(f"[data-name={case.moves}]").first.focus()
    for _ in range(3):
        opened.page.keyboard.press(case.key)
    opened.page.wait_for_function(
        "([root, label]) => root.querySelector('.lw-body').ariaLabel !== label", arg=[widget.element_handle(), label]
    )
    assert opened.values(name) != before
    assert widget.screenshot() != picture
    opened.page.wait_for_timeout(300)
    values = opened.values(name)
    assert ask(opened.page, f"print(widget_{name}.values == {values})").strip() == "True"


@pytest.mark.parametrize("name", DRAGGED)
def test_the_mouse_drags_it(opened, name):
    widget, before = opened.widget(name), opened.values(name)
    place = widget.locator(f"[data-name={CASES[name].drags}]").first.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 20, y + 12, steps=4)
    opened.page.mouse.up()
    assert opened.values(name) != before


def test_python_moves_it_too(opened):
    ask(opened.page, "widget_iou.values = {'a': [0, 0, 40, 40], 'b': [0, 0, 40, 20]}; widgets.presenter()")
    widget = opened.widget("iou")
    widget.get_by_text("= 0.500").wait_for(timeout=10_000)
    assert "lw-presenter" in widget.get_attribute("class")
    widget.locator(".lw-larger").press("Enter")
    assert opened.page.locator(".lw-presenter").count() == 0


def test_python_answers_with_arrays(opened):
    ask(opened.page, "from lecture_lib.widgets.frame import pack")
    ask(opened.page, "widget_iou.answer = {'numbers': pack(torch.tensor([1.5, -2]))}")
    read = """async root => {
        const frame = () => new Promise(requestAnimationFrame);
        while (!root.lecture.answer) await frame();
        const [{ decode }] = await Promise.all(Object.values(window.lectureModules));
        return [...decode(root.lecture.answer.numbers)];
    }"""
    assert opened.widget("iou").evaluate(read) == [1.5, -2]


def test_all_are_there_again_after_restart_and_run_all(opened):
    opened.page.evaluate("() => document.querySelectorAll('.lecture-widget').forEach(w => w.remove())")
    restart_and_run(opened.page)
    opened.wait_until_all_are_drawn()
    assert opened.page.problems == []


def test_a_saved_notebook_opened_again_shows_them_without_a_run(opened, addresses, app):
    opened.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    open_notebook(opened.page, addresses[app], f"{app}.ipynb")
    opened.wait_until_all_are_drawn()
    assert opened.page.get_by_text("model not found").count() == 0


def test_a_notebook_of_someone_else_shows_pictures(opened, addresses, app, folder):
    saved = (folder / f"{app}.ipynb").read_text()
    (folder / "untrusted.ipynb").write_text(saved.replace("lecture_lib import voc", "lecture_lib  import voc"))
    open_notebook(opened.page, addresses[app], "untrusted.ipynb")
    pictures = "n => document.querySelectorAll('.jp-OutputArea img[src^=\"data:image/jpeg\"]').length === n"
    opened.page.wait_for_function(pictures, arg=len(NAMES) - 1, timeout=60_000)  # all but the question
    assert opened.page.locator(".lw-caption").count() == 0
    assert opened.page.get_by_text("model not found").count() == 0
    assert opened.page.get_by_text("float32").count() == 0
