"""What a user waits for at the start: `python -m tests.benchmarks.speed.start` (2 minutes on two cores).

`import lecture_lib` and the first figure, each in fresh processes; the notebooks, as `make notebooks` has recorded
them; and the grader.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lecture_lib.files import data_root
from lecture_lib.training.results import read_json, when_and_where
from tests.benchmarks.grading import Graded, grade
from tests.benchmarks.speed.measure import Row, in_turn, table, told

SUBMISSIONS, JOBS = 10, 2  # two of each of the five kinds
FIGURE = """
import matplotlib
matplotlib.use("Agg")
from lecture_lib.plotting import draw_boxes, show_image, use_style
from lecture_lib.voc import stamps
use_style()
image, target = stamps("test")[0]
draw_boxes(show_image(image), target.boxes).figure.savefig({path!r})
"""
BARE_FIGURE = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
axes = plt.subplots()[1]
axes.imshow(torch.rand(240, 320, 3).numpy())
axes.figure.savefig({path!r})
"""


def rows(rounds: int = 5) -> list[Row]:
    """Import and first figure, beside a bare interpreter and beside PyTorch with matplotlib, in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "figure.png")
        programs = {
            "import": "import lecture_lib",
            "nothing": "pass",
            "figure": FIGURE.format(path=path),
            "bare figure": BARE_FIGURE.format(path=path),
        }
        seconds = in_turn({name: lambda text=text: run(text) for name, text in programs.items()}, rounds)
    fresh = "a fresh process, bytecode compiled before"
    return [
        Row("import lecture_lib", fresh, seconds["import"], "Python alone", seconds["nothing"]),
        Row(
            "first figure: an image and its boxes",
            fresh,
            seconds["figure"],
            "PyTorch and matplotlib, random pixels",
            seconds["bare figure"],
            note="most of it is importing PyTorch and matplotlib, which the other side does too",
        ),
    ]


def run(program: str) -> None:
    """Run a program in a fresh process. Raises `CalledProcessError` if it fails."""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)


def notebook_table(recorded: Mapping[str, Any]) -> str:
    """Markdown: seconds and memory of every notebook and of all of them, and when and where they were measured."""
    lines = ["| notebook | seconds | peak memory, GiB |", "|---|---|---|"]
    notebooks = recorded["notebooks"]
    lines += [f"| {name} | {row['seconds']:.0f} | {row['peak_gib']:.1f} |" for name, row in notebooks.items()]
    seconds = sum(row["seconds"] for row in notebooks.values())
    most = max(row["peak_gib"] for row in notebooks.values())
    lines.append(f"| all, one after the other | {seconds:.0f} | {most:.1f} |")
    return "\n".join([*lines, "", f"`{recorded['command']}`, {when_and_where(dict(recorded))}"])


def grader_line(done: Graded) -> str:
    """How many submissions are graded in a minute, and whether the grades were as they should be."""
    right = "every grade as expected" if not done.problems else f"{len(done.problems)} problems: {done.problems[0]}"
    return (
        f"grader: {60 * done.count / done.seconds:.0f} submissions a minute, {told(done.seconds / done.count)} each, "
        f"{done.count} right, wrong, blank, broken and hostile ones in {done.jobs} jobs; {right}"
    )


def report(measured: Sequence[Row], graded: Graded) -> str:
    """All of it, in Markdown."""
    recorded = read_json(data_root() / "results" / "notebooks.json")
    return "\n\n".join([table([row.record() for row in measured]), notebook_table(recorded), grader_line(graded)])


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    print(report(rows(parser.parse_args().rounds), grade(SUBMISSIONS, JOBS)))


if __name__ == "__main__":
    main()
