"""Execute the course's notebooks without a browser and write them as web pages: `python -m lecture_lib.notebooks`.

With `--record`, the seconds and the peak memory of each become the dated result that the README quotes. Interrupted, it
goes on with `--resume`.
"""

import argparse
import os
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lecture_lib.files import alone, data_root, replacing
from lecture_lib.pages import page, write_index
from lecture_lib.training.results import date_and_machine, read_json, write_json

FOLDER = Path(__file__).parents[1] / "notebooks"
SITE = Path(__file__).parents[1] / "build" / "site"


@dataclass(frozen=True)
class Execution:
    """One executed notebook: the page of its outputs, its seconds, its kernel's peak memory, its error if any."""

    name: str
    page: str
    seconds: float
    peak_gib: float
    error: str | None


def client_of(notebook, folder: Path):
    """An `nbclient.NotebookClient` that runs a notebook's cells in a fresh kernel, in `folder`."""
    from nbclient import NotebookClient

    where = {"metadata": {"path": str(folder)}}
    patience = {"timeout": 600, "startup_timeout": 300}  # seconds: a busy machine takes more than one minute to start
    return NotebookClient(notebook, **patience, kernel_name="python3", resources=where, store_widget_state=False)


def execute(path: Path, folder: Path | None = None) -> Execution:
    """Run a notebook from a clean kernel, to its end or to its first error, in `folder` (default: its own)."""
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = nbformat.read(path, as_version=4)
    client = client_of(notebook, folder or path.parent)
    start, error, peak = time.perf_counter(), None, [0.0]
    client.on_cell_executed = lambda **_: peak.append(_peak_gib(client))
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as failure:
        error = str(failure)
    return Execution(path.stem, page(notebook, path.stem), time.perf_counter() - start, max(peak), error)


def execute_all(folder: Path = FOLDER, names: Collection[str] | None = None) -> Iterator[Execution]:
    """The notebooks of a folder (None: all) in the order of their names, each yielded when it has run."""
    for path in sorted(folder.glob("*.ipynb")):
        if names is None or path.stem in names:
            yield execute(path)


def _peak_gib(client) -> float:
    """Peak resident memory of the kernel's process, where the system tells it (Linux); otherwise 0."""
    status = Path(f"/proc/{client.km.provisioner.pid}/status") if client.km else Path()
    try:
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0
    return int(peak.split()[1]) / 2**20


def write_page(done: Execution, folder: Path) -> None:
    """Write a notebook's page, the whole of it or nothing; that of a failure counts as old."""
    with replacing(folder / f"{done.name}.html") as beside:
        beside.write_text(done.page, encoding="utf-8")
        if done.error is not None:
            os.utime(beside, (0, 0))


def without_page(folder: Path, out: Path) -> list[str]:
    """The notebooks of a folder that have no page yet, or an older one than they are."""
    return [
        path.stem
        for path in sorted(folder.glob("*.ipynb"))
        if not (page := out / f"{path.stem}.html").is_file() or page.stat().st_mtime < path.stat().st_mtime
    ]


def main(arguments: list[str] | None = None) -> int:
    """Execute all notebooks, a line each, and write their pages; the exit code counts the failures."""
    parser = argparse.ArgumentParser(prog="python -m lecture_lib.notebooks", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the notebooks are")
    parser.add_argument("--out", type=Path, default=SITE, help="where the pages go")
    parser.add_argument("--record", action="store_true", help="keep the measures in data/results/notebooks.json")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some notebooks; the others' measures are kept")
    parser.add_argument("--resume", action="store_true", help="go on: those without a page as new as they are")
    options = parser.parse_args(arguments)
    executions = []
    with alone(options.out):
        names = without_page(options.folder, options.out) if options.resume else options.only
        for done in execute_all(options.folder, names):
            write_page(done, options.out)
            executions.append(done)
            outcome = "ok" if done.error is None else "FAILED\n" + done.error
            print(f"{done.name:24} {done.seconds:6.1f} s  {done.peak_gib:4.1f} GiB  {outcome}", flush=True)
        write_index(options.folder, options.out)
    failures = sum(done.error is not None for done in executions)
    if options.record and not failures:
        path = data_root() / "results" / "notebooks.json"
        measures = read_json(path)["notebooks"] if names is not None and path.is_file() else {}
        for done in executions:
            measures[done.name] = {"seconds": round(done.seconds), "peak_gib": round(done.peak_gib, 1)}
        about = {"command": "python -m lecture_lib.notebooks --record", **date_and_machine()}
        write_json(path, about | {"notebooks": dict(sorted(measures.items()))})
    return failures


if __name__ == "__main__":
    sys.exit(main())
