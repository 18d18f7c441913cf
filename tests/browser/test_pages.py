"""A notebook's page, opened from a file with the network off: widgets work; without JavaScript there are pictures."""

import pytest

from lecture_lib.notebooks import main
from tests.browser.cases import CASES, SETUP, show
from tests.browser.lab import NEEDS_BROWSER, write_notebook

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    cells = [show(name) for name in [*CASES, "predict"]]
    formula = 'from lecture_lib import plotting; plotting.say("$x^2$")'
    write_notebook(folder / "1_all.ipynb", SETUP, *cells, formula)
    assert main(["--folder", str(folder), "--out", str(folder / "site")]) == 0
    return folder / "site"


@pytest.fixture
def offline(page):
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.context.set_offline(True)
    return page


def test_the_index_leads_to_a_page_that_asks_for_nothing(offline, site):
    offline.goto((site / "index.html").as_uri())
    offline.get_by_role("link", name="1_all").click()
    offline.locator(".lw-caption").first.wait_for()
    assert [url for url in offline.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert offline.problems == []
    assert offline.locator("math msup").count() == 1


@pytest.mark.parametrize("name", list(CASES))
def test_a_key_moves_each_widget(offline, site, name):
    offline.goto((site / "1_all.html").as_uri())
    body = offline.locator(".lecture-widget").nth(list(CASES).index(name)).locator(".lw-body")
    label = body.get_attribute("aria-label")
    body.locator(f"xpath=..//*[@data-name='{CASES[name].moves}']").first.focus()
    for _ in range(3):
        offline.keyboard.press(CASES[name].key)
    offline.wait_for_function("([body, label]) => body.ariaLabel !== label", arg=[body.element_handle(), label])


def test_a_module_used_twice_is_there_once(offline, site):
    offline.goto((site / "1_all.html").as_uri())
    predict = offline.locator(".lecture-widget", has_text="Predict first")
    assert predict.count() == 2
    for widget in predict.all():
        widget.get_by_role("button", name="Reveal").click()
        widget.get_by_text("1,234 windows").wait_for()
    assert (site / "1_all.html").read_text().count("export function verdict") == 1


def test_a_dark_page_is_dark(offline, site):
    offline.emulate_media(color_scheme="dark")
    offline.goto((site / "1_all.html").as_uri())
    colors = [f"() => getComputedStyle(document.{where}).{what}" for where, what in WHERE]
    background, letters = (offline.evaluate(color) for color in colors)
    assert luminance(background) < 60
    assert luminance(letters) > 150


WHERE = [("body", "backgroundColor"), ("querySelector('.lw-caption')", "color")]


def luminance(color: str) -> float:
    red, green, blue = (float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3])
    return 0.2 * red + 0.7 * green + 0.1 * blue


def test_without_javascript_there_are_pictures(browser, site):
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / "1_all.html").as_uri())
    assert page.locator(".lecture-widget > img").count() == len(CASES) - 1
    assert all(picture.bounding_box()["height"] > 100 for picture in page.locator(".lecture-widget > img").all())
    page.get_by_text("Predict first").first.click()
    assert page.get_by_text("1,234 windows").first.is_visible()
    page.close()
