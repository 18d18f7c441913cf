"""Which cell of a notebook is a slide, a part of one, or hidden: rules, so that nobody marks cells by hand.

- A heading begins a slide (`#`, `##`) or a slide below it (`###`); so does a block quote.
- Code that shows nothing (imports, settings, computation) is skipped: it runs, but is not on the slide.
- A slide has one figure or widget, or a heading with much prose. The next figure begins a slide below, together with
  the prose before it.
- What follows a question (`Predict`) waits for a key press, so that the room can guess.
- Long prose, and prose that leads to nothing on the slide, is for the speaker.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from lecture_lib.files import replacing

SHORT = 45  # words of prose that fit on a slide beside a figure
LONG = 70  # words under a heading that leave no place for a figure
_QUIET = {"use_style", "keep_freed_memory", "set_num_threads", "append", "next", "trace", "features", "new_head"}
_QUIET |= {
    "manual_seed",
    "zero_grad",
    "backward",
    "step",
    "freeze_all_but_last",
    "opencv_selective_search",
    "network",
    "embed",
    "timed",
}
_TEXT = {"say", "print"}


def mark(path: Path) -> bool:
    """Give every cell of a notebook its `slideshow` metadata; returns whether the file has changed.

    Nothing else in the file changes. Raises `ValueError` if it is not written as Jupyter writes notebooks.
    """
    before = path.read_text(encoding="utf-8")
    notebook = json.loads(before)
    if _as_text(notebook) != before:
        raise ValueError(f"{path} is not formatted as a saved notebook; save it once in JupyterLab")
    for cell, slide_type in zip(notebook["cells"], slide_types(notebook["cells"]), strict=True):
        cell["metadata"]["slideshow"] = {"slide_type": slide_type}
    after = _as_text(notebook)
    if after != before:
        with replacing(path) as beside:
            beside.write_text(after, encoding="utf-8")
    return after != before


def _as_text(notebook: dict) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def slide_types(cells: list[dict]) -> list[str]:
    """The slide type of each cell: "slide", "subslide", "fragment", "-" (goes on), "skip" or "notes"."""
    return list(_walk([kind(cell) for cell in cells], [_words_under_heading(cell) > LONG for cell in cells]))


def _walk(kinds: list[str], long: list[bool]) -> Iterator[str]:
    """The rules, cell by cell; `full`: the slide has its figure, `asked`: its question has no answer yet."""
    full = asked = False
    for i, here in enumerate(kinds):
        after = _next_shown(kinds, i + 1)
        if here in ("slide", "subslide"):
            full, asked = long[i], False
            yield here
        elif here in ("skip", "long"):
            yield "notes" if here == "long" else "skip"
        elif here == "prose":
            begins = full and not asked and after in ("figure", "question")
            full = full and not begins
            yield "subslide" if begins else "-" if after != "end" and not full and not asked else "notes"
        else:
            begins = full and not asked and here != "text"
            yield "fragment" if asked else "subslide" if begins else "-"
            full = here == "figure" or (full and not begins)
            asked = here == "question"


def _next_shown(kinds: list[str], start: int) -> str:
    """What the prose before cell `start` leads to: the next code that shows something; "end" if prose comes first."""
    following = next((kind for kind in kinds[start:] if kind != "skip"), "end")
    return following if following in ("figure", "question", "text") else "end"


def kind(cell: dict) -> str:
    """What a cell is for a slide: "slide", "subslide", "prose", "long", "skip", "text", "question" or "figure"."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "code":
        return _code_kind(source)
    lines = source.splitlines()
    if any(line.startswith(("# ", "## ")) for line in lines):
        return "slide"
    if any(line.startswith(("### ", "> ")) for line in lines):
        return "subslide"
    return "prose" if len(source.split()) <= SHORT else "long"


def _words_under_heading(cell: dict) -> int:
    """How many words a heading cell shows: those from its first large heading on (slides.js hides the rest)."""
    lines = "".join(cell["source"]).splitlines()
    for mark_of_heading in ("# ", "## ", "### "):
        starts = [i for i, line in enumerate(lines) if line.startswith(mark_of_heading)]
        if starts:
            return len(" ".join(lines[starts[0] :]).split())
    return 0


def _code_kind(source: str) -> str:
    """What a code cell shows, judged by the names of the functions whose results it does not keep."""
    code = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith("%")))
    code.body = [statement for statement in code.body if not isinstance(statement, ast.FunctionDef)]
    shown = {_called(node) for node in ast.walk(code) if isinstance(node, ast.Expr)} - _QUIET
    if not shown:
        return "skip"
    if "Predict" in shown:
        return "question"
    return "text" if shown <= _TEXT else "figure"


def _called(statement: ast.Expr) -> str:
    """The name of the function or method that an expression calls; "" for another expression."""
    called = statement.value.func if isinstance(statement.value, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", ""))
