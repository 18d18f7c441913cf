"""The frame of the interactive figures: Python computes once, the browser draws, with or without a kernel.

To add a widget NAME, write three things and one entry:

1. `static/NAME.js`: `export default function widget(w)` makes the controls (`w.slider`, `w.toggle`, `w.choice`,
   `w.button`, `new Scene(w, w.images.picture, size)`) and returns the function that draws `w.values` and ends with
   `w.say(result)`. What it computes goes into exported functions that need no page. `static/shared.js` and
   `static/scene.js` are joined before it: use their names without an import.
2. `NAME.py`: a function that checks its arguments and returns `BrowserWidget("NAME", Data(...), values, still)`.
3. Tests: the exported functions against the library in `tests/browser/test_NAME.py`; its cell in
   `tests/browser/cases.py`, which is then shown in JupyterLab and Notebook 7, moved by key, and timed.

A widget is displayed as HTML that holds everything: its data, its module, and a still picture for pages without
JavaScript. That is why it lives on in a saved notebook or a web page. The model in the kernel (an anywidget) only
follows `values`, and may send an `answer` where Python has to compute.
"""

import base64
import json
import secrets
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import torch
import traitlets
from PIL import Image
from torch import Tensor

from lecture_lib.plotting import style
from lecture_lib.widgets.still import jpeg_data, jpeg_uri

STATIC = Path(__file__).parent / "static"
SHARED = ("shared", "scene")
ALSO = {"pyramid": ("pooling",), "alignment": ("pooling",)}  # what only these scripts share

_PAGE = """<div class="lecture-widget" data-lecture-widget="{key}">{still}
<script type="application/json">{state}</script>
<script type="text/plain" data-lecture-module="{module}">{source}</script></div>
<script type="module">{runner}</script>"""

_RUNNER = """
const roots = document.querySelectorAll('[data-lecture-widget="{key}"]:not([data-started])');
for (const root of roots) root.dataset.started = "";
try {
  const source = document.querySelector('script[data-lecture-module="{module}"]')?.textContent;
  const url = () => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { start } = await ((window.lectureModules ??= {})["{module}"] ??= import(url()));
  for (const root of roots) start(root);
} catch (error) {
  for (const root of roots) root.append(`${error.name}: ${error.message}`);
}"""


@dataclass(frozen=True)
class Data:
    """What a widget's script reads: `inputs` (anything JSON), `arrays` (numbers), `images` ([3, H, W] in 0..1)."""

    inputs: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    images: Mapping[str, Tensor] = field(default_factory=dict)


class BrowserWidget(anywidget.AnyWidget):
    """An interactive figure that `static/{script}.js` draws.

    label: what the figure is, for a screen reader.
    values: what the reader sets, by name, and its start; follows the browser while a kernel runs.
    still: makes the picture for pages without JavaScript, or HTML in its place.
    """

    _esm = STATIC / "bridge.js"
    key = traitlets.Unicode().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    presenter = traitlets.Bool().tag(sync=True)
    presenting: ClassVar[bool] = False
    every: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(
        self, script: str, label: str, data: Data, values: Mapping[str, Any], still: Callable[[], Image.Image | str]
    ) -> None:
        self._script, self._label, self._data, self._still = script, label, data, still
        super().__init__(key=secrets.token_hex(8), values=dict(values), presenter=self.presenting)
        self.every.add(self)

    def state(self) -> dict[str, Any]:
        """All that the script needs, as JSON."""
        return {
            "key": self.key,
            "label": self._label,
            "inputs": self._data.inputs,
            "arrays": {name: _in_base64(pack(array)) for name, array in self._data.arrays.items()},
            "images": {name: jpeg_uri(image) for name, image in self._data.images.items()},
            "values": self.values,
            "presenter": self.presenter,
        }

    def html(self) -> str:
        """The widget as a piece of a web page that needs nothing else."""
        source = module(self._script)
        names = {"key": self.key, "module": sha256(source.encode()).hexdigest()[:16]}
        runner = _RUNNER
        for name, value in names.items():
            runner = runner.replace(f"{{{name}}}", value)
        state = json.dumps(self.state(), allow_nan=False).replace("<", "\\u003c")
        return _PAGE.format(**names, still=self._still_html(), state=state, source=source, runner=runner)

    def _still_html(self) -> str:
        still = self._still()
        if isinstance(still, str):
            return still
        return f'<img src="{jpeg_data(still)}" alt="{escape(self._label, quote=True)}" style="max-width:100%">'

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, str], dict]:
        # No widget-view: a saved notebook that is opened again would show "model not found" in place of the page.
        return {"text/plain": f"{type(self).__name__}({self._label!r})", "text/html": self.html()}, {}


def presenter(on: bool = True) -> None:
    """Larger type in every widget, for the back of a lecture hall; those shown already follow."""
    BrowserWidget.presenting = on
    for widget in BrowserWidget.every:
        widget.presenter = on


def pack(array: Tensor) -> dict[str, Any]:
    """A tensor as bytes that `decode` of shared.js makes a typed array of: float32 or int32, little endian.

    Raises `ValueError` for numbers that are not finite.
    """
    array = array.detach().cpu()
    if array.is_floating_point() and not array.isfinite().all():
        raise ValueError("a widget cannot draw numbers that are not finite; look for a diverged or untrained head")
    dtype = "float32" if array.is_floating_point() else "int32"
    data = array.to(getattr(torch, dtype)).contiguous().numpy().astype(f"<{dtype[0]}4").tobytes()
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def _in_base64(packed: dict[str, Any]) -> dict[str, Any]:
    return packed | {"data": base64.b64encode(packed["data"]).decode()}


@cache
def module(script: str) -> str:
    """The self-contained ECMAScript module of a widget: the palette, the style, what all share, and its own file."""
    parts = [f"const PALETTE = {json.dumps(palette())};", f"const STYLE = {json.dumps(stylesheet())};"]
    names = (*SHARED, *ALSO.get(script, ()), script)
    parts += [(STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(parts)


def palette() -> dict[str, Any]:
    """The colours of `plotting.style` by their names there, and `CYCLE`."""
    colors = {name: value for name, value in vars(style).items() if name.isupper() and str(value).startswith("#")}
    return colors | {"CYCLE": style.CYCLE}


def stylesheet() -> str:
    """shared.css with its colours: JupyterLab's where there are any, else those of the course, light or dark."""
    own = {"ink": style.INK, "muted": style.MUTED, "grid": style.GRID, "paper": style.PAPER}
    theirs = {"ink": "content-font-color1", "muted": "ui-font-color2", "grid": "layout-color2"}
    theirs |= {"paper": "layout-color1"}
    fixed = {"accent": style.BLUE, "error": style.RED, "rim": style.PAPER, "dark": style.INK}
    light = _variables("own", own) + _variables("lw", fixed)
    light += _variables("lw", {name: f"var(--jp-{their},var(--own-{name}))" for name, their in theirs.items()})
    accent = _variables("lw", {"accent": style.SKY})
    dark = _variables("own", style.DARK) + accent
    lab = f"[data-jp-theme-light='false'] .lecture-widget{{{accent}}}"
    page = f"@media (prefers-color-scheme:dark){{body:not([data-jp-theme-light]) .lecture-widget{{{dark}}}}}"
    css = (STATIC / "shared.css").read_text(encoding="utf-8")
    return "\n".join([f".lecture-widget{{{light}}}", lab, page, css])


def _variables(prefix: str, values: Mapping[str, str]) -> str:
    return "".join(f"--{prefix}-{name}:{value};" for name, value in values.items())
