"""Executed notebooks as web pages without network and kernel: formulas, pictures and widgets are in the page."""

import json
import re
from html import escape
from pathlib import Path

from lecture_lib.files import replacing

_EXTERNAL = re.compile(
    r"<script[^>]*\bsrc=\"https?:[^>]*>\s*</script>|<script type=\"text/x-mathjax-config\">.*?</script>", re.S
)
_MERMAID = re.compile(r"<script type=\"module\">(?=[^<]*mermaid).*?</script>", re.S)
_MODULE = re.compile(r"<script(?=[^>]*data-lecture-module=\"(\w+)\")[^>]*>.*?</script>", re.S)
_THEME = """<script>
const dark = matchMedia("(prefers-color-scheme: dark)");
const show = () => document.body.setAttribute("data-jp-theme-light", !dark.matches);
dark.addEventListener("change", show);
show();
</script>"""
_INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>From transfer learning to two-stage object detectors</title>
<style>:root{{color-scheme:light dark}}
body{{font:18px/1.6 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 1em}}
li{{margin:.4em 0}}</style>
<h1>From transfer learning to two-stage object detectors</h1>
<p>The notebooks as they ran, with their figures. What can be moved still moves; nothing is loaded from elsewhere.</p>
<ul>
{items}
</ul></html>
"""


def page(notebook, title: str) -> str:
    """An executed notebook (nbformat's) as one self-contained page."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True)
    exporter.register_filter("markdown2html", _markdown_filter())
    html = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})[0]
    environment = exporter.environment
    dark = environment.loader.get_source(environment, "static/theme-dark.css")[0]
    html = _MERMAID.sub("", _EXTERNAL.sub("", html))
    html = html.replace("</head>", f'<style media="(prefers-color-scheme: dark)">{dark}</style></head>', 1)
    return _once(html.replace("<main>", f"{_THEME}<main>", 1))


def _markdown_filter():
    """nbconvert's Markdown, with formulas as MathML: its own needs MathJax from the network."""
    from jinja2 import pass_context
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return convert(body)

        def block_math(self, body: str) -> str:
            return convert(body, display="block")

    @pass_context
    def markdown(context, source: str) -> str:
        attachments = context.get("cell", {}).get("attachments", {})
        return MarkdownWithMath(renderer=Renderer(escape=False, attachments=attachments)).render(source)

    return markdown


def _once(html: str) -> str:
    """The page with each widget's module in it once, where the first widget of its kind is."""
    seen = set()

    def first(match: re.Match) -> str:
        new = match[1] not in seen
        seen.add(match[1])
        return match[0] if new else ""

    return _MODULE.sub(first, html)


def write_index(notebooks: Path, site: Path) -> None:
    """A page that lists those notebooks of a folder whose pages lie in `site`, by their first headings."""
    rows = [path for path in sorted(notebooks.glob("*.ipynb")) if (site / f"{path.stem}.html").is_file()]
    items = "\n".join(f'<li><a href="{path.stem}.html">{escape(_heading(path))}</a></li>' for path in rows)
    with replacing(site / "index.html") as beside:
        beside.write_text(_INDEX.format(items=items), encoding="utf-8")


def _heading(path: Path) -> str:
    """A notebook's first heading, or its name where it has none."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()]
    return next((line.lstrip("# ") for line in lines if line.startswith("#")), path.stem)
