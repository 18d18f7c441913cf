"""Where the course's files lie, and how one is written so that nobody ever reads half of it."""

import errno
import glob
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lecture_lib

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # the disk, the user's share of it, the largest file
_held: set[Path] = set()


class NoRoom(OSError):
    """The disk is full; the message says which file and what to do."""


class Busy(OSError):
    """Another process is at work on the same files."""


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
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise NoRoom in the place of the system's error where the disk is full."""
    try:
        yield
    except NoRoom:
        raise
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoRoom(
            error.errno,
            f"{path} cannot be written: {error.strerror or error}. Free some space, or put the output on another disk "
            "(--out, or the environment variable LECTURE_LIB_CACHE). Nothing half-written is kept as whole: the same "
            "command then goes on from here",
        ) from error


def reserve(path: Path) -> None:
    """Claim a file's whole size on disk before it is mapped: later, a full disk would kill the process without a word.

    Raises NoRoom.
    """
    size = path.stat().st_size
    with writing(path), path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes from a file or a folder meanwhile, and remove what a killed one left half-written.

    The system takes the lock from a process that dies. Windows has none of this kind: there nobody is kept out.
    Raises Busy, at once, where another process has it.
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None or path in _held:  # an iterator of this process that was left unfinished keeps nobody out
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    handle = _lock(lock, path)
    _held.add(path)
    try:
        half = path.rglob("*.part") if path.is_dir() else path.parent.glob(f"{glob.escape(path.name)}.*.part")
        for rest in half:
            if re.search(r"\.\d+\.part$", rest.name):  # written by `replacing`, not by somebody's browser
                rest.unlink()
        yield
    finally:
        _held.discard(path)
        lock.unlink(missing_ok=True)
        os.close(handle)


def _lock(lock: Path, path: Path) -> int:
    """The open lock file."""
    while True:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise Busy(
                f"another process is at work on {path}. Wait until it has ended, then the same command goes on from "
                "what it did; or give another folder (--out)."
            ) from None
        except OSError:  # a file system without locks
            return handle
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # its last owner has just removed it


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
