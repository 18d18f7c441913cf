"""One browser for each module of browser tests, and a page that remembers what went wrong in it."""

import pytest

from lecture_lib.widgets.frame import module
from tests.browser.lab import CHROMIUM, FLAGS


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


LOAD = """
async source => {
    const script = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
    window.script = {...script};
}
"""


@pytest.fixture(scope="module")
def javascript(browser):
    """Loads a widget's module into an empty page; returns what evaluates JavaScript in which `script` has its exports.

    `sabotage` = (old, new) changes the module first, to show that a test can fail.
    """

    page = browser.new_page()

    def load(name: str, sabotage: tuple[str, str] | None = None):
        source = module(name)
        if sabotage is not None:
            assert source.count(sabotage[0]) == 1
            source = source.replace(*sabotage)
        page.evaluate(LOAD, source)
        return page.evaluate

    return load
