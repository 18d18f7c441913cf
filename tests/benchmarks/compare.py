"""Results of two dates side by side: `python -m tests.benchmarks.compare [COMMIT]`, by default the last commit's.

After `make results` it says what a rebuild has changed. Accuracies come out equal on the same machine under the same
seed, and within their deviation on another; seconds are each machine's own. `--beyond 0.1` leaves out what changed by
less than a tenth.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lecture_lib.training.results import read_json

FOLDER = Path("data") / "results"
ROOT = Path(__file__).parents[2]
ABOUT = ("date", "machine", "settings", "deal")  # what says where the numbers come from, and is none of them


def numbers(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Every number of a result with the way that leads to it, e.g. ("rows.rcnn.maps.0", 0.75)."""
    if isinstance(data, bool | str) or data is None:
        return
    if isinstance(data, int | float):
        yield ".".join(path), float(data)
        return
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        if key not in ABOUT:
            yield from numbers(value, (*path, str(key)))


def dates(data: Any) -> set[str]:
    """Every date in a result: its parts may have been measured on different days."""
    if isinstance(data, dict):
        own = {data["date"]} if "date" in data else set()
        return own.union(*(dates(value) for value in data.values()))
    return set().union(*(dates(value) for value in data)) if isinstance(data, list) else set()


def git(*words: str) -> str | None:
    """What Git answers, None where it refuses."""
    found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return found.stdout if found.returncode == 0 else None


def change(before: float, now: float) -> float:
    """How far two numbers lie apart, as a part of the greater one."""
    return abs(now - before) / (max(abs(before), abs(now)) or 1.0)


def compare(before: dict[str, Any], now: dict[str, Any], beyond: float) -> list[str]:
    """A line that counts the numbers of a result, and one for each that changed, came or went."""
    old, new = dict(numbers(before)), dict(numbers(now))
    both = [key for key in old if key in new]
    changed = [key for key in both if change(old[key], new[key]) > beyond]
    when = " against ".join("/".join(sorted(dates(data))) for data in (now, before))
    lines = [f"{when}: {len(both) - len(changed)} of {len(both)} numbers as before"]
    lines += [f"  {key}: {old[key]:.6g} -> {new[key]:.6g}" for key in changed]
    lines += [f"  {key}: {old[key]:.6g} -> gone" for key in old if key not in new]
    return lines + [f"  {key}: new, {new[key]:.6g}" for key in new if key not in old]


def main() -> None:
    """Compare every result of the working tree with a commit's, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default="HEAD", help="any name that Git has for it (HEAD)")
    parser.add_argument("--beyond", type=float, default=0.0, help="tell only changes above this part (0)")
    options = parser.parse_args()
    if git("rev-parse", "--verify", f"{options.commit}^{{commit}}") is None:
        parser.error(f"Git knows no commit {options.commit!r} here; a shallow clone has the newest one alone")
    for path in sorted((ROOT / FOLDER).glob("*.json")):
        before = git("show", f"{options.commit}:{(FOLDER / path.name).as_posix()}")
        if before is None:
            print(f"{path.name}: not in {options.commit}")
        else:
            print(f"{path.name}:", "\n".join(compare(json.loads(before), read_json(path), options.beyond)))


if __name__ == "__main__":
    main()
