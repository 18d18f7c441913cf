"""Grade 100 submissions, right, wrong, blank, broken and hostile: `python -m tests.benchmarks.grading`.

Prints seconds per submission and ends with an error unless every grade is as expected, no message holds a hidden input,
no file was written beside the results, and no process is left.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from grading import mutants
from grading.batch import Batch
from grading.report import write_reports
from grading.solved import solved
from grading.submissions import find
from lecture_lib.exercises.catalogue import BY_NOTEBOOK
from lecture_lib.training.results import describe_machine

NOTEBOOK = "03_rcnn"
POINTS = {exercise.name: exercise.points for exercise in BY_NOTEBOOK[NOTEBOOK]}
ALL, IOU = sum(POINTS.values()), POINTS["iou"]
HOSTILE = (
    "while True:\n        pass",
    "import os\n    os._exit(0)",
    "import sys\n    sys.exit(0)",
    "import os\n    while True:\n        os.fork()",
    "return bytearray(2 << 30)",
    "import subprocess\n    subprocess.Popen(['sleep', '986'])\n    return 0",
    "import torchvision\n    return torchvision.ops.box_iou(a, b)",
    "from lecture_lib import boxes\n    return boxes.iou(a, b)",
    "open('{out}/forged', 'w').write('17')\n    return 0",
    "import os\n    os.remove('{out}/kept')\n    return 0",
    "raise ValueError(str(a.tolist()))",
    "raise type(str(a.tolist()), (Exception,), dict())",
    "import socket\n    socket.create_connection(('127.0.0.1', 80))",
    "torch.allclose = lambda *a, **k: True\n    return a",
    "import ctypes\n    ctypes.string_at(0)",
    "return open('/etc/passwd').read()",
    "x = []\n    x.append(x)\n    return x",
    "import os\n    os.write(3, bytes(range(256)) * 99)\n    return 0",
    "import signal\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    return 0",
    "return type('Bomb', (), dict(__reduce__=lambda s: (print, ('ran',))))()",
)


def submissions(count: int, out: str) -> dict[str, tuple[str, int | None]]:
    """Names, contents and expected points: five kinds in turn."""
    made, wrongs, broken = {}, _wrong(), ("", "{", "[]", '{"cells": []}')
    blank = (Path(mutants.__file__).parents[2] / "notebooks" / "exercises" / f"{NOTEBOOK}.ipynb").read_text()
    for number in range(count):
        kind = ("right", "wrong", "blank", "broken", "hostile")[number % 5]
        turn, text, points = number // 5, blank, 0
        if kind == "right":
            text, points = json.dumps(solved(NOTEBOOK, last=f"x = {number}")), ALL
        elif kind == "wrong":
            name, code = wrongs[turn % len(wrongs)]
            text, points = json.dumps(solved(NOTEBOOK, {name: code})), ALL - POINTS[name]
        elif kind == "broken":
            text, points = broken[turn % len(broken)], None
        elif kind == "hostile":
            body = HOSTILE[turn % len(HOSTILE)].replace("{out}", out)
            text, points = json.dumps(solved(NOTEBOOK, {"iou": f"def overlap_of(a, b):\n    {body}\n"})), ALL - IOU
        made[f"{number:03d}_{kind}.ipynb"] = (text, points)
    return made


def _wrong() -> list[tuple[str, str]]:
    """The wrong answers of the mutant bank, mixed over the exercises, as cells that stand by themselves."""
    found = []
    for exercise in BY_NOTEBOOK[NOTEBOOK]:
        source = (mutants.HERE / f"{exercise.name}.py").read_text()
        wrong = [name for name in mutants.names(exercise.name) if name.startswith("wrong_")]
        found += [
            (exercise.name, f"{source}\n\ndef {exercise.function}(*a):\n    return {name}(*a)\n") for name in wrong
        ]
    return found[::4]


def problems_of(folder: Path, expected: dict[str, tuple[str, int | None]]) -> list[str]:
    """What is not as it should be in a graded folder."""
    with (folder / "out" / "grades.csv").open() as file:
        graded = {row["submission"]: row["points"] for row in csv.DictReader(file)}
    wanted = {name: "" if points is None else str(points) for name, (_, points) in expected.items()}
    found = [
        f"{name}: {graded.get(name)} instead of {wanted[name]}" for name in wanted if graded.get(name) != wanted[name]
    ]
    if sorted(path.name for path in folder.iterdir()) != ["kept", "out", "submissions"]:
        found.append(f"files were left or removed: {sorted(path.name for path in folder.iterdir())}")
    pages = [path.read_text() for path in (folder / "out").rglob("*.html")]
    found += ["a page shows a hidden input" for page in pages if "[[" in page or "tensor(" in page]
    return found


def processes() -> set[str]:
    """Numbers and commands of the sandboxes that run, and of what came out of a submission."""
    running = subprocess.run(["ps", "ax", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return {line for line in running.splitlines() if "sleep 986" in line or "template.py" in line}


@dataclass(frozen=True)
class Graded:
    """What grading so many submissions took, and what was not as it should be."""

    count: int
    jobs: int
    seconds: float
    isolation: str
    problems: list[str]


def grade(count: int, jobs: int) -> Graded:
    """Make submissions, grade them, check the grades and what is left behind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = submissions(count, name)
        (folder / "kept").write_text("kept")
        (folder / "submissions").mkdir()
        for label, (text, _) in expected.items():
            (folder / "submissions" / label).write_text(text)
        before, start = processes(), time.perf_counter()
        batch, found = Batch(folder / "out", "benchmark"), list(find(folder / "submissions"))
        batch.run(found, jobs)
        write_reports(folder / "out", batch.records(found), batch.level)
        seconds = time.perf_counter() - start
        problems = [*problems_of(folder, expected), *(f"left: {line}" for line in processes() - before)]
    return Graded(count, jobs, seconds, str(batch.level), problems)


def main() -> int:
    """Grade, print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    done = grade(options.count, options.jobs)
    print(f"{done.count} submissions in {done.seconds:.1f} s, {done.seconds / done.count:.2f} s each, {done.jobs} jobs")
    print(f"isolation {done.isolation}; {describe_machine()}")
    print("\n".join(done.problems) or "every grade as expected, nothing leaked, nothing left behind")
    return int(bool(done.problems))


if __name__ == "__main__":
    sys.exit(main())
