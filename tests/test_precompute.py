import shutil
from pathlib import Path

import pytest
import torch

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


@pytest.mark.parametrize("split", ["train", "val", "test", "photos"])
def test_bundled_proposals_are_up_to_date(split):
    """When Selective Search changes: raise its ALGORITHM, run `python -m lecture_lib.precompute stamps photos`."""
    dataset = photos() if split == "photos" else stamps(split)
    cached = cached_proposals(dataset)
    assert len(cached) == len(dataset)
    live = selective_search(dataset.image(0))
    same = {tuple(box) for box in live.boxes.tolist()} & {tuple(box) for box in cached[0].boxes.tolist()}
    assert len(same) > 0.9 * len(live)  # another processor may round otherwise and merge other regions now and then
