"""How fast the widgets answer in JupyterLab in headless Chromium: `python -m tests.benchmarks.widgets`.

A move is timed from the key event to the frame after the last drawing, 3 x 30 moves with 300 and with 2,000 boxes and
while the kernel computes; `--save` keeps the result in data/results/.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from lecture_lib.files import data_root
from lecture_lib.training.results import date_and_machine, read_json, write_json
from tests.browser.cases import CASES, SETUP, show
from tests.browser.lab import CHROMIUM, FLAGS, jupyter, run_all, write_notebook

MOVES, ROUNDS = 30, 3
DRAG_SECONDS = 2
BACK = {"ArrowRight": "ArrowLeft", "ArrowLeft": "ArrowRight"}  # the way back, or the control is soon at its end
GOALS = (
    "Goals: median <= 15 ms and p95 <= 30 ms with 300 boxes, <= 30 ms with 2,000; drags >= 30 frames a second; shown "
    "<= 300 ms; an answer of the kernel <= 50 ms. Segmentation's slider has five positions, and draws only at a new one"
)

# From the key event to the end of the frame with the last drawing: a message sent while drawing comes after it.
WATCH = """
root => {
    const [w, painted] = [root.lecture, new MessageChannel()];
    const draw = w.draw;
    let [from, asked] = [null, null];
    window.moves = [];
    window.answers = [];
    w.answered = w.answer;
    w.draw = () => {
        draw();
        painted.port2.postMessage(from);
        if (asked !== null && w.answer !== w.answered) window.answers.push(performance.now() - asked);
        if (w.answer !== w.answered) asked = null;
        w.answered = w.answer;
    };
    painted.port1.onmessage = ({data}) => {
        if (data !== null) window.moves.push(performance.now() - data);
        from = null;
    };
    addEventListener("keydown", event => { from = asked = event.timeStamp; }, {capture: true});
}
"""

# From a cell's HTML having arrived to the first frame of the widget that it holds, beside the one that is there.
SHOWN = """
async html => {
    const output = document.createElement("div");
    const from = performance.now();
    output.innerHTML = html;
    document.querySelector(".lecture-widget").parentNode.append(output);
    for (const old of output.querySelectorAll("script")) {
        const script = document.createElement("script");
        for (const {name, value} of old.attributes) script.setAttribute(name, value);
        script.textContent = old.textContent;
        old.replaceWith(script);
    }
    const widget = output.querySelector(".lecture-widget");
    while (!(widget.lecture?.draws > 0)) await new Promise(requestAnimationFrame);
    const took = performance.now() - from;
    output.remove();
    return took;
}
"""

OUTPUT = """
() => jupyterapp.shell.currentWidget.content.widgets[1].model.toJSON().outputs[0].data["text/html"]
"""

START = """
code => { jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.requestExecute({code}); }
"""
BUSY = "import time\nend = time.time() + 15\nwhile time.time() < end: sum(range(1000))"


def time_moves(page, name: str) -> dict:
    """Median and 95th percentile, in milliseconds, of the moves by key; median till the kernel's answer was drawn."""
    case = CASES[name]
    page.locator(f"[data-name={case.moves}]").first.focus()
    page.evaluate("() => { window.moves = []; window.answers = []; }")
    keys = [case.key, BACK.get(case.key, case.key)]
    for _ in range(ROUNDS):
        for move in range(MOVES):
            page.keyboard.press(keys[move * len(keys) // MOVES])
            page.wait_for_timeout(60)
    moves, answers = page.evaluate("() => [window.moves, window.answers]")
    if len(moves) < 2:  # one answer is all that the widget has, and it was given before
        return {"median": None, "p95": None, "moves": len(moves)}
    figures = {"median": round(median(moves), 1), "p95": round(quantiles(moves, n=20)[-1], 1), "moves": len(moves)}
    return figures | ({"answer": round(median(answers), 1)} if answers else {})


def drag_frames(page, widget, name: str) -> int | None:
    """Drawings a second while the mouse drags for two seconds; None where nothing is dragged."""
    if CASES[name].drags is None:
        return None
    place = widget.locator(f"[data-name={CASES[name].drags}]").first.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    before, start = widget.evaluate("root => [root.lecture.draws, performance.now()]")
    until = time.monotonic() + DRAG_SECONDS
    for step in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
        page.mouse.move(x + place["width"] / 2 * (step % 2), y + step % 7, steps=8)  # each of the 8 moves a slider
    after, end = widget.evaluate("root => [root.lecture.draws, performance.now()]")
    page.mouse.up()
    return round(1000 * (after - before) / (end - start))


def measure(page, address: str, folder: Path, name: str, count: int) -> dict:
    """All figures of one widget with one number of boxes."""
    write_notebook(folder / f"{name}.ipynb", SETUP, show(name, count))
    assert run_all(page, address, f"{name}.ipynb") == []
    widget = page.locator(".lecture-widget").first
    page.wait_for_function("() => document.querySelector('.lecture-widget')?.lecture?.draws > 0")
    widget.scroll_into_view_if_needed()
    shown = page.evaluate(SHOWN, "".join(page.evaluate(OUTPUT)))
    widget.evaluate(WATCH)
    figures = {"count": count, "shown_ms": round(shown), "moves": time_moves(page, name)}
    figures["drag_fps"] = drag_frames(page, widget, name)
    page.evaluate(START, BUSY)
    return figures | {"moves_while_busy": time_moves(page, name)}


def table(results: dict) -> str:
    """The figures as a table in Markdown."""
    names = ["boxes", "move, ms: median / p95", "kernel busy", "kernel's answer, ms", "drag, frames/s", "shown, ms"]
    rows = ["| widget | " + " | ".join(names) + " |", "|---" * 7 + "|"]
    for name, by_count in results["widgets"].items():
        for found in by_count:
            both = found["moves"], found["moves_while_busy"]
            moves = [f"{m['median']} / {m['p95']}" if m["median"] else "" for m in both]
            cells = [name.replace("_", " "), f"{found['count']:,}" if found["count"] else "", *moves]
            cells += [found["moves"].get("answer", ""), found["drag_fps"] or "", found["shown_ms"]]
            rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*rows, "", GOALS])


def main() -> None:
    """Measure every widget, print the table, keep it with `--save`."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.widgets", description=__doc__)
    parser.add_argument("--save", action="store_true", help="keep the measures in data/results/widgets.json")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), help="some of the widgets")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("no Chromium on this machine (Debian: apt install chromium)")
    results = {"command": "python -m tests.benchmarks.widgets --save", **date_and_machine()}
    path = data_root() / "results" / "widgets.json"
    results["widgets"] = read_json(path)["widgets"] if path.exists() and options.only != list(CASES) else {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with jupyter(Path(folder), Path(folder) / "home") as addresses:
            for name in options.only:
                counts = (300, 2000) if "{count}" in CASES[name].cell else (0,)
                found = results["widgets"][name] = []
                for count in counts:
                    page = browser.new_page(viewport={"width": 1400, "height": 1000})
                    found.append(measure(page, addresses["lab"], Path(folder), name, count))
                    page.close()
                print(name, json.dumps(found), flush=True)
                if options.save:
                    write_json(path, results)
    print(table(results))


if __name__ == "__main__":
    main()
