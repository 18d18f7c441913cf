"""The table of speeds: `make bench`, or `python -m tests.benchmarks.speed --only detecting searching --save`.

Half an hour on two cores, which should have nothing else to do. Each part is kept, with its date and machine, as soon
as it is measured; what a GPU measures is kept apart.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import lecture_lib
from lecture_lib.files import data_root
from lecture_lib.training.results import date_and_machine, read_json, write_json
from tests.benchmarks.grading import grade
from tests.benchmarks.speed import detecting, evaluating, fitting, growth, regions, searching, start
from tests.benchmarks.speed.measure import Row
from tests.benchmarks.speed.report import report

COMMAND = "make bench"


def grader() -> dict[str, Any]:
    """Seconds of a submission, and whether all were graded as they should be."""
    done = grade(start.SUBMISSIONS, start.JOBS)
    return {"submissions": done.count, "seconds": done.seconds, "jobs": done.jobs, "problems": done.problems}


def records(rows: list[Row]) -> list[dict[str, Any]]:
    """What is kept of rows."""
    return [row.record() for row in rows]


PARTS: dict[str, Callable[[], Any]] = {
    "detecting": lambda: records(detecting.rows()),
    "searching": lambda: records(searching.rows()),
    "regions": lambda: records(regions.rows()),
    "fitting": lambda: records(fitting.rows()),
    "evaluating": lambda: records(evaluating.rows()),
    "start": lambda: records(start.rows()),
    "growth": lambda: [found.record() for found in growth.measure()],
    "grader": grader,
}


def result_path() -> Path:
    """Where this machine's figures are kept."""
    return data_root() / "results" / ("speed_gpu.json" if torch.cuda.is_available() else "speed.json")


def main() -> None:
    """Measure part after part, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some of the parts (all)")
    parser.add_argument("--save", action="store_true", help="keep the result in data/results")
    options = parser.parse_args()
    lecture_lib.device()
    path = result_path()
    results = read_json(path) if path.exists() else {"command": COMMAND, "parts": {}}
    for name in options.only:
        found = {**date_and_machine(), "records": PARTS[name]()}
        results["parts"][name] = found
        print(f"\n{report({'command': COMMAND, 'parts': {name: found}})}", flush=True)
        if options.save:
            write_json(path, results)


if __name__ == "__main__":
    main()
