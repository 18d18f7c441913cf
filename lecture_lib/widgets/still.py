"""Pictures for widgets: as a data URI, and as a still with boxes, drawn in milliseconds, for pages without scripts."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lecture_lib.plotting.style import BLUE, INK, PAPER

WIDTH = 640


def to_pil(image: Float[Tensor, "3 h w"]) -> Image.Image:
    """An image in 0..1 for Pillow."""
    return Image.fromarray((image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def jpeg_data(picture: Image.Image, quality: int = 80) -> str:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def jpeg_uri(image: Float[Tensor, "3 h w"]) -> str:
    """The image as a data URI, to be made once and drawn under every overlay."""
    return jpeg_data(to_pil(image), quality=90)


@dataclass(frozen=True)
class Outlines:
    """Boxes in one colour; `names`, where given, are written into their upper left corners."""

    boxes: Float[Tensor, "r 4"]
    color: str
    width: int = 3
    names: tuple[str, ...] = ()


def draw_still(image: Float[Tensor, "3 h w"], outlines: list[Outlines]) -> Image.Image:
    """A picture with boxes on it, `WIDTH` pixels wide; later ones lie above earlier ones."""
    picture = to_pil(image)
    scale = WIDTH / picture.width
    picture = picture.resize((WIDTH, round(picture.height * scale)))
    pen = ImageDraw.Draw(picture)
    for layer in outlines:
        for box in (layer.boxes * scale).round().int().tolist():
            if layer.width > 1:
                pen.rectangle(_grown(box), outline=PAPER, width=layer.width + 2)
            pen.rectangle(box, outline=layer.color, width=layer.width)
        for name, (x, y, *_) in zip(layer.names, (layer.boxes * scale).tolist(), strict=False):
            pen.text((x + 5, y + 3), name, INK, _font(), stroke_width=3, stroke_fill=PAPER)
    return picture


def draw_bars(rows: Sequence[tuple[str, float]]) -> Image.Image:
    """Bars of a length 0..1, each below its name."""
    picture = Image.new("RGB", (WIDTH, 10 + 56 * len(rows)), PAPER)
    pen = ImageDraw.Draw(picture)
    for y, (name, length) in zip(range(6, picture.height, 56), rows, strict=False):
        pen.text((8, y), name, INK, _font())
        pen.rectangle([8, y + 23, 8 + round((WIDTH - 16) * length), y + 45], BLUE)
    return picture


def _grown(box: list[int]) -> list[int]:
    return [box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1]


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans:bold"), 16)
