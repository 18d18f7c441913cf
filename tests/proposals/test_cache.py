from dataclasses import replace

import numpy as np
import pytest
import torch

from lecture_lib.proposals import ProposalCache, SelectiveSearch
from lecture_lib.proposals import cache as cache_module
from lecture_lib.structures import Proposals

SETTINGS = SelectiveSearch(max_boxes=10)
REBUILD = "make proposals"


@pytest.fixture
def image_file(tmp_path):
    file = tmp_path / "0001.jpg"
    file.write_bytes(b"some picture")
    return file


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[0.0, 0, 320, 240], [3, 4, 50, 60]]), torch.tensor([-0.1, -2.0]), (240, 320))


@pytest.fixture
def saved(tmp_path, image_file, proposals):
    cache = ProposalCache(tmp_path / "deep" / "set.npz", SETTINGS, REBUILD)
    cache.store("0001", image_file, proposals)
    cache.store("0002", image_file, Proposals.empty((5, 6)))
    cache.save()
    return cache.path


def test_empty(tmp_path, image_file):
    cache = ProposalCache(tmp_path / "none.npz", SETTINGS, REBUILD)
    assert len(cache) == 0
    with pytest.raises(ValueError, match=r"no proposals for image '0001'.*make proposals"):
        cache.load("0001", image_file)
    cache.save()
    assert len(ProposalCache(cache.path, SETTINGS, REBUILD)) == 0


def test_round_trip(saved, image_file, proposals):
    cache = ProposalCache(saved, SETTINGS, REBUILD)
    found = cache.load("0001", image_file)
    assert torch.equal(found.boxes, proposals.boxes)
    assert found.boxes.dtype == torch.float32
    assert found.scores is None
    assert found.image_size == (240, 320)
    assert len(cache.load("0002", image_file)) == 0


def test_changed_settings_are_noticed(saved):
    with pytest.raises(ValueError, match=r"other settings.*make proposals"):
        ProposalCache(saved, replace(SETTINGS, seed=1), REBUILD)


def test_changed_algorithm_is_noticed(saved, monkeypatch):
    monkeypatch.setattr(cache_module, "ALGORITHM", cache_module.ALGORITHM + 1)
    with pytest.raises(ValueError, match=r"other settings.*make proposals"):
        ProposalCache(saved, SETTINGS, REBUILD)


def test_changed_image_is_noticed(saved, image_file):
    image_file.write_bytes(b"another picture")
    cache = ProposalCache(saved, SETTINGS, REBUILD)
    assert not cache.is_current("0001", image_file)
    with pytest.raises(ValueError, match=r"0001\.jpg has changed.*make proposals"):
        cache.load("0001", image_file)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_broken_file(tmp_path, content):
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"no proposal cache.*make proposals"):
        ProposalCache(path, SETTINGS, REBUILD)


def test_flipped_byte(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 0xFF
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"no proposal cache|other settings"):
        ProposalCache(saved, SETTINGS, REBUILD)


def test_a_save_that_fails_leaves_the_old_file(saved, monkeypatch, proposals, image_file):
    before = saved.read_bytes()
    cache = ProposalCache(saved, SETTINGS, REBUILD)
    cache.store("0003", image_file, proposals)

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.save()
    assert saved.read_bytes() == before


def test_same_proposals_same_bytes(saved, tmp_path, image_file, proposals):
    again = ProposalCache(tmp_path / "again.npz", SETTINGS, REBUILD)
    again.store("0002", image_file, Proposals.empty((5, 6)))
    again.store("0001", image_file, proposals)
    again.save()
    assert again.path.read_bytes() == saved.read_bytes()
