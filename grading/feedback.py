"""The page that a student gets back: points, and the kinds of cases that went wrong; never a hidden case."""

from html import escape

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.4rem } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .5rem; border-bottom: 1px solid #ddd }
.right { color: #11703a } .wrong, .refused { color: #a8200d } .blank, .missing { color: #666 }
ul { margin: 0; padding-left: 1.1rem }
footer { color: #666; font-size: .85rem; margin-top: 1.5rem }
"""


def page(record: dict, level: str) -> str:
    """The feedback of one submission as HTML; all that comes from the submission is escaped."""
    earned, possible = (sum(result[key] for result in record["results"]) for key in ("earned", "points"))
    head = f"{earned} of {possible} points" if record["results"] else "Not graded"
    rows = "".join(_row(result) for result in record["results"])
    table = f"<table><tr><th>exercise</th><th>points</th><th>what was seen</th></tr>{rows}</table>" if rows else ""
    problems = _list(record["problems"])
    title = escape(f"{record['notebook'] or 'Exercises'}: {record['student']}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p><b>{head}</b></p>\n{problems}\n{table}\n"
        f"<footer>{escape(record['submission'])} · isolation {escape(level)}</footer></html>\n"
    )


def _row(result: dict) -> str:
    flags = [f"for review: {flag}" for flag in result["flags"]]
    seen = _list([*result["failures"], *flags])
    return (
        f"<tr><td>{escape(result['name'])}</td><td>{result['earned']} / {result['points']}</td>"
        f'<td><span class="{result["status"]}">{result["status"]}</span>{seen}</td></tr>'
    )


def _list(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""
