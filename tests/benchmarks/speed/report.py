"""What `make bench` has kept, as text."""

from typing import Any

from lecture_lib.training.results import when_and_where
from tests.benchmarks.speed import growth
from tests.benchmarks.speed.measure import table

RATIOS = ("detecting", "searching", "regions", "fitting", "evaluating", "start")


def report(results: dict[str, Any]) -> str:
    """All that was measured, in Markdown: the ratios in one table, the growth in another, the grader in a sentence."""
    parts, blocks = results["parts"], []
    ratios = [row for name in RATIOS if name in parts for row in parts[name]["records"]]
    if ratios:
        blocks.append(table(ratios))
    if "growth" in parts:
        blocks.append(growth.table(parts["growth"]["records"]))
    if "grader" in parts:
        done = parts["grader"]["records"]
        each = done["seconds"] / done["submissions"]
        blocks.append(f"The grader takes {each:.2f} s a submission, {done['jobs']} at once, each in isolation.")
    when = dict.fromkeys(when_and_where(part) for part in parts.values())
    return "\n\n".join([*blocks, f"`{results['command']}`, {'; '.join(when)}."])
