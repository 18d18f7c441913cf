"""Notebooks as students run them: `python -m tests.disorder [NOTEBOOK ...]` (an hour on two cores for all eight).

Each is run twice in a row in one kernel, then killed in the middle, then, in a fresh kernel, its cells are run in a
random order and at last from the top. Cells out of order may miss a name that an earlier one would have given, and
nothing else may go wrong. The exit code counts the notebooks with other errors.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from lecture_lib.notebooks import FOLDER, client_of


class Kernel:
    """A kernel, and the code cells of one notebook that it runs in any order."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client
        self.cells = [i for i, cell in enumerate(client.nb.cells) if cell.cell_type == "code"]

    def run(self, cells: Sequence[int]) -> list[str]:
        """Run cells, whatever becomes of each; the errors, with the number of their cell."""
        return [f"cell {i}: {error}" for i in cells if (error := self._error(i))]

    def kill(self, cell: int, after: float) -> bool:
        """Kill the kernel while it runs a cell; whether it was still at it."""
        timer = Timer(after, os.kill, (self.client.km.provisioner.pid, signal.SIGKILL))
        timer.start()
        try:
            self._error(cell)
        except DeadKernelError:
            return True
        timer.cancel()
        return False

    def _error(self, i: int) -> str | None:
        try:
            self.client.execute_cell(self.client.nb.cells[i], i)
        except CellExecutionError as failure:
            return f"{failure.ename}: {failure.evalue}"
        except CellTimeoutError:
            return f"still running after {self.client.timeout} s"
        return None


@contextmanager
def kernel_of(notebook: NotebookNode, folder: Path) -> Iterator[Kernel]:
    """A fresh kernel for a notebook's cells."""
    client = client_of(notebook, folder)
    with client.setup_kernel():
        yield Kernel(client)


def disturb(path: Path, seed: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Run one notebook in all these ways; the name of each way and the errors that it must not have."""
    notebook, chance = nbformat.read(path, as_version=4), random.Random(seed)
    with kernel_of(notebook, path.parent) as kernel:
        yield "from the top", kernel.run(kernel.cells)
        yield "from the top again", kernel.run(kernel.cells)
    with kernel_of(notebook, path.parent) as kernel:
        middle = len(kernel.cells) // 2
        kernel.run(kernel.cells[:middle])
        cells = kernel.cells[middle:]
        yield "killed in the middle", [] if any(kernel.kill(i, chance.random()) for i in cells) else ["never killed"]
    with kernel_of(notebook, path.parent) as kernel:
        errors = kernel.run(chance.sample(kernel.cells, len(kernel.cells)))
        yield "in a random order", [error for error in errors if "NameError" not in error]
        yield "from the top after that", kernel.run(kernel.cells)


def main(arguments: list[str] | None = None) -> int:
    """Disturb some notebooks, a line for each way of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.disorder", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="default: all")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the notebooks are")
    parser.add_argument("--seed", type=int, default=0, help="of the random order")
    options = parser.parse_args(arguments)
    failures = 0
    paths = {path.stem: path for path in sorted(options.folder.glob("*.ipynb"))}
    if unknown := set(options.names) - set(paths):
        parser.error(f"there is no {', '.join(sorted(unknown))} in {options.folder}; there are {', '.join(paths)}")
    for path in [paths[name] for name in options.names or paths]:
        wrong, start = False, time.perf_counter()
        for way, errors in disturb(path, options.seed):
            wrong |= bool(errors)
            seconds, start = time.perf_counter() - start, time.perf_counter()
            print(f"{path.stem:24} {way:24} {seconds:6.1f} s  {'; '.join(errors) or 'ok'}", flush=True)
        failures += wrong
    return failures


if __name__ == "__main__":
    sys.exit(main())
