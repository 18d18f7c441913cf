"""The sets by name: found wherever a notebook starts, downloaded, put there by hand."""

import hashlib
import os
import tarfile

import pytest

import lecture_lib
from lecture_lib.download import DownloadError
from lecture_lib.files import data_root
from lecture_lib.voc import VOC_CLASSES, photos, sets, stamps, voc2007, voc2012
from tests.mirror import serving
from tests.voc.folders import add, an_object


def test_data_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a notebook started from another folder
    monkeypatch.delenv("LECTURE_LIB_DATA", raising=False)
    monkeypatch.setattr(lecture_lib, "__file__", str(tmp_path / "clone/lecture_lib/__init__.py"))
    with pytest.raises(FileNotFoundError, match=r"no data folder .*clone.data.*LECTURE_LIB_DATA"):
        data_root()
    (tmp_path / "clone/data").mkdir(parents=True)
    assert data_root() == tmp_path / "clone/data"
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        data_root()
    (tmp_path / "elsewhere").mkdir()
    assert data_root() == tmp_path / "elsewhere"


def test_bundled_sets_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    add(tmp_path / "stamps", "a", an_object(), split="val")
    add(tmp_path / "stamps-seed2", "b", an_object(), split="val")
    add(tmp_path / "photos", "c", an_object(), split="test")
    assert stamps("val").ids == ("a",)
    assert stamps("val", seed=2).ids == ("b",)
    assert photos().ids == ("c",)
    with pytest.raises(FileNotFoundError, match=r"data/build/stamps\.py --seed 1 --out data/stamps-seed1"):
        stamps("val", seed=1)


def test_voc_by_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    add(tmp_path / "cache/VOCdevkit/VOC2012", "a", an_object(), split="val")
    assert voc2012("val").classes == VOC_CLASSES
    for folder in ("cache", "cache/VOCdevkit", "cache/VOCdevkit/VOC2012"):
        assert voc2012("val", root=tmp_path / folder).ids == ("a",)
    with pytest.raises(ValueError, match=r"VOC2012 has no split 'test' with annotations: take one of"):
        voc2012("test")
    with pytest.raises(FileNotFoundError) as error:
        voc2007("test")
    assert "voc2007('test', download=True)" in str(error.value)
    assert str(tmp_path / "cache" / "VOCtest_06-Nov-2007.tar") in str(error.value)


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def archive(tmp_path, server, monkeypatch):
    """VOC 2007 as a tar of two images on a server of this machine, and the cache to unpack it to."""
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "made/VOCdevkit/VOC2007"
    add(made, "a", an_object())
    add(made, "b", an_object("cat"))
    with tarfile.open(tmp_path / "voc.tar", "w") as tar:
        tar.add(tmp_path / "made/VOCdevkit", "VOCdevkit")
    server.content = (tmp_path / "voc.tar").read_bytes()
    md5 = hashlib.md5(server.content).hexdigest()
    archive = sets.Archive("voc.tar", md5, ("http://127.0.0.1:1", f"{server.url}/good"))
    monkeypatch.setitem(sets.ARCHIVES["VOC2007"], "train", archive)
    return archive


def test_voc_by_download(archive, server, tmp_path, capsys):
    with pytest.raises(FileNotFoundError):
        voc2007("train")
    assert not (tmp_path / "cache").exists()
    dataset = voc2007("train", download=True)
    assert len(dataset[1][1]) == 1
    assert dataset.root == tmp_path / "cache/VOCdevkit/VOC2007"
    assert "voc.tar" in capsys.readouterr().out
    asked = len(server.requests)
    assert voc2007("train").ids == voc2007("train", download=True).ids == ("a", "b")
    assert len(server.requests) == asked


def test_tar_put_there_by_hand_needs_no_network(archive, server, tmp_path):
    (tmp_path / "cache").mkdir()
    os.rename(tmp_path / "voc.tar", tmp_path / "cache/voc.tar")
    assert voc2007("train", download=True).ids == ("a", "b")
    assert server.requests == []


@pytest.mark.parametrize("moves", range(5))  # two images, two annotations, one split
def test_interrupted_unpacking_is_not_taken_as_complete(archive, monkeypatch, moves):
    real_replace = os.replace
    done = []

    def replace(source, destination):
        if not str(source).endswith(".part"):
            done.append(destination)
            if len(done) > moves:
                raise KeyboardInterrupt
        real_replace(source, destination)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        voc2007("train", download=True)
    with pytest.raises(FileNotFoundError, match="download=True"):
        voc2007("train")
    monkeypatch.setattr(os, "replace", real_replace)
    assert voc2007("train", download=True).ids == ("a", "b")


def test_voc_without_network_says_where_to_put_the_tar(tmp_path):
    with pytest.raises(DownloadError) as error:
        voc2012("train", root=tmp_path, download=True)
    assert f"put it here: {tmp_path / 'VOCtrainval_11-May-2012.tar'}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_checksums_are_those_of_torchvision():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    theirs = {(entry["filename"], entry["md5"]) for entry in DATASET_YEAR_DICT.values()}
    ours = {(a.name, a.md5) for splits in sets.ARCHIVES.values() for a in splits.values()}
    assert ours <= theirs
    assert len(ours) == 3
