"""The sets of the course by name: the two that are bundled, and PASCAL VOC 2007 and 2012."""

import os
from dataclasses import dataclass
from pathlib import Path

from lecture_lib.download import fetch, print_progress, unpack
from lecture_lib.files import cache_root, data_root
from lecture_lib.voc.annotation import VOC_CLASSES
from lecture_lib.voc.dataset import VOCDataset


def stamps(split: str, seed: int = 0, masks: bool = False) -> VOCDataset:
    """The bundled scenes of cut-out photographs; split is "train", "val" or "test", none shares a cut-out with another.

    seed: which way the cut-outs are dealt to the splits. 0 is bundled, others are built by a command.
    Raises FileNotFoundError when that seed was not built yet, with the command.
    """
    folder = "stamps" if seed == 0 else f"stamps-seed{seed}"
    root = data_root() / folder
    if not root.is_dir():
        command = f"python data/build/stamps.py --seed {seed} --out data/{folder}"
        raise FileNotFoundError(f"there is no {root}. Build it, in the repository's folder: {command}")
    return VOCDataset(root, split, masks=masks)


def photos() -> VOCDataset:
    """The bundled photographs with boxes drawn by hand."""
    return VOCDataset(data_root() / "photos", "test")


@dataclass(frozen=True)
class Archive:
    """A tar of PASCAL VOC; the MD5 sums are those that torchvision checks too."""

    name: str
    md5: str
    mirrors: tuple[str, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where the archive may lie, the most trusted first."""
        return tuple(f"{mirror}/{self.name}" for mirror in self.mirrors)


# In the order of trust; the official server has been down for months at a time. A checksum guards against all of them.
_OXFORD = "https://thor.robots.ox.ac.uk/pascal/VOC"
_PJREDDIE = "https://pjreddie.com/media/files"
_HUGGING_FACE = "https://huggingface.co/datasets/davin11/VOC2007/resolve/main"
_VOC2007 = (f"{_OXFORD}/voc2007", "http://host.robots.ox.ac.uk/pascal/VOC/voc2007", _HUGGING_FACE, _PJREDDIE)
_VOC2012 = (
    f"{_OXFORD}/voc2012",
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
    "https://d2l-data.s3-accelerate.amazonaws.com",
    _PJREDDIE,
)
_TRAINVAL_2007 = Archive("VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64", _VOC2007)
_TEST_2007 = Archive("VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f", _VOC2007)
_TRAINVAL_2012 = Archive("VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", _VOC2012)

ARCHIVES = {
    "VOC2007": {"train": _TRAINVAL_2007, "val": _TRAINVAL_2007, "trainval": _TRAINVAL_2007, "test": _TEST_2007},
    "VOC2012": {"train": _TRAINVAL_2012, "val": _TRAINVAL_2012, "trainval": _TRAINVAL_2012},
}


def voc2007(
    split: str, root: str | os.PathLike | None = None, download: bool = False, masks: bool = False
) -> VOCDataset:
    """PASCAL VOC 2007: "train", "val", "trainval" (5,011 images) or "test" (4,952), twenty classes.

    root: the folder VOC2007 or the one that holds it or its VOCdevkit; by default the course's cache, which is
        ~/.cache/lecture_lib or LECTURE_LIB_CACHE.
    download: get what is missing (about 450 MB a part, kept beside the unpacked files). A tar that was put there
        by hand is unpacked without a network.
    Raises FileNotFoundError when the set is not there, DownloadError (an OSError) when no mirror answers; both say
    what to do without a network. ValueError for a split that the set does not have.
    """
    return _voc("VOC2007", split, root, download, masks)


def voc2012(
    split: str, root: str | os.PathLike | None = None, download: bool = False, masks: bool = False
) -> VOCDataset:
    """PASCAL VOC 2012: "train" (5,717 images), "val" (5,823) or "trainval"; its test annotations are not published.

    The arguments and errors are those of `voc2007`; the download is 2 GB.
    """
    return _voc("VOC2012", split, root, download, masks)


def _voc(year: str, split: str, root: str | os.PathLike | None, download: bool, masks: bool) -> VOCDataset:
    if split not in ARCHIVES[year]:
        raise ValueError(f"{year} has no split {split!r} with annotations: take one of {list(ARCHIVES[year])}")
    base = Path(root).expanduser() if root is not None else cache_root()
    folders = (base, base / year, base / "VOCdevkit" / year)
    found = next((folder for folder in folders if _has_split(folder, split)), None)
    if found is None:
        found = folders[-1]
        archive = ARCHIVES[year][split]
        if not download:
            raise FileNotFoundError(_how_to_get(year, split, base, archive))
        print(f"{archive.name}:")
        tar = fetch(archive.urls, base / archive.name, md5=archive.md5, progress=print_progress)
        unpack(tar, base, last="ImageSets")  # the split's own file appears when all of its images are there
    return VOCDataset(found, split, classes=VOC_CLASSES, masks=masks)


def _has_split(folder: Path, split: str) -> bool:
    return (folder / "ImageSets" / "Main" / f"{split}.txt").is_file()


def _how_to_get(year: str, split: str, base: Path, archive: Archive) -> str:
    call = f"{year.lower()}({split!r}, download=True)"
    return (
        f"{year} with the split {split!r} is not in {base}. With a network, call {call}. "
        f"Without one, get {archive.name} on another machine from {archive.urls[0]}, put it as {base / archive.name} "
        "and make the same call. If the set is on this machine already, give its folder: root=..."
    )
