"""Show a notebook as slides in JupyterLab, or mark the notebooks' cells for it (`--mark`)."""

import argparse
import sys
from pathlib import Path

from lecture_lib.notebooks import FOLDER
from lecture_lib.slides.marks import mark

EXTENSIONS = Path(__file__).parent / "labextension"


def main(arguments: list[str] | None = None) -> None:
    """Mark notebooks, or start JupyterLab with one of them as slides; further arguments go to JupyterLab."""
    parser = argparse.ArgumentParser(prog="python -m lecture_lib.slides", description=__doc__)
    parser.add_argument("name", nargs="?", help="the notebook to show, for example 03_rcnn")
    parser.add_argument("--mark", action="store_true", help="mark the cells of all notebooks, or of NAME alone")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the notebooks are")
    options, further = parser.parse_known_args(arguments)
    names = sorted(path.stem for path in options.folder.glob("*.ipynb"))
    if options.name not in names and not (options.mark and options.name is None):
        parser.error(f"say which notebook: one of {', '.join(names)}")
    if options.mark:
        for name in names if options.name is None else [options.name]:
            print(f"{name:24} {'marked' if mark(options.folder / f'{name}.ipynb') else 'as it was'}")
    else:
        show(options.folder, options.name, further)


def show(folder: Path, name: str, further: list[str]) -> None:
    """JupyterLab with the slide show, on one notebook of a folder; returns when it is shut down."""
    from jupyterlab.labapp import main as jupyterlab

    address = f"/doc/tree/{name}.ipynb"
    own = [f"--notebook-dir={folder}", f"--LabApp.default_url={address}"]
    jupyterlab([*own, f"--LabApp.extra_labextensions_path={EXTENSIONS}", *further])


if __name__ == "__main__":
    sys.exit(main())
