"""Find the notebooks of a folder: any names, sub-folders, zips; nothing is unpacked to disk, no link is followed."""

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grading.notebook import MOST_BYTES, Unreadable

SKIPPED = re.compile(r"(^|[/!])(\.ipynb_checkpoints|__MACOSX|\.[^/.][^/]*)(/|$)")
NO_NOTEBOOK = {".py", ".html", ".pdf", ".7z", ".rar", ".tar", ".gz", ".tgz", ".docx", ".txt"}
CANVAS = re.compile(r"^(?P<name>[^_/]+)(_LATE)?_(?P<id>\d+)_\d+_")
MOODLE = re.compile(r"^(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_")


@dataclass(frozen=True)
class Submission:
    """A file that was handed in: its path from the folder, "!" before one inside a zip. `load` may raise Unreadable."""

    label: str
    load: Callable[[], bytes]

    @property
    def student(self) -> tuple[str, str]:
        """Name and number, from the names that Canvas and Moodle give; else the folder's or the file's name."""
        parts = re.split(r"[/!]", self.label)
        for pattern in (MOODLE, CANVAS):
            for part in parts:
                if found := pattern.match(part):
                    return found["name"], found["id"]
        return (parts[0] if len(parts) > 1 else Path(parts[0]).stem), ""


def find(folder: Path) -> Iterator[Submission]:
    """Every submission below a folder, in the order of their names. Raises NotADirectoryError."""
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: give the folder that holds the submitted notebooks or zips")
    for path in sorted(folder.rglob("*")):
        label = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or SKIPPED.search(label):
            continue
        if path.suffix.lower() == ".ipynb":
            yield Submission(label, partial(_file, path))
        elif path.suffix.lower() == ".zip":
            yield from _zipped(path, label)
        elif path.suffix.lower() in NO_NOTEBOOK:
            yield Submission(label, partial(_refuse, f"a {path.suffix} file, not a notebook (.ipynb)"))


def _file(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        _refuse(f"larger than {MOST_BYTES >> 20} MB")
    return path.read_bytes()


def _zipped(path: Path, label: str) -> Iterator[Submission]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        yield Submission(label, partial(_refuse, "a zip that cannot be opened"))
        return
    names = [name for name in found if name.lower().endswith(".ipynb") and not SKIPPED.search(name)]
    if not names:
        yield Submission(label, partial(_refuse, "a zip without a notebook"))
    yield from (Submission(f"{label}!{name}", partial(_member, path, name)) for name in sorted(set(names)))


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            raw = member.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise Unreadable(f"cannot be read from its zip ({type(error).__name__})") from None
    if len(raw) > MOST_BYTES:
        _refuse(f"larger than {MOST_BYTES >> 20} MB")
    return raw


def _refuse(reason: str) -> bytes:
    raise Unreadable(reason)
