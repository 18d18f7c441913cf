"""Build the bundled set of composed scenes: python data/build/stamps.py [--seed N] [--out FOLDER].

Seed 0 is committed as `data/stamps`; every other seed puts other cut-outs and backgrounds in
train, val and test. Each image has its own random stream, so one image can be built alone.
"""

import argparse
import csv
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from cutouts import load_cutout
from PIL import Image
from plan import SPLITS, Scene, plan_scenes, split_backgrounds, split_cutouts
from scenes import compose
from sources import PACKAGES, Background, Cutout, Packages, read_backgrounds, read_cutouts
from voc_files import make_folders, write_image, write_names

DATA = Path(__file__).resolve().parents[1]
AUTHORS = {  # from each package's copyright file and AUTHORS
    "tuxpaint-stamps-default": ("Bill Kendrick and the Tux Paint contributors", "GPL-2"),
    "tuxpaint-data": ("Bill Kendrick", "GPL-2+"),
}
FILE_AUTHORS = {
    "Aqua": "Charles Barbin",
    "Blinds": "Lennart Poettering, Andrea Cimitan",
    "Dune": "Marco Cogoni, Hylke Bons",
    "GreenMeadow": "Timothy Schellhase, Lapo Calamandrei",
    "RainDrops": "blackcombwhistler07",
    "Storm": "Sergey Nazarov",
    "Wood": "Jean-François Fortin Tam",
    "skyline-sf-dusk-back": "Rich Bourgerie, NOAA (public domain)",
    "reef-back": "Thomas K. Gibson, NOAA (public domain)",
}


class Builder:
    """All sources opened once, and one image at a time made from them."""

    def __init__(self, packages: Packages, seed: int):
        self._packages, self._seed = packages, seed
        self.cutouts, self.backgrounds = read_cutouts(), read_backgrounds()
        self.plan = plan_scenes(self.cutouts, self.backgrounds, seed)
        self._open: dict[Cutout | Background, Image.Image] = {}

    def write(self, scene: Scene, root: Path) -> None:
        """Compose one scene and write its three files below `root`."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, 3, *scene.stream]))
        cutouts = [self._image(cutout) for cutout in scene.cutouts]
        write_image(root, scene.image_id, *compose(scene, self._image(scene.background), cutouts, rng))

    def _image(self, source: Cutout | Background) -> Image.Image:
        if source not in self._open:
            path = self._packages.file(source)
            cut = isinstance(source, Cutout)
            self._open[source] = load_cutout(path, source.cut_top) if cut else Image.open(path).convert("RGB")
        return self._open[source]


def build(builder: Builder, seed: int, root: Path) -> None:
    """Write the whole set below the empty folder `root`, with a line of progress."""
    make_folders(root)
    total, done = sum(SPLITS.values()), 0
    for split, scenes in builder.plan.items():
        write_names(root / "ImageSets/Main" / f"{split}.txt", [scene.image_id for scene in scenes])
        for scene in scenes:
            builder.write(scene, root)
            done += 1
            print(f"\rseed {seed}: {done} of {total} images", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    write_names(root / "ImageSets/classes.txt", sorted({c.label for c in builder.cutouts}))
    write_origin(root / "ORIGIN.csv", builder, seed)
    shutil.copyfile(Path(__file__).with_name("GPL-2.txt"), root / "LICENSE")
    write_checksums(root)


def write_origin(path: Path, builder: Builder, seed: int) -> None:
    """One line for every source picture: where it is from, its split, author and licence."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["name", "class", "group", "split", "package", "version", "path", "sha256", "author", "licence"])
        splits = split_cutouts(builder.cutouts, seed), split_backgrounds(builder.backgrounds, seed)
        for by_split in splits:
            for split, sources in by_split.items():
                for source in sources:
                    author, licence = AUTHORS.get(source.package, ("", "GPL-2+"))
                    author = FILE_AUTHORS.get(source.name, author)
                    label = getattr(source, "label", "background")
                    group = getattr(source, "group", source.name)
                    where = source.package, PACKAGES[source.package], source.path, source.sha256
                    rows.writerow([source.name, label, group, split, *where, author, licence])


def write_checksums(root: Path) -> None:
    """SHA256SUMS of every file below `root`, in the format that `sha256sum -c` reads."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(root).as_posix()}" for p in files]
    write_names(root / "SHA256SUMS", lines)


def replace_folder(new: Path, target: Path) -> None:
    """Put the finished folder in the place of the old one, which is removed last."""
    old = new.with_name(new.name + ".old")
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    """Read the command line, build beside the target, then rename."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="how the cut-outs are dealt to the splits (0)")
    parser.add_argument("--out", type=Path, help="the folder to write (default: data/stamps, seed 0 only)")
    parser.add_argument("--packages", type=Path, help="folder with the three .deb files, or extracted from them")
    parser.add_argument("--cache", type=Path, default=DATA / "build/.cache", help="where downloads are kept")
    options = parser.parse_args()
    if options.seed < 0:
        parser.error(f"--seed is 0 or more, not {options.seed}")
    if options.out is None and options.seed != 0:
        parser.error("data/stamps holds seed 0; name another folder with --out")
    target = (options.out or DATA / "stamps").resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    builder = Builder(Packages(options.packages, options.cache), options.seed)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as folder:
        # The name of the folder stands in every XML: it is "stamps" wherever the set is built.
        new = Path(folder) / "stamps"
        build(builder, options.seed, new)
        replace_folder(new, target)


if __name__ == "__main__":
    main()
