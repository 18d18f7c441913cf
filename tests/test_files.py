"""lecture_lib.files: nobody reads half of a file, and every folder can be put elsewhere."""

import errno
import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lecture_lib.files import Busy, NoRoom, alone, cache_root, data_root, replacing, sha256, writing

ROOT = Path(__file__).parents[1]
locks = pytest.mark.skipif(sys.platform == "win32", reason="no locks on Windows")


def left_over(folder: Path) -> list[str]:
    """Names of unfinished files under a folder."""
    return [file.name for file in folder.rglob("*") if ".part" in file.name]


def test_an_empty_file_has_the_known_checksum(tmp_path: Path) -> None:
    with replacing(tmp_path / "empty") as beside:
        beside.write_bytes(b"")
    assert (tmp_path / "empty").read_bytes() == b""
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_checksum_is_that_of_the_content_read_piece_by_piece(tmp_path: Path) -> None:
    content = bytes(range(256)) * 300
    (tmp_path / "file").write_bytes(content)
    state = hashlib.sha256()
    for start in range(0, len(content), 1000):
        state.update(content[start : start + 1000])
    assert sha256(tmp_path / "file") == state.hexdigest()


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    with replacing(path) as beside:
        assert beside.parent == path.parent  # on the same disk, or the exchange is no single step
        beside.write_text("old")
        assert not path.exists()
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("before", ["old", None])
def test_after_an_error_all_is_as_before(tmp_path: Path, error: type[BaseException], before: str | None) -> None:
    path = tmp_path / "file"
    if before:
        path.write_text(before)

    def write_half() -> None:
        with replacing(path) as beside:
            beside.write_text("half of the n")
            raise error

    with pytest.raises(error):
        write_half()
    assert (path.read_text() if path.exists() else None) == before
    assert left_over(tmp_path) == []


def test_a_block_that_writes_nothing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"


def test_cache_is_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("LECTURE_LIB_CACHE", raising=False)
    assert cache_root() == tmp_path / ".cache" / "lecture_lib"
    monkeypatch.setenv("LECTURE_LIB_CACHE", "")
    assert cache_root() == tmp_path / ".cache" / "lecture_lib"
    monkeypatch.setenv("LECTURE_LIB_CACHE", "~/elsewhere")
    assert cache_root() == tmp_path / "elsewhere"


def test_data_is_the_repositorys_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LECTURE_LIB_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert (data_root() / "stamps" / "JPEGImages").is_dir()
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"nowhere\. Work in a clone .* LECTURE_LIB_DATA"):
        data_root()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(NoRoom, match=r"file cannot be written: some reason\. Free some space") as told,
        writing(Path("file")),
    ):
        raise OSError(number, "some reason")
    assert told.value.errno == number
    with pytest.raises(NoRoom) as again, writing(Path("folder")):
        raise told.value
    assert again.value is told.value
    with pytest.raises(PermissionError), writing(Path("file")):
        raise PermissionError(errno.EACCES, "no")


def elsewhere(path: Path, then: str) -> subprocess.Popen:
    """Another process that has `path` for itself, says so, and does something."""
    code = (
        f"from lecture_lib.files import alone\nwith alone({str(path)!r}):\n    print('there', flush=True)\n    {then}"
    )
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **streams)


@locks
@pytest.mark.parametrize("folder", [True, False])
def test_one_process_at_a_time_and_a_killed_one_keeps_nobody_out(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "new" / "work"
    if folder:
        path.mkdir(parents=True)
    with elsewhere(path, "input()") as other:
        assert other.stdout.readline() == "there\n"
        with pytest.raises(Busy, match=f"another process is at work on {path}. Wait until it has ended"), alone(path):
            pass
        other.kill()
        assert other.wait() == -signal.SIGKILL
    with alone(path), alone(path), elsewhere(path, "pass") as other:  # an own iterator may lie about unfinished
        assert "Busy: another process" in other.communicate()[1]
    with elsewhere(path, "pass") as other:
        assert other.communicate()[0] == "there\n"
    assert [file.name for file in path.parent.iterdir()] == (["work"] if folder else [])


@locks
def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    for name in (
        "work/state.pt.12.part",
        "work/deep/x.json.7.part",
        "work/whole",
        "work/mine.part",
        "file.9.part",
        "file2.9.part",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with alone(tmp_path / "work"), alone(tmp_path / "file"):
        assert sorted(left_over(tmp_path)) == ["file2.9.part", "mine.part"]
    assert (tmp_path / "work" / "whole").exists()
