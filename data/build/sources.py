"""Where the pictures of `data/stamps` come from: three Debian packages, unpacked and checked."""

import csv
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

# Package -> the one version whose files the two CSV lists beside this script describe.
PACKAGES = {
    "tuxpaint-stamps-default": "2022.06.04-1",
    "tuxpaint-data": "1:0.9.28-sdl2-1",
    "mate-backgrounds": "1.26.0-1",
}


@dataclass(frozen=True)
class Cutout:
    """One alpha cut-out photograph; cut-outs of one `group` show the same thing and share a split.

    `cut_top` is the part of the height that is cut off above (two tanks have hair-thin antennas).
    """

    name: str
    label: str
    group: str
    cut_top: float
    package: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Background:
    """One background photograph; `rect` = (left, top, right, bottom) in 0..1 is the part that is used."""

    name: str
    kind: str
    rect: tuple[float, float, float, float]
    package: str
    path: str
    sha256: str


def read_cutouts(path: Path = HERE / "cutouts.csv") -> list[Cutout]:
    """The selected cut-outs, in the order of the list."""
    with path.open(newline="") as rows:
        return [Cutout(**{**row, "cut_top": float(row["cut_top"])}) for row in csv.DictReader(rows)]


def read_backgrounds(path: Path = HERE / "backgrounds.csv") -> list[Background]:
    """The selected background photographs, in the order of the list."""
    with path.open(newline="") as rows:
        return [
            Background(**{**row, "rect": tuple(float(v) for v in row["rect"].split())}) for row in csv.DictReader(rows)
        ]


class Packages:
    """The files of the three packages, each checked against its sha256 when it is asked for.

    `folder` holds .deb files or folders extracted from them (any name that contains the
    package's name). What is missing is downloaded with `apt-get download` into `cache`.
    """

    def __init__(self, folder: Path | None, cache: Path):
        self._cache = cache
        self._roots = {name: self._root(name, folder) for name in PACKAGES}

    def file(self, source: Cutout | Background) -> Path:
        """The path of a source file; raises ValueError if its content is not the expected one."""
        path = self._roots[source.package] / source.path
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        if found != source.sha256:
            raise ValueError(
                f"{source.package}: {source.path} has sha256 {found}, expected {source.sha256}; "
                f"use version {PACKAGES[source.package]} of the package"
            )
        return path

    def _root(self, name: str, folder: Path | None) -> Path:
        """The folder that holds the package's `usr/`, extracted or downloaded if need be."""
        for place in filter(None, (folder, self._cache)):
            found = _extracted(name, place)
            if found:
                return found
            debs = sorted(place.glob(f"{name}_*.deb")) if place.is_dir() else []
            if debs:
                return _extract(debs[-1], self._cache / name)
        self._cache.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", name], cwd=self._cache, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FileNotFoundError(
                f"Debian package {name} {PACKAGES[name]} was not found and could not be downloaded; "
                "put its .deb file in a folder and name it with --packages"
            ) from error
        return _extract(sorted(self._cache.glob(f"{name}_*.deb"))[-1], self._cache / name)


def _extracted(name: str, place: Path) -> Path | None:
    """A subfolder of `place` with the package's name in its own and a `usr/` inside, or None."""
    if not place.is_dir():
        return None
    return next((p for p in sorted(place.iterdir()) if name in p.name and (p / "usr").is_dir()), None)


def _extract(deb: Path, target: Path) -> Path:
    """Unpack a .deb file with dpkg."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg", "-x", str(deb), str(target)], check=True)
    return target
