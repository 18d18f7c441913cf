"""Submissions made from the solutions: what tests and the benchmark change, spoil and attack with."""

import json
from pathlib import Path

from lecture_lib.exercises.catalogue import EXERCISES

SOLUTIONS = Path(__file__).parent / "solutions"


def solved(notebook: str, changes: dict[str, str] | None = None, first: str = "", last: str = "") -> dict:
    """A notebook with right answers. `changes`: other code for exercises; `first` and `last`: cells put around it."""
    content = json.loads((SOLUTIONS / f"{notebook}.ipynb").read_text())
    for name, code in (changes or {}).items():
        head = f"def {EXERCISES[name].function}("
        (cell,) = (c for c in content["cells"] if c["cell_type"] == "code" and "".join(c["source"]).startswith(head))
        cell["source"] = code
    content["cells"] = [*_cells(first), *content["cells"], *_cells(last)]
    return content


def _cells(code: str) -> list[dict]:
    cell = {"cell_type": "code", "id": "added", "metadata": {}, "outputs": [], "execution_count": None, "source": code}
    return [cell] if code else []
