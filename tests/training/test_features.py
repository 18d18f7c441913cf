"""lecture_lib.training.features: what is stored is what the detector computes, however often it was interrupted."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lecture_lib.detectors import Detector, SearchImage, WholeImage
from lecture_lib.files import NoRoom
from lecture_lib.heads import svm_and_ridge
from lecture_lib.pooling import WarpRegions
from lecture_lib.structures import Proposals, RegionFeatures
from lecture_lib.training.features import FLUSH_EVERY, FeatureStore, digest
from lecture_lib.voc import VOCDataset

ROOT = Path(__file__).parents[2]
SIZE = (20, 24)
COUNTS = [0, 3, 1, 0, *([2] * 26)]  # regions of 30 images; some have none, the first one too
POOL5, FC7 = 5 * 3 * 3, 4


class Embed(nn.Module):
    """One convolution and one fully connected layer, with dropout that must be off when features are stored."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.fc7, self.dropout = nn.Conv2d(3, 5, 3, stride=2), nn.Linear(POOL5, FC7), nn.Dropout(0.5)

    def forward(self, regions: Tensor) -> RegionFeatures:
        pool5 = self.conv(regions).flatten(1)
        return RegionFeatures(pool5, self.dropout(self.fc7(pool5)))


class Pictures(VOCDataset):
    """Random pictures; remembers which were asked for, and does something else at one of them."""

    def __init__(self, at: int = -1, instead: Callable[[], None] = lambda: None) -> None:
        self.asked, self.at, self.instead = [], at, instead

    def image(self, i: int) -> Tensor:
        if i == self.at:
            self.instead()
        self.asked.append(i)
        return torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(i))


def build() -> Detector:
    embed = Embed()
    return Detector(WholeImage(), SearchImage(), WarpRegions(8, 1.0), embed, svm_and_ridge(POOL5, FC7, 1), ("some",))


def regions(counts: list[int] = COUNTS) -> list[Proposals]:
    found = []
    for i, count in enumerate(counts):
        corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(i)) * 12
        found.append(Proposals(torch.cat([corner, corner + 8], dim=1), None, SIZE))
    return found


def open_store(folder: Path, key: str = "weights") -> FeatureStore:
    return FeatureStore(folder, regions(), key)


def block(folder: str) -> None:
    """For a process that will be killed: fill the store up to image 27, say so, and wait."""

    def wait() -> None:
        print("waiting", flush=True)
        time.sleep(600)

    list(open_store(Path(folder)).fill(build(), Pictures(27, wait)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A store that was filled without an interruption."""
    store = open_store(tmp_path_factory.mktemp("whole"))
    assert list(store.fill(build(), Pictures())) == list(range(1, 31))
    return store


def check_same(store: FeatureStore, whole: FeatureStore) -> None:
    for name in ("pool5", "fc7"):
        assert np.array_equal(store.column(name), whole.column(name))
    assert store.images_done == len(COUNTS)
    assert sorted(file.name for file in store.folder.iterdir()) == ["about.json", "fc7.npy", "pool5.npy"]


def test_no_images(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", [], "weights")
    assert (len(store), store.images_done, store.bytes) == (0, 0, 0)
    assert list(store.fill(build(), Pictures())) == []


def test_images_without_any_region(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store", regions([0, 0]), "weights")
    assert list(store.fill(build(), Pictures())) == [1, 2]
    assert (store.column("fc7").shape, len(store.image(1))) == ((0, FC7), 0)


def test_rows_are_the_detectors_features_in_half_precision(whole: FeatureStore, device: torch.device) -> None:
    detector = build().to(device)
    detector.embed.eval()
    assert len(whole) == sum(COUNTS)
    with torch.no_grad():
        for i, part in enumerate(whole.regions):
            maps = detector.encode(Pictures().image(i).to(device))
            expected, found = detector.features(maps, part.to(device)), whole.image(i)
            assert len(found) == COUNTS[i]
            assert found.pool5.dtype == torch.float32
            for name in ("pool5", "fc7"):
                half = getattr(expected, name).half().float().cpu()
                torch.testing.assert_close(getattr(found, name), half, atol=1e-5, rtol=1e-3)


def test_filled_on_any_device_and_in_any_mode(whole: FeatureStore, tmp_path: Path, device: torch.device) -> None:
    detector = build().to(device)
    detector.embed.train()  # as fine-tuning leaves it when it is interrupted
    store = open_store(tmp_path)
    list(store.fill(detector, Pictures()))
    for name in ("pool5", "fc7"):
        np.testing.assert_allclose(store.column(name), whole.column(name), atol=1e-3, rtol=1e-2)


def test_rows_by_number(whole: FeatureStore) -> None:
    rows = torch.tensor([7, 0, 3, 3, len(whole) - 1])
    every = torch.cat([whole.image(i).fc7 for i in range(len(COUNTS))])
    assert torch.equal(whole.rows("fc7", rows), every[rows])
    assert whole.rows("pool5", rows).dtype == torch.float32
    assert whole.rows("pool5", rows[:0]).shape == (0, POOL5)


def test_columns_are_mapped_not_read_and_their_bytes_are_told(whole: FeatureStore) -> None:
    assert isinstance(whole.column("pool5"), np.memmap)
    assert whole.column("pool5").dtype == np.float16
    assert whole.column("pool5").shape == (len(whole), POOL5)
    assert whole.bytes == 2 * len(whole) * (POOL5 + FC7) + 2 * 128  # and the two headers
    assert whole.bytes == sum((whole.folder / f"{name}.npy").stat().st_size for name in ("pool5", "fc7"))


@pytest.mark.parametrize("images", [1, 2, 20, 27, 29])
def test_stopped_store_goes_on_without_loss(tmp_path: Path, whole: FeatureStore, images: int) -> None:
    first = Pictures()
    steps = open_store(tmp_path).fill(build(), first)
    assert [next(steps) for _ in range(images)][-1] == images
    steps.close()  # as Ctrl-C between two images would
    store, rest = open_store(tmp_path), Pictures()
    assert store.images_done == images
    with pytest.raises(ValueError, match=f"{images} of 30 images; fill it first"):
        store.column("fc7")
    assert list(store.fill(build(), rest)) == list(range(images + 1, 31))
    assert first.asked + rest.asked == list(range(30))
    check_same(store, whole)
    assert list(store.fill(build(), rest)) == []


@pytest.mark.parametrize("at", [0, 1, 13, 29])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_on_the_way_loses_no_image(
    tmp_path: Path, whole: FeatureStore, at: int, error: type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        list(open_store(tmp_path).fill(build(), Pictures(at, fail)))
    store, rest = open_store(tmp_path), Pictures()
    assert store.images_done == at
    list(store.fill(build(), rest))
    assert rest.asked == list(range(at, 30))
    check_same(store, whole)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on Windows")
def test_a_killed_process_costs_at_most_the_images_since_the_last_flush(tmp_path: Path, whole: FeatureStore) -> None:
    code = f"from tests.training.test_features import block; block({str(tmp_path)!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "waiting\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    store, rest = open_store(tmp_path), Pictures()
    assert store.images_done == FLUSH_EVERY == 20
    list(store.fill(build(), rest))
    assert rest.asked == list(range(20, 30))
    check_same(store, whole)


def test_arrays_that_nobody_vouches_for_are_made_again(tmp_path: Path, whole: FeatureStore) -> None:
    """A process that was killed before its first flush leaves arrays, but no word on how far they are filled."""
    steps = open_store(tmp_path).fill(build(), Pictures())
    next(steps), next(steps)
    steps.close()
    (tmp_path / "about.json").unlink()
    store, rest = open_store(tmp_path), Pictures()
    assert list(store.fill(build(), rest)) == list(range(1, 31))
    assert rest.asked == list(range(30))
    check_same(store, whole)


def test_a_disk_that_cannot_hold_the_store_is_told_at_once(
    tmp_path: Path, whole: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    first = Pictures()
    with pytest.raises(NoRoom, match=r"pool5\.npy cannot be written: No space left on device\. Free some space"):
        next(open_store(tmp_path).fill(build(), first))
    assert list(tmp_path.iterdir()) == []
    assert first.asked == [0]
    monkeypatch.undo()
    store = open_store(tmp_path)
    list(store.fill(build(), Pictures()))
    check_same(store, whole)


def test_features_of_other_weights_or_regions_are_not_mixed(whole: FeatureStore) -> None:
    assert open_store(whole.folder).images_done == 30
    with pytest.raises(ValueError, match="other regions or weights; delete it"):
        open_store(whole.folder, key="other weights")
    moved = regions()
    moved[5] = Proposals(moved[5].boxes + 0.5, None, SIZE)
    with pytest.raises(ValueError, match="other regions or weights"):
        FeatureStore(whole.folder, moved, "weights")
    with pytest.raises(ValueError, match="other regions or weights"):
        FeatureStore(whole.folder, regions()[:-1], "weights")


def test_same_boxes_dealt_to_other_images_are_other_regions(whole: FeatureStore) -> None:
    counts = [1, 2, 1, 0, *([2] * 26)]
    boxes = torch.cat([part.boxes for part in regions()])
    dealt = [Proposals(part, None, SIZE) for part in boxes.split(counts)]
    with pytest.raises(ValueError, match="other regions or weights"):
        FeatureStore(whole.folder, dealt, "weights")


def test_an_unfinished_store_of_other_weights_is_refused_too(tmp_path: Path) -> None:
    next(open_store(tmp_path).fill(build(), Pictures()))
    with pytest.raises(ValueError, match="other regions or weights"):
        open_store(tmp_path, key="other weights")


def test_digest_notices_every_weight(device: torch.device) -> None:
    first = digest(Embed())
    assert digest(Embed().to(device)) == first
    for name in Embed().state_dict():
        changed = Embed()
        with torch.no_grad():
            changed.state_dict()[name].view(-1)[-1] += 1e-3
        assert digest(changed) != first
