"""What Python gives the browser: one piece of HTML with everything in it."""

import json
import re
import struct

import pytest
import torch
from PIL import Image

from lecture_lib import widgets
from lecture_lib.plotting import style
from lecture_lib.widgets.frame import ALSO, SHARED, STATIC, BrowserWidget, Data, module, pack, palette
from lecture_lib.widgets.predict import Predict
from lecture_lib.widgets.still import Outlines, draw_still

HELPERS = {"bridge", *SHARED, *(name for names in ALSO.values() for name in names)}
SCRIPTS = sorted(path.stem for path in STATIC.glob("*.js") if path.stem not in HELPERS)


def state_in(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def shown(widget: BrowserWidget) -> str:
    data, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" not in data
    return data["text/html"]


def test_no_data():
    widget = BrowserWidget("predict", "nothing", Data(), {}, lambda: "<p>still</p>")
    state = state_in(shown(widget))
    assert state == {
        "key": widget.key,
        "label": "nothing",
        "inputs": {},
        "arrays": {},
        "images": {},
        "values": {},
        "presenter": False,
    }
    assert "<p>still</p>" in shown(widget)


def test_nothing_in_the_data_ends_the_script():
    html = shown(Predict("</script><b> & <!-- ?", 1))
    assert state_in(html)["inputs"]["question"] == "</script><b> & <!-- ?"
    assert "<b>" not in html.replace(module("predict"), "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_modules_are_self_contained(script):
    source = module(script)
    assert not re.search(r"^import |</script|<!--|https?://(?!www.w3.org/2000/svg)", source, re.M)
    assert len(re.findall(r"^export default function widget\(w\)", source, re.M)) == 1
    assert len((STATIC / f"{script}.js").read_text().splitlines()) <= 150


def test_still_pictures_are_drawn(image):
    widget = BrowserWidget("iou", 'a "label"', Data(), {}, lambda: draw_still(image, []))
    assert re.search(r'<img src="data:image/jpeg;base64,[^"]+" alt="a &quot;label&quot;"', shown(widget))
    box = torch.tensor([[20.0, 20, 60, 50]])
    drawn = draw_still(image, [Outlines(torch.zeros(0, 4), "#00ff00"), Outlines(box, "#ff0000", 3, ("name",))])
    assert isinstance(drawn, Image.Image)
    assert drawn.size == (640, 480)
    assert drawn.getpixel((160, 300)) == (255, 0, 0)
    assert drawn.getpixel((500, 440)) != (255, 0, 0)


@pytest.mark.parametrize("values", [[[]], [[1.5, -2.0]], [3, -4], [[[True]]]])
def test_packed_arrays_are_little_endian(values):
    array = torch.tensor(values)
    packed, kind = pack(array), "f" if array.is_floating_point() else "i"
    assert packed["dtype"] == {"f": "float32", "i": "int32"}[kind]
    assert packed["shape"] == list(array.shape)
    assert list(struct.unpack(f"<{array.numel()}{kind}", packed["data"])) == array.flatten().tolist()


def test_numbers_that_cannot_be_drawn_are_refused():
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not finite"):
            pack(torch.tensor([1.0, bad]))


def test_there_is_one_palette():
    colors = palette()
    assert colors["POSITIVE"] == style.POSITIVE
    assert tuple(colors["CYCLE"]) == style.CYCLE
    for path in STATIC.iterdir():
        assert not re.search(r"#[0-9a-f]{6}\b", path.read_text()), f"{path.name} has a colour of its own"


def test_presenter_reaches_every_widget():
    before = Predict("Before?", 1)
    widgets.presenter()
    after = Predict("After?", 1)
    assert before.presenter
    assert state_in(shown(after))["presenter"]
    widgets.presenter(False)
    assert not before.presenter
    assert not Predict("Later?", 1).presenter


def test_predict_asks_a_function_once_and_hides_the_answer_in_details():
    calls = []
    widget = Predict("How <many>?", lambda: calls.append(1) or 1234.4, "windows")
    assert calls == [1]
    html = shown(widget)
    assert calls == [1]
    assert "<details><summary>Predict first. How &lt;many&gt;?</summary>1,234 windows</details>" in html
    assert state_in(html)["inputs"] == {"question": "How <many>?", "answer": 1234.4, "unit": "windows"}


@pytest.mark.parametrize("answer", ["many", None, float("nan"), float("inf")])
def test_predict_refuses_what_is_no_number(as_user, answer):
    with pytest.raises(ValueError, match="Predict: the answer has to be"):
        Predict("How many?", lambda: answer)


def test_predict_takes_a_tensor_of_one_number():
    assert state_in(shown(Predict("How many?", lambda: torch.tensor(3))))["inputs"]["answer"] == 3
