"""Where the course's files lie, and how one is written so that nobody ever reads half of it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lecture_lib


def data_root() -> Path:
    """The folder of the bundled data, wherever a notebook was started from; LECTURE_LIB_DATA names another one.

    Raises FileNotFoundError when there is none.
    """
    chosen = os.environ.get("LECTURE_LIB_DATA")
    root = Path(chosen).expanduser() if chosen else Path(lecture_lib.__file__).resolve().parents[1] / "data"
    if not root.is_dir():
        raise FileNotFoundError(
            f"there is no data folder {root}. Work in a clone of the course's repository (make lab installs it so that "
            "the data is found), or set the environment variable LECTURE_LIB_DATA to the repository's data folder."
        )
    return root


def cache_root() -> Path:
    """The folder for what can be downloaded or computed again: ~/.cache/lecture_lib, or what LECTURE_LIB_CACHE says."""
    return Path(os.environ.get("LECTURE_LIB_CACHE") or "~/.cache/lecture_lib").expanduser()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; at the end of the block the new file takes the old one's place.

    Readers see the old file or the new one, never half of one; after an error the old one stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
