"""What the course may cost, and what it does: `python -m tests.benchmarks.budgets --save` (an hour on two cores).

Clones the last commit and sets it up as the README says, in a folder that is thrown away. The rest of the README's
table comes from what other commands keep.
"""

import argparse
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from lecture_lib.files import data_root
from lecture_lib.training.results import date_and_machine, read_json, when_and_where, write_json

ROOT = Path(__file__).parents[2]
RESULT = "budgets.json"
COMMAND = "python -m tests.benchmarks.budgets --save"


def size(folder: Path) -> float:
    """Megabytes of all files under a folder; links count nothing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def seconds(folder: Path, *command: str) -> float:
    """How long a command takes; an error of it is raised."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return round(time.perf_counter() - start)


def clone_to(target: Path, *options: str) -> Path:
    """A clone of the course in a new folder."""
    subprocess.run(["git", "clone", "--quiet", *options, ROOT.as_uri(), str(target)], check=True)
    return target


def clone(folder: Path) -> dict[str, float]:
    """Megabytes that Git fetches, with all history and with the last commit alone."""
    return {
        "history": size(clone_to(folder / "history") / ".git"),
        "last commit": size(fresh(folder) / ".git"),
    }


def fresh(folder: Path) -> Path:
    """A clone of the last commit, made once."""
    course = folder / "course"
    return course if course.exists() else clone_to(course, "--depth", "1")


def install(folder: Path) -> dict[str, float]:
    """Seconds of the installation, with pip's cache as it is, and its megabytes."""
    course = fresh(folder)
    return {"seconds": seconds(course, "make", ".venv/.lab"), "megabytes": size(course / ".venv")}


def site(folder: Path) -> dict[str, float]:
    """Seconds in which all notebooks are executed and exported, and the megabytes of the pages."""
    course = fresh(folder)
    return {"seconds": seconds(course, "make", "notebooks"), "megabytes": size(course / "build" / "site")}


def test(folder: Path) -> dict[str, float]:
    """Seconds of all tests, with what they need installed before."""
    course = fresh(folder)
    seconds(course, "make", ".venv/.test")
    return {"seconds": seconds(course, "make", "test")}


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {"clone": clone, "install": install, "site": site, "test": test}


def table(results: dict[str, Any], kept: dict[str, dict[str, Any]]) -> str:
    """All budgets in Markdown. kept: what other commands have measured, by the name of the result."""
    parts = results["parts"]
    rows = [(what, budget, measured, COMMAND) for what, budget, measured in _own_rows(parts)]
    rows += _kept_rows(kept)
    head = ["| what | budget | measured | |", "|---|---|---|---|"]
    lines = [f"| {what} | {budget} | {found} | `{command}` |" for what, budget, found, command in rows]
    when = "; ".join(dict.fromkeys(when_and_where(part) for part in parts.values()))
    return "\n".join([*head, *lines, f"\nWhat the first command measures: {when}."])


def _own_rows(parts: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    if "clone" in parts:
        sizes = parts["clone"]["records"]
        rows.append(("clone, its last commit", "120 MB", f"{sizes['last commit']:.0f} MB"))
        rows.append(("clone, all history", "120 MB", f"{sizes['history']:.0f} MB"))
    if "install" in parts:
        found = parts["install"]["records"]
        rows.append(("install", "10 min, 6 GB", f"{found['seconds'] / 60:.1f} min, {found['megabytes'] / 1000:.1f} GB"))
    if "site" in parts:
        found = parts["site"]["records"]
        rows.append(
            ("the site of all pages", "15 min, 60 MB", f"{found['seconds'] / 60:.1f} min, {found['megabytes']:.0f} MB")
        )
    if "test" in parts:
        rows.append(("all tests", "40 min", f"{parts['test']['records']['seconds'] / 60:.1f} min"))
    return rows


def _kept_rows(kept: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    rows = []
    if "notebooks" in kept:
        measured = kept["notebooks"]["notebooks"].values()
        slowest, largest = (max(found[key] for found in measured) for key in ("seconds", "peak_gib"))
        rows.append(("the slowest notebook", "180 s", f"{slowest} s", kept["notebooks"]["command"]))
        rows.append(("the largest notebook", "4 GiB", f"{largest} GiB", kept["notebooks"]["command"]))
    if "widgets" in kept:
        medians = [m["moves"]["median"] for cases in kept["widgets"]["widgets"].values() for m in cases]
        measured = f"{median(medians):.0f} ms ({min(medians):.0f} to {max(medians):.0f})"
        rows.append(("a widget's move, median", "15 ms", measured, kept["widgets"]["command"]))
    if "grader" in kept.get("speed", {}).get("parts", {}):
        done = kept["speed"]["parts"]["grader"]["records"]
        rows.append(("grading, a submission", "3 s", f"{done['seconds'] / done['submissions']:.1f} s", "make bench"))
    return rows


def main() -> None:
    """Measure part after part, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some of the parts (all)")
    parser.add_argument("--save", action="store_true", help=f"keep the result in data/results/{RESULT}")
    options = parser.parse_args()
    path = data_root() / "results" / RESULT
    results = read_json(path) if path.exists() else {"command": COMMAND, "parts": {}}
    with TemporaryDirectory() as folder:
        for name in options.only:
            found = PARTS[name](Path(folder))
            results["parts"][name] = {**date_and_machine(), "records": found}
            print(name, found, flush=True)
            if options.save:
                write_json(path, results)
    print(table(results, {}))


if __name__ == "__main__":
    main()
