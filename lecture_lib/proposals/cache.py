"""Proposals that were computed before, on disk, and a key that notices when they are out of date."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Int16
from torch import Tensor

from lecture_lib.files import replacing, sha256
from lecture_lib.proposals.selective_search import ALGORITHM, SelectiveSearch
from lecture_lib.structures import Proposals


@dataclass(frozen=True)
class CachedBoxes:
    """The proposals of one image: boxes in whole pixels, best first, and the checksum of the image file."""

    boxes: Int16[Tensor, "r 4"]
    image_size: tuple[int, int]
    checksum: str


class ProposalCache:
    """Selective Search proposals of a set of images in one `.npz` file, valid for one `settings` only.

    `rebuild` is the command that makes the file; errors name it. A missing file is an empty cache.
    Raises `ValueError` if the file was made with other settings or another version of the algorithm.
    """

    def __init__(self, path: Path, settings: SelectiveSearch, rebuild: str) -> None:
        self.path, self.settings, self.rebuild = Path(path), settings, rebuild
        self.images = _read(self.path, self._key(), rebuild) if self.path.exists() else {}

    def __len__(self) -> int:
        return len(self.images)

    def is_current(self, image_id: str, image_file: Path) -> bool:
        """Whether the cache has proposals for this image, and they were made from this very file."""
        return image_id in self.images and self.images[image_id].checksum == _checksum(image_file)

    def load(self, image_id: str, image_file: Path) -> Proposals:
        """The proposals of an image, best first, without scores.

        Raises `ValueError` if there are none or if the image file has changed since.
        """
        if image_id not in self.images:
            raise ValueError(f"{self.path} has no proposals for image {image_id!r}; run `{self.rebuild}`")
        if not self.is_current(image_id, image_file):
            raise ValueError(f"{image_file} has changed since its proposals were cached; run `{self.rebuild}`")
        cached = self.images[image_id]
        return Proposals(cached.boxes.float(), None, cached.image_size)

    def store(self, image_id: str, image_file: Path, proposals: Proposals) -> None:
        """Keep the proposals of an image in memory; `save` writes them."""
        boxes = proposals.boxes.round().to(torch.int16)
        self.images[image_id] = CachedBoxes(boxes, proposals.image_size, _checksum(image_file))

    def keep_only(self, image_ids: Sequence[str]) -> None:
        """Forget the images that are not in the set any more."""
        wanted = set(image_ids)
        self.images = {image_id: cached for image_id, cached in self.images.items() if image_id in wanted}

    def save(self) -> None:
        """Write all the proposals to the file at once: it is the old one or the new one, never half of one."""
        ids = sorted(self.images)
        entries = [self.images[image_id] for image_id in ids]
        arrays = {
            "key": np.array(self._key()),
            "ids": np.array(ids, dtype=np.str_),
            "checksums": np.array([entry.checksum for entry in entries], dtype=np.str_),
            "image_sizes": np.array([entry.image_size for entry in entries], dtype=np.int32).reshape(-1, 2),
            "counts": np.array([len(entry.boxes) for entry in entries], dtype=np.int32),
            "boxes": torch.cat([entry.boxes for entry in entries] or [torch.zeros(0, 4, dtype=torch.int16)]).numpy(),
        }
        with replacing(self.path) as beside, beside.open("wb") as file:  # given a name, numpy would append ".npz"
            np.savez_compressed(file, **arrays)

    def _key(self) -> str:
        return json.dumps({"algorithm": ALGORITHM, **asdict(self.settings)}, sort_keys=True)


def _read(path: Path, key: str, rebuild: str) -> dict[str, CachedBoxes]:
    try:
        with np.load(path) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
        found = str(arrays["key"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no proposal cache ({error}); delete it and run `{rebuild}`") from error
    if found != key:
        raise ValueError(f"{path} was made with other settings: {found}, not {key}; delete it and run `{rebuild}`")
    boxes = torch.from_numpy(arrays["boxes"]).split(arrays["counts"].tolist())
    sizes = (tuple(size) for size in arrays["image_sizes"].tolist())
    rows = zip(arrays["ids"].tolist(), boxes, sizes, arrays["checksums"].tolist(), strict=True)
    return {image_id: CachedBoxes(*entry) for image_id, *entry in rows}


def _checksum(file: Path) -> str:
    return sha256(file)[:16]
