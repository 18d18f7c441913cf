"""Sliders over one picture: the shared frame of the course's interactive parts.

The picture is HTML (a JPEG with an SVG overlay), because matplotlib inside `ipywidgets.interact` is slow and can hang
when a notebook is executed without a browser.
"""

from collections.abc import Callable, Iterable
from html import escape

import ipywidgets

from lecture_lib.plotting.style import INK, MUTED, PAPER

WIDTH = 640  # CSS pixels of a picture; scaled down where the page is narrower


def rectangles(
    boxes: Iterable[tuple[float, float, float, float]], color: str, width: float = 2, fill: str = "none"
) -> str:
    """SVG of boxes (x1, y1, x2, y2) in picture coordinates; lines keep their `width` in screen pixels."""
    style = f'fill="{fill}" stroke="{color}" stroke-width="{width}" vector-effect="non-scaling-stroke"'
    return "".join(
        f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" {style}/>'
        for x1, y1, x2, y2 in boxes
    )


def picture(uri: str, image_size: tuple[int, int], overlay: str, caption: str, width: int = WIDTH) -> str:
    """HTML of a picture of (height, width) from `jpeg_uri`, with an SVG overlay and a line of text below."""
    h, w = image_size
    return (
        f'<figure style="margin:4px 0;max-width:{width}px"><svg viewBox="0 0 {w} {h}" role="img" '
        f'aria-label="{escape(caption, quote=True)}" style="width:100%;display:block;border-radius:6px">'
        f'<image href="{uri}" width="{w}" height="{h}"/>{overlay}</svg>'
        f'<figcaption style="font:600 15px/1.5 system-ui,sans-serif;color:{INK};background:{PAPER};padding:4px 2px">'
        f"{escape(caption)}</figcaption></figure>"
    )


class Explorer(ipywidgets.VBox):
    """Sliders above a picture that `render(**values)` draws again, as HTML, whenever one of them moves.

    `sliders` maps each argument of `render` to the slider that sets it. An error is shown in the picture's place.
    """

    def __init__(self, render: Callable[..., str], **sliders: ipywidgets.ValueWidget) -> None:
        self._render, self._sliders = render, sliders
        for slider in sliders.values():
            slider.style = {"description_width": "150px"}
            slider.layout.width = f"{WIDTH}px"
            slider.observe(lambda change: self._draw(), names="value")
        self.canvas = ipywidgets.HTML()
        super().__init__([*sliders.values(), self.canvas])
        self._draw()

    def _draw(self) -> None:
        try:
            self.canvas.value = self._render(**{name: slider.value for name, slider in self._sliders.items()})
        except Exception as error:  # a traceback would vanish into the log of the page
            self.canvas.value = f'<pre style="color:{MUTED}">{escape(f"{type(error).__name__}: {error}")}</pre>'
