"""Downloading a large file once, from the first mirror that works, and unpacking it safely."""

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from lecture_lib.files import NoRoom, alone, writing

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes in all (None while the server has not said)."""

TIMEOUT = 30  # seconds without a byte, after which a mirror is given up
ATTEMPTS = 5  # per mirror, as long as each brings the file forward
_BLOCK = 1 << 20


class DownloadError(OSError):
    """No mirror gave the file; the message lists what each one said, and what to do by hand."""


def print_progress(done: int, total: int | None) -> None:
    """Show the progress of a download on one line."""
    size = f"{done / 1e6:,.1f} MB" if total is None else f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    print(f"\r{size}", end="\n" if done == total else "", flush=True)


def fetch(
    urls: Sequence[str],
    destination: str | os.PathLike,
    sha256: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download one file from the first of its mirrors that works, and return its path.

    The bytes go to `<destination>.part`, which a later call continues; the final name appears only when the
    checksum is right, so a file under that name is whole. A file that is there already is checked and kept.

    Raises DownloadError (an OSError) when no mirror gives the file, ValueError for a call without mirrors or
    with none or both of the checksums, and for a file under the final name that is not the one expected; Busy where
    another process is downloading it, NoRoom where the disk is full.
    """
    if isinstance(urls, str) or not urls:
        raise ValueError("urls must be a list with at least one address")
    if (sha256 is None) == (md5 is None):
        raise ValueError("give one checksum, sha256 or md5: without it a damaged download would go unnoticed")
    checksum = _Checksum("sha256", sha256.lower()) if sha256 else _Checksum("md5", md5.lower())
    destination = Path(destination)
    if destination.exists():
        _check_present(destination, checksum)
        return destination
    with alone(destination):
        failures = []
        for url in urls:
            try:
                _fetch_from(url, destination, checksum, progress)
                return destination
            except _MirrorError as failure:
                failures.append(f"  {url}: {failure}")
        raise DownloadError(_by_hand(destination, checksum, failures))


class _MirrorError(Exception):
    """One mirror failed: try the next."""


class _Checksum:
    def __init__(self, name: str, expected: str):
        self.name, self.expected = name, expected

    def of(self, path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.name).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} {self.expected}"


def _check_present(path: Path, checksum: _Checksum) -> None:
    found = checksum.of(path)
    if found != checksum.expected:
        raise ValueError(
            f"{path} is not the file expected: its {checksum.name} is {found} instead of {checksum.expected}. "
            "It may be cut short or damaged. Delete it and call again."
        )


def _by_hand(destination: Path, checksum: _Checksum, failures: list[str]) -> str:
    part = _part(destination)
    kept = f"What arrived is kept in {part}: call again to continue from there.\n" if part.exists() else ""
    return (
        f"{destination.name} could not be downloaded:\n" + "\n".join(failures) + "\n" + kept + "Is there a network? "
        f"Without one, download the file from one of these addresses on another machine ({checksum}),\n"
        f"put it here: {destination}\nand call again."
    )


def _part(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def _fetch_from(url: str, destination: Path, checksum: _Checksum, progress: Progress | None) -> None:
    """Bring the file from one mirror, continuing what is there, or raise _MirrorError."""
    part = _part(destination)
    for _ in range(ATTEMPTS):
        resumed_from = part.stat().st_size if part.exists() else 0
        whole = _receive(url, part, progress)
        if not whole:
            if part.stat().st_size <= resumed_from:
                break
            continue
        found = checksum.of(part)
        if found == checksum.expected:
            os.replace(part, destination)
            return
        part.unlink()
        if not resumed_from:  # otherwise the older half may be the wrong one: once more, from the start
            raise _MirrorError(f"sent a file whose {checksum.name} is {found}")
    raise _MirrorError("the connection was cut before the end")


def _receive(url: str, part: Path, progress: Progress | None) -> bool:
    """Append to `part` what the mirror sends; True when it said that this was all."""
    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "lecture_lib"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        with writing(part), urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return _store(response, part, offset, progress)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return True  # nothing comes after what is there: the checksum says whether it is the file
        raise _MirrorError(f"answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, NoRoom) or getattr(error, "filename", None) == str(part):
            raise  # the disk is full or the file may not be written: the next mirror would not help
        reason = getattr(error, "reason", error)
        if part.exists() and part.stat().st_size > offset:
            return False
        raise _MirrorError(f"no answer ({reason})") from error


def _store(response: http.client.HTTPResponse, part: Path, offset: int, progress: Progress | None) -> bool:
    """Write the body at its place in `part`."""
    if response.headers.get_content_type() == "text/html":  # to sign in, for example: must not replace what arrived
        raise _MirrorError("sent a web page instead of the file")
    if response.status != http.client.PARTIAL_CONTENT:
        offset = 0  # the server does not continue files: it sends the whole again
    elif not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        raise _MirrorError("continued the file at the wrong place")
    length = response.headers.get("Content-Length")
    total = offset + int(length) if length else None
    done, shown = offset, 0.0
    with part.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        while block := response.read(_BLOCK):
            done += file.write(block)
            if progress and (time.monotonic() - shown > 0.2 or done == total):
                progress(done, total)
                shown = time.monotonic()
    return total is None or done == total


def unpack(archive: Path, folder: Path, last: str) -> None:
    """Unpack a tar into a folder that may hold other files, so that an interruption cannot look complete.

    The files are unpacked beside the folder and then moved one by one. Those under a directory named `last`
    are moved at the end: when they are there, all is there.
    Raises ValueError for an archive that is damaged or that reaches outside the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f".unpacking-{archive.name}-"
    with alone(archive), writing(folder), tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as work:
        for rest in set(folder.glob(f"{prefix}*")) - {Path(work)}:  # of a process that was killed
            shutil.rmtree(rest)
        try:
            with tarfile.open(archive) as tar:
                _check_members(tar)
                tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python has it from 3.11.4 on
                tar.extractall(work)
        except (tarfile.TarError, EOFError) as error:
            raise ValueError(f"{archive} cannot be unpacked ({error}). Delete it and download it again.") from error
        files = [path.relative_to(work) for path in Path(work).rglob("*") if not path.is_dir()]
        for path in sorted(files, key=lambda path: (last in path.parts, path)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(work) / path, folder / path)


def _check_members(tar: tarfile.TarFile) -> None:
    """An archive is somebody else's: it may hold folders and plain files, and only inside itself."""
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name!r} would reach outside the folder or is no plain file")
