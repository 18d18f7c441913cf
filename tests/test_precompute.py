import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from lecture_lib import precompute as module
from lecture_lib.precompute import cached_proposals, precompute, proposal_cache
from lecture_lib.proposals import SelectiveSearch, selective_search
from lecture_lib.voc import VOCDataset, photos, stamps

SETTINGS = SelectiveSearch(color_spaces=("i",), ks=(500,), measures=("S",), max_boxes=40)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the bundled photographs that a test may change, as the only data."""
    root = Path(shutil.copytree(photos().root, tmp_path / "photos"))
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    return VOCDataset(root, "test")


def test_nothing_computed_yet(copied):
    with pytest.raises(ValueError, match=r"python -m lecture_lib\.precompute photos"):
        cached_proposals(copied, SETTINGS)


def test_same_boxes_as_searching(copied):
    assert list(precompute(copied, SETTINGS)) == list(copied.ids)
    found = cached_proposals(copied, SETTINGS)
    assert len(found) == len(copied)
    assert torch.equal(found[1].boxes, selective_search(copied.image(1), SETTINGS).boxes)


def test_interrupted_goes_on_and_changed_images_are_done_again(copied, monkeypatch):
    searched = []

    def search(image, settings):
        searched.append(tuple(image.shape))
        return selective_search(image, settings)

    monkeypatch.setattr(module, "selective_search", search)
    run = precompute(copied, SETTINGS)
    next(run), next(run)
    run.close()  # as Ctrl-C would
    assert len(proposal_cache(copied, SETTINGS)) == len(searched) == 2
    list(precompute(copied, SETTINGS))
    assert len(searched) == len(copied)
    with copied.path(2).open("ab") as file:
        file.write(b" ")
    list(precompute(copied, SETTINGS))
    assert len(searched) == len(copied) + 1


def test_other_settings_start_again(copied, capsys):
    list(precompute(copied, SETTINGS))
    other = SelectiveSearch(color_spaces=("i",), ks=(500,), measures=("S",), max_boxes=7)
    list(precompute(copied, other))
    assert "other settings" in capsys.readouterr().out
    assert max(map(len, cached_proposals(copied, other))) <= 7


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder of this test alone."""
    monkeypatch.setenv("LECTURE_LIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "proposals"


def own_set(root: Path, value: int) -> VOCDataset:
    """A set in VOC's layout of one small picture, `value` bright, in the splits train and test."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    picture = Image.new("RGB", (40, 30), (value, value, value))
    picture.paste((0, 200, 0), (5, 5, 5 + value // 10, 20))
    picture.save(root / "JPEGImages" / "a.png")
    (root / "Annotations" / "a.xml").write_text("<a><size><width>40</width><height>30</height></size></a>")
    for split in ("train", "test"):
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("a\n")
    return VOCDataset(root, "test")


def test_own_folder_has_no_proposals_until_they_are_made(tmp_path, cache):
    with pytest.raises(ValueError, match=rf"lecture_lib\.precompute {tmp_path}/mine --splits test`"):
        cached_proposals(own_set(tmp_path / "mine", 250))
    assert not cache.exists()


def test_own_folders_go_to_the_cache_even_if_they_are_called_as_bundled_ones_are(tmp_path, cache):
    bundled = sorted(photos().root.parent.glob("proposals/*"))
    sets = [own_set(tmp_path / "a" / "photos", 250), own_set(tmp_path / "b" / "photos", 150)]
    for dataset in sets:
        assert list(precompute(dataset, SETTINGS)) == ["a"]
    assert sorted(photos().root.parent.glob("proposals/*")) == bundled
    assert len(list(cache.iterdir())) == 2  # one a folder, though both are "photos-test"
    for dataset in sets:
        (found,) = cached_proposals(dataset, SETTINGS)
        assert torch.equal(found.boxes, selective_search(dataset.image(0), SETTINGS).boxes)
    relative = VOCDataset(tmp_path / "b" / ".." / "b" / "photos", "test")
    assert len(cached_proposals(relative, SETTINGS)) == 1  # the same folder by another path


def test_bundled_set_stays_with_the_data(copied, cache):
    list(precompute(copied, SETTINGS))
    assert [file.name for file in (copied.root.parent / "proposals").iterdir()] == ["photos-test.npz"]
    assert not cache.exists()


def test_command_takes_an_own_folder_and_its_splits(tmp_path, cache, monkeypatch):
    root = own_set(tmp_path / "mine", 250).root
    monkeypatch.setattr(sys, "argv", ["precompute", str(root), "--splits", "train", "test"])
    module.main()
    names = sorted(file.name for file in cache.iterdir())
    assert [name.rpartition("-")[2] for name in names] == ["test.npz", "train.npz"]
    for split in ("train", "test"):
        dataset = VOCDataset(root, split)
        assert torch.equal(cached_proposals(dataset)[0].boxes, selective_search(dataset.image(0)).boxes)


@pytest.mark.parametrize("split", ["train", "val", "test", "photos"])
def test_bundled_proposals_are_up_to_date(split):
    """When Selective Search changes: raise its ALGORITHM, run `python -m lecture_lib.precompute stamps photos`."""
    dataset = photos() if split == "photos" else stamps(split)
    cached = cached_proposals(dataset)
    assert len(cached) == len(dataset)
    live = selective_search(dataset.image(0))
    same = {tuple(box) for box in live.boxes.tolist()} & {tuple(box) for box in cached[0].boxes.tolist()}
    assert len(same) > 0.9 * len(live)  # another processor may round otherwise and merge other regions now and then


def test_parts_of_a_split_share_its_proposals():
    whole, part = stamps("val"), stamps("val").part(3, 5)
    shared = cached_proposals(part)
    assert [len(one) for one in shared] == [len(one) for one in cached_proposals(whole)[3:5]]
