"""Two steps of nbgrader's autograde that are ours: cells that students changed or copied, and grading in isolation.

`course/nbgrader_config.py` puts them in. All else is nbgrader's: release, collection, gradebook, feedback, export.
"""

from functools import cache

from nbformat import NotebookNode, writes
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution

PREFIX = "check-"


class FreeChangedCells(NbGraderPreprocessor):
    """Take nbgrader's marks off copies, and off locked cells with other content; nbgrader then adds its own again.

    A student who copies a check and writes a function into the copy keeps the function.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Look at every cell of a submitted notebook."""
        seen = set()
        for cell in nb.cells:
            if not (is_grade(cell) or is_solution(cell) or is_locked(cell)):
                continue
            about = cell.metadata.nbgrader
            changed = is_locked(cell) and about.get("checksum") != compute_checksum(cell)
            if changed or about.get("grade_id") in seen:
                del cell.metadata["nbgrader"]
            else:
                seen.add(about.get("grade_id"))
        return nb, resources


class IsolatedExecute(NbGraderPreprocessor):
    """In the place of nbgrader's Execute: nothing runs here, the result of each check comes out of the sandbox."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Put into each check's output what its exercise earned. Raises Weak where the machine cannot isolate."""
        sandbox, secret, grade = _grader()
        graded = grade(writes(nb).encode(), sandbox, secret, resources["unique_key"])
        results = {PREFIX + result.name: result for result in graded.results}
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            if is_grade(cell) and cell.metadata.nbgrader.grade_id in results:
                cell.outputs = [_output(results[cell.metadata.nbgrader.grade_id], sandbox.level)]
        return nb, resources


@cache
def _grader() -> tuple:
    """One sandbox for all submissions of a command; loaded late, so that nbgrader's other commands stay quick."""
    from grading.batch import SECRET, secret_of
    from grading.judge import grade
    from grading.sandbox import Sandbox

    return Sandbox(), secret_of(SECRET), grade


def _output(result, level: str) -> NotebookNode:
    """nbgrader gives no points for an error and all points for text."""
    lines = [f"{result.status}: {result.earned} of {result.points} points", *result.failures]
    lines += [*(f"for review: {flag}" for flag in result.flags), f"isolation {level}"]
    if result.status == "right":
        return new_output("stream", name="stdout", text="\n".join(lines) + "\n")
    return new_output("error", ename=result.status, evalue="; ".join(result.failures), traceback=lines)
