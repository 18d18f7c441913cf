"""Downloads from a server on this machine that behaves and misbehaves."""

import hashlib
import io
import os
import tarfile

import pytest

from lecture_lib import download
from lecture_lib.download import DownloadError, fetch, unpack
from tests.mirror import serving

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        server.content = CONTENT
        yield server


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_empty_file(server, tmp_path):
    server.content = b""
    path = fetch([f"{server.url}/good/f"], tmp_path / "f", md5=hashlib.md5(b"").hexdigest())
    assert path.read_bytes() == b""


@pytest.mark.parametrize("manner", ["good", "nolength", "norange"])
@pytest.mark.parametrize("checksum", [{"md5": MD5}, {"sha256": SHA256.upper()}])
def test_whole_file(server, tmp_path, manner, checksum):
    path = fetch([f"{server.url}/{manner}/f"], tmp_path / "new" / "f", **checksum)
    assert path == tmp_path / "new" / "f"
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["f"]


def test_file_that_is_there_is_not_asked_for_again(server, tmp_path):
    (tmp_path / "f").write_bytes(CONTENT)
    fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)
    assert server.requests == []
    (tmp_path / "f").write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=r"is not the file expected.*Delete it and call again"):
        fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == CONTENT[:-1]  # a person's file is left to the person


def test_next_mirror_when_the_first_is_gone_or_down(server, tmp_path):
    urls = ["http://127.0.0.1:1/f", f"{server.url}/gone/f", f"{server.url}/mute/f", f"{server.url}/good/f"]
    assert fetch(urls, tmp_path / "f", md5=MD5).read_bytes() == CONTENT


def test_a_cut_connection_is_continued(server, tmp_path):
    fetch([f"{server.url}/cutonce/f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=400000-"]


def test_a_later_call_continues_the_partial_file(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:1_000_000])
    fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.requests == [("/good/f", "bytes=1000000-")]
    assert files(tmp_path) == ["f"]


def test_a_server_that_cannot_continue_sends_the_whole_once(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:1000])
    assert fetch([f"{server.url}/norange/f"], tmp_path / "f", md5=MD5).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_cut_off_leaves_only_the_partial_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    with pytest.raises(DownloadError, match="connection was cut") as error:
        fetch([f"{server.url}/cut/f"], tmp_path / "f", md5=MD5)
    assert "f.part: call again" in str(error.value)
    assert files(tmp_path) == ["f.part"]
    assert (tmp_path / "f.part").read_bytes() == CONTENT[:800_000]


def test_interrupt_leaves_only_the_partial_file(server, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5, progress=interrupt)
    assert files(tmp_path) == ["f.part"]
    fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f").read_bytes() == CONTENT


@pytest.mark.parametrize("manner", ["norange", "good", "misplaced"])
@pytest.mark.parametrize("old", [b"!" * 100, CONTENT[:500] + b"?", b"?" * (len(CONTENT) + 7), b"?" * len(CONTENT)])
def test_a_wrong_partial_file_is_overcome(server, tmp_path, manner, old):
    (tmp_path / "f.part").write_bytes(old)
    urls = [f"{server.url}/{manner}/f"]
    if manner == "misplaced" and len(old) < len(CONTENT):
        with pytest.raises(DownloadError, match="wrong place"):
            fetch(urls, tmp_path / "f", md5=MD5)
        return
    assert fetch(urls, tmp_path / "f", md5=MD5).read_bytes() == CONTENT


def test_a_page_to_sign_in_does_not_replace_what_arrived(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:500])
    with pytest.raises(DownloadError, match=r"sent a web page.*\n.*is kept in"):
        fetch([f"{server.url}/page/f"], tmp_path / "f", md5=MD5)
    assert (tmp_path / "f.part").read_bytes() == CONTENT[:500]


def test_a_file_that_cannot_be_written_is_not_blamed_on_the_mirror(server, tmp_path):
    (tmp_path / "f.part").mkdir()
    with pytest.raises(IsADirectoryError, match=r"f\.part"):
        fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)


def test_wrong_checksum_goes_on_to_the_next_mirror(server, tmp_path):
    fetch([f"{server.url}/damaged/f", f"{server.url}/good/f"], tmp_path / "f", sha256=SHA256)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_wrong_checksum_everywhere_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="sent a file whose md5 is"):
        fetch([f"{server.url}/damaged/f"], tmp_path / "f", md5=MD5)
    assert files(tmp_path) == []


def test_no_network_says_what_to_do(tmp_path):
    urls = ["https://example.org/voc/f.tar", "http://127.0.0.1:1/f.tar"]
    with pytest.raises(DownloadError) as error:
        fetch(urls, tmp_path / "f.tar", md5=MD5)
    message = str(error.value)
    assert all(url in message for url in urls)
    assert f"put it here: {tmp_path / 'f.tar'}" in message
    assert MD5 in message
    assert files(tmp_path) == []


def test_full_disk_is_not_blamed_on_the_mirror(server, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_store", full)
    with pytest.raises(OSError, match="No space left") as error:
        fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5)
    assert not isinstance(error.value, DownloadError)


def test_progress_reaches_the_total(server, tmp_path, capsys):
    seen = []
    fetch([f"{server.url}/good/f"], tmp_path / "f", md5=MD5, progress=lambda *step: seen.append(step))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    download.print_progress(*seen[-1])
    download.print_progress(500_000, None)
    assert capsys.readouterr().out == "\r1.3 of 1.3 MB\n\r0.5 MB"


def test_wrong_calls(tmp_path):
    for urls in ([], "http://127.0.0.1/f"):
        with pytest.raises(ValueError, match="at least one address"):
            fetch(urls, tmp_path / "f", md5=MD5)
    for checksums in ({}, {"md5": MD5, "sha256": SHA256}):
        with pytest.raises(ValueError, match="one checksum"):
            fetch(["http://127.0.0.1/f"], tmp_path / "f", **checksums)


def make_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            if content == b"link":
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/passwd", 0
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_unpack_nothing(tmp_path):
    unpack(make_tar(tmp_path / "a.tar", {}), tmp_path / "out", last="index")
    assert files(tmp_path / "out") == []


def test_unpack_adds_to_a_folder(tmp_path):
    unpack(make_tar(tmp_path / "a.tar", {"set/index/1": b"one", "set/data/1": b"1"}), tmp_path / "out", last="index")
    unpack(make_tar(tmp_path / "b.tar", {"set/index/2": b"two", "set/data/1": b"new"}), tmp_path / "out", last="index")
    out = tmp_path / "out" / "set"
    assert {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()} == {
        "index/1": b"one",
        "index/2": b"two",
        "data/1": b"new",
    }
    assert files(tmp_path / "out") == ["set"]  # nothing of the work folder is left


def test_interrupted_unpacking_does_not_look_complete(tmp_path, monkeypatch):
    tar = make_tar(tmp_path / "a.tar", {"a/1": b"one", **{f"data/{i}": b"1" for i in range(5)}})
    moved, real_replace = [], os.replace

    def replace(source, destination):
        if len(moved) == 5:
            raise KeyboardInterrupt
        moved.append(destination)
        real_replace(source, destination)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        unpack(tar, tmp_path / "out", last="a")
    assert not (tmp_path / "out" / "a" / "1").exists()
    monkeypatch.undo()
    unpack(tar, tmp_path / "out", last="a")
    assert files(tmp_path / "out" / "a") == ["1"]


def test_what_a_killed_process_had_unpacked_is_removed(tmp_path):
    (tmp_path / "out/.unpacking-a.tar-x1/data").mkdir(parents=True)
    unpack(make_tar(tmp_path / "a.tar", {"a/1": b"one"}), tmp_path / "out", last="a")
    assert files(tmp_path / "out") == ["a"]


@pytest.mark.parametrize("member", ["../evil", "/tmp/evil", "a/../../evil"])
def test_archive_cannot_reach_outside(tmp_path, member):
    tar = make_tar(tmp_path / "a.tar", {"good": b"1", member: b"evil"})
    with pytest.raises(ValueError, match="outside the folder"):
        unpack(tar, tmp_path / "x" / "out", last="index")
    assert not list(tmp_path.rglob("evil"))


def test_archive_with_a_link_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no plain file"):
        unpack(make_tar(tmp_path / "a.tar", {"passwords": b"link"}), tmp_path / "out", last="index")


def test_damaged_archive(tmp_path):
    tar = make_tar(tmp_path / "a.tar", {"a": b"1" * 5000})
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cannot be unpacked.*download it again"):
        unpack(tar, tmp_path / "out", last="index")
    assert files(tmp_path / "out") == []
