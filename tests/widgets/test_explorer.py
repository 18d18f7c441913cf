import base64
import io
import re

import ipywidgets
import torch
from PIL import Image

from lecture_lib.widgets.explorer import Explorer, picture, rectangles
from lecture_lib.widgets.still import jpeg_uri


def test_nothing_to_draw():
    assert rectangles([], "red") == ""


def test_rectangles_are_where_the_boxes_are():
    svg = rectangles([(1.0, 2.0, 11.0, 7.0)], "#123456")
    assert re.search(r'x="1.0" y="2.0" width="10.0" height="5.0"', svg)
    assert "#123456" in svg


def test_jpeg_uri_is_the_picture():
    image = torch.zeros(3, 20, 30)
    image[0] = 1.0
    decoded = Image.open(io.BytesIO(base64.b64decode(jpeg_uri(image).split(",")[1])))
    assert decoded.size == (30, 20)
    red, green, blue = decoded.convert("RGB").getpixel((15, 10))
    assert red > 245
    assert green < 10
    assert blue < 10


def test_caption_is_text_and_not_markup():
    assert "<b>" not in picture("data:", (2, 3), "", "a <b> & c")


def test_moving_a_slider_draws_again():
    explorer = Explorer(lambda n: f"<p>{n} boxes</p>", n=ipywidgets.IntSlider(value=3, max=9))
    assert explorer.canvas.value == "<p>3 boxes</p>"
    explorer.children[0].value = 7
    assert explorer.canvas.value == "<p>7 boxes</p>"


def test_an_error_is_shown_in_the_picture_s_place():
    explorer = Explorer(lambda n: f"{1 / n}", n=ipywidgets.IntSlider(value=0, max=9))
    assert "ZeroDivisionError: division by zero" in explorer.canvas.value
    explorer.children[0].value = 2
    assert explorer.canvas.value == "0.5"
