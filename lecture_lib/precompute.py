"""Selective Search on whole sets ahead of time: `python -m lecture_lib.precompute stamps photos` fills data/proposals/.

It can be interrupted (Ctrl-C) and goes on where it was; images whose proposals are up to date are skipped.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from lecture_lib.files import alone, cache_root, data_root
from lecture_lib.proposals import ProposalCache, SelectiveSearch, selective_search
from lecture_lib.structures import Proposals
from lecture_lib.voc import VOCDataset, photos, stamps

BUNDLED = ("stamps", "photos")
SAVE_EVERY = 100  # images; an interruption costs at most these


def proposal_cache(dataset: VOCDataset, settings: SelectiveSearch | None = None) -> ProposalCache:
    """The proposals on disk of one split of a bundled set, by default those of `SelectiveSearch.fast()`.

    Raises `ValueError` if they were made with other settings.
    """
    split = dataset.split.partition("[")[0]
    name = dataset.root.name if _is_bundled(dataset) else f"{dataset.root.resolve()} --splits {split}"
    command = f"python -m lecture_lib.precompute {name}"
    return ProposalCache(_file(dataset), settings or SelectiveSearch.fast(), command)


def cached_proposals(dataset: VOCDataset, settings: SelectiveSearch | None = None) -> list[Proposals]:
    """The proposals of every image of a split, in the order of the split, without scores.

    Raises `ValueError` if there are none or they are out of date, with the command that makes them.
    """
    cache = proposal_cache(dataset, settings)
    return [cache.load(name, dataset.path(i)) for i, name in enumerate(dataset.ids)]


def precompute(dataset: VOCDataset, settings: SelectiveSearch | None = None) -> Iterator[str]:
    """Bring the proposals of a split up to date; yields the name of every image when it is done.

    Raises Busy where another process is doing so.
    """
    with alone(_file(dataset)):
        yield from _precompute(dataset, settings)


def _precompute(dataset: VOCDataset, settings: SelectiveSearch | None) -> Iterator[str]:
    try:
        cache = proposal_cache(dataset, settings)
    except ValueError as outdated:
        print(f"made again: {outdated}")
        _file(dataset).unlink()
        cache = proposal_cache(dataset, settings)
    if "[" not in dataset.split:  # the parts of a split share its file
        cache.keep_only(dataset.ids)
    try:
        for i, name in enumerate(dataset.ids):
            if not cache.is_current(name, dataset.path(i)):
                cache.store(name, dataset.path(i), selective_search(dataset.image(i), cache.settings))
                if (i + 1) % SAVE_EVERY == 0:
                    cache.save()
            yield name
    finally:  # the end, an error, or Ctrl-C
        cache.save()


def _is_bundled(dataset: VOCDataset) -> bool:
    return dataset.root.parent == data_root() and dataset.root.name in BUNDLED


def _file(dataset: VOCDataset) -> Path:
    """Proposals of the bundled sets are bundled too; those of other folders go to the cache, by the folder's path."""
    split = dataset.split.partition("[")[0]
    if _is_bundled(dataset):
        return data_root() / "proposals" / f"{dataset.root.name}-{split}.npz"
    which = hashlib.sha256(str(dataset.root.resolve()).encode()).hexdigest()[:8]
    return cache_root() / "proposals" / f"{dataset.root.name}-{which}-{split}.npz"


def _datasets(name: str, splits: Sequence[str]) -> list[VOCDataset]:
    """The splits of a bundled set, or of a folder in VOC's layout."""
    if name == "photos":
        return [photos()]
    return [stamps(split) if name == "stamps" else VOCDataset(name, split) for split in splits]


def main() -> None:
    """Read the command line and show progress."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="stamps, photos, or folders in VOC's layout")
    parser.add_argument("--splits", nargs="+", default=["train", "val", "test"], help="train val test")
    options = parser.parse_args()
    for name in options.sets:
        for dataset in _datasets(name, options.splits):
            for _ in tqdm(precompute(dataset), total=len(dataset), desc=f"{name} {dataset.split}"):
                pass


if __name__ == "__main__":
    main()
