"""The frame without Jupyter: an offline page with and without JavaScript, errors, themes."""

import pytest
import torch

from lecture_lib.widgets.frame import BrowserWidget, Data, module
from lecture_lib.widgets.iou import iou_explorer
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER


@pytest.fixture
def show(page, tmp_path):
    """Shows HTML as a page of its own, from a file."""

    def shown(html: str):
        path = tmp_path / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><body>{html}", encoding="utf-8")
        page.context.set_offline(True)
        page.goto(path.as_uri())
        return page.locator(".lecture-widget").first

    return shown


def test_an_error_in_the_script_is_shown_as_text(show, image):
    widget = show(BrowserWidget("iou", "broken", Data(), {}, lambda: "nothing").html())
    widget.locator(".lw-error", has_text="TypeError").wait_for()


def test_an_error_while_drawing_is_shown_and_goes_away(show, image):
    widget = show(iou_explorer(image).html())
    widget.get_by_text("IoU = ").wait_for()
    widget.evaluate("root => root.lecture.set('a', null)")
    widget.locator(".lw-error", has_text="TypeError").wait_for()
    widget.evaluate("root => root.lecture.set('a', [0, 0, 9, 9])")
    widget.locator(".lw-error").wait_for(state="hidden")


def test_many_moves_between_two_frames_are_one_drawing(show, image):
    widget = show(iou_explorer(image).html())
    widget.get_by_text("IoU = ").wait_for()
    counted = widget.evaluate("""async root => {
        const frame = () => new Promise(requestAnimationFrame);
        await frame(); await frame();
        const before = root.lecture.draws;
        for (let x = 0; x < 20; x++) root.lecture.set('a', [x, 0, 30, 30]);
        await frame(); await frame();
        return root.lecture.draws - before;
    }""")
    assert counted == 1


def test_a_widget_off_the_page_is_drawn_without_an_error(show, page, image):
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    widget = show(iou_explorer(image).html())
    widget.get_by_text("IoU = ").wait_for()
    drawn = widget.evaluate("""async root => {
        const before = root.lecture.draws;
        root.remove();
        root.lecture.set('a', [0, 0, 9, 9]);
        for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
        return root.lecture.draws - before;
    }""")
    assert drawn >= 1
    assert page.problems == []


def test_the_kernel_is_told_once_the_reader_pauses_or_at_once_if_it_answers(show, image):
    widget = show(iou_explorer(image).html())
    widget.get_by_text("IoU = ").wait_for()
    told = """async ([root, asks]) => {
        const w = root.lecture, told = [], wait = ms => new Promise(resolve => setTimeout(resolve, ms));
        w.model = {set: (name, {a}) => told.push(a[0]), save_changes() {}};
        w.asks = asks;
        for (let x = 1; x <= 3; x++) { w.set('a', [x, 0, 30, 30]); if (asks) await wait(30); }
        await wait(500);
        return told;
    }"""
    assert widget.page.evaluate(told, [widget.element_handle(), False]) == [3]
    assert widget.page.evaluate(told, [widget.element_handle(), True]) == [1, 2, 3]


def test_without_javascript_there_is_the_picture(browser, image, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(iou_explorer(image).html(), encoding="utf-8")
    page = browser.new_page(java_script_enabled=False)
    page.goto(path.as_uri())
    picture = page.locator(".lecture-widget img")
    assert picture.bounding_box()["height"] > 100
    assert "intersection over union" in picture.get_attribute("alt")
    page.close()


def test_a_dark_page_has_light_letters(show, page, image):
    widget = show(iou_explorer(image).html())
    colors = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colors.append(widget.evaluate("root => getComputedStyle(root).color"))
    assert colors == ["rgb(27, 35, 48)", "rgb(230, 233, 238)"]


def test_arrays_arrive_as_they_are(javascript):
    from lecture_lib.widgets.frame import _in_base64, pack

    evaluate = javascript("iou")
    for array in (torch.tensor([[0.1, -2.5e-30], [3e38, 0.0]]), torch.tensor([-1, 2**31 - 1]), torch.zeros(0, 4)):
        got, shape = evaluate("p => { const a = script.decode(p); return [[...a], a.shape]; }", _in_base64(pack(array)))
        assert torch.equal(torch.tensor(got, dtype=array.dtype), array.flatten())
        assert shape == list(array.shape)


def test_modules_hold_nothing_that_ends_a_script_early():
    for path in ("iou", "suppression", "labelling", "predict"):
        assert "</script" not in module(path)
        assert "<!--" not in module(path)
