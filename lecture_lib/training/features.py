"""Features of all regions of a set on disk: the CNN runs once, SVMs and regressors are trained from memory maps."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from lecture_lib.detectors import Detector
from lecture_lib.files import NoRoom, alone, replacing, reserve, writing
from lecture_lib.structures import Proposals, RegionFeatures
from lecture_lib.voc import VOCDataset

COLUMNS = ("pool5", "fc7")
FLUSH_EVERY = 20  # images; an interruption costs at most these


class FeatureStore:
    """Two memory-mapped arrays in half precision, `pool5` and `fc7`, a row a region, in a folder.

    regions: the proposals of every image, in the order of the set.
    key: what the features depend on beside the regions, such as a digest of the weights.
    Raises `ValueError` if the folder holds the features of other regions or weights.
    """

    def __init__(self, folder: Path, regions: Sequence[Proposals], key: str) -> None:
        self.folder, self.regions = Path(folder), list(regions)
        self.starts = [0, *np.cumsum([len(part) for part in self.regions]).tolist()]
        boxes = b"".join(part.boxes.cpu().numpy().tobytes() for part in self.regions)
        self._key = hashlib.sha256(f"{key} {self.starts}".encode() + boxes).hexdigest()
        if self._about()["key"] != self._key:
            raise ValueError(f"{self.folder} holds features of other regions or weights; delete it to store these.")

    def __len__(self) -> int:
        """Return the number of regions."""
        return self.starts[-1]

    @property
    def images_done(self) -> int:
        """How many images have been stored; the rest is not there yet."""
        return self._about()["done"]

    @property
    def bytes(self) -> int:
        """What the store takes on disk."""
        return sum(file.stat().st_size for file in self.folder.glob("*.npy"))

    def fill(self, detector: Detector, dataset: VOCDataset) -> Iterator[int]:
        """Compute what is missing, image by image; yields the number of images done. Can be interrupted at any time.

        Raises NoRoom, before anything is computed, where the disk cannot hold the whole store, and Busy where another
        process is filling it.
        """
        with alone(self.folder):
            yield from self._fill(detector, dataset)

    def _fill(self, detector: Detector, dataset: VOCDataset) -> Iterator[int]:
        arrays: dict[str, np.memmap] = {}
        device = next(detector.embed.parameters()).device
        detector.embed.eval()
        try:
            done = self.images_done
            for i in range(done, len(self.regions)):
                with torch.no_grad():
                    maps = detector.encode(dataset.image(i).to(device))
                    features = detector.features(maps, self.regions[i].to(device))
                arrays = arrays or self._open({name: getattr(features, name).shape[1] for name in COLUMNS})
                for name, array in arrays.items():
                    array[self.starts[i] : self.starts[i + 1]] = getattr(features, name).half().cpu().numpy()
                done = i + 1
                if done % FLUSH_EVERY == 0:
                    self._flush(arrays, done)
                yield done
        finally:  # the end, an error, or Ctrl-C
            self._flush(arrays, done)

    def column(self, name: str) -> np.ndarray:
        """The whole array `name`, mapped, not read: [regions, d] in half precision.

        Raises `ValueError` while images are missing.
        """
        if self.images_done < len(self.regions):
            raise ValueError(f"{self.folder} has {self.images_done} of {len(self.regions)} images; fill it first.")
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")

    def rows(self, name: str, rows: Tensor) -> Tensor:
        """Some rows of `name`, read into memory in single precision."""
        return torch.from_numpy(self.column(name)[rows.numpy()].astype(np.float32))

    def image(self, i: int) -> RegionFeatures:
        """The features of image i in single precision."""
        part = slice(self.starts[i], self.starts[i + 1])
        return RegionFeatures(
            *(torch.from_numpy(self.column(name)[part].astype(np.float32)) for name in ("pool5", "fc7"))
        )

    def _about(self) -> dict[str, Any]:
        path = self.folder / "about.json"
        return json.loads(path.read_text()) if path.is_file() else {"key": self._key, "done": 0}

    def _open(self, widths: dict[str, int]) -> dict[str, np.memmap]:
        """Map the arrays for writing; they are made the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = {name: self.folder / f"{name}.npy" for name in widths}
        if self.images_done:
            return {name: np.load(path, mmap_mode="r+") for name, path in paths.items()}
        try:
            with writing(self.folder):
                made = {n: open_memmap(paths[n], "w+", np.float16, (len(self), width)) for n, width in widths.items()}
                for path in paths.values():
                    reserve(path)
        except NoRoom:
            for path in paths.values():
                path.unlink(missing_ok=True)
            raise
        return made

    def _flush(self, arrays: dict[str, np.memmap], done: int) -> None:
        """Write the rows out first, and only then how many images they are of."""
        for array in arrays.values():
            array.flush()
        if arrays:
            with replacing(self.folder / "about.json") as beside:
                beside.write_text(json.dumps({"key": self._key, "done": done}) + "\n")


def digest(module: torch.nn.Module) -> str:
    """A checksum of a network's weights, to notice features that were made with others."""
    state = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        state.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return state.hexdigest()[:16]
