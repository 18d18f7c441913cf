"""lecture_lib.files: nobody reads half of a file, and every folder can be put elsewhere."""

import hashlib
from pathlib import Path

import pytest

from lecture_lib.files import cache_root, data_root, replacing, sha256


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
