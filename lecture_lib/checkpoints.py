"""Trained weights on disk: safetensors files, which hold numbers and never code, checked by their SHA-256."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lecture_lib.files import data_root, replacing, sha256


@dataclass(frozen=True)
class Bundled:
    """An entry of data/checkpoints/index.json: a file, its checksum, and the command that trains it again."""

    file: str
    sha256: str
    command: str


def write_checkpoint(path: Path, tensors: dict[str, Tensor], about: dict[str, str], half: tuple[str, ...] = ()) -> None:
    """Write named tensors; floats whose names start with a prefix in `half` are rounded to half precision.

    `about`: what a reader needs to know to use them, for example the recipe and the classes.
    """
    rounded = {
        name: (tensor.half() if tensor.is_floating_point() and name.startswith(half) else tensor).cpu().contiguous()
        for name, tensor in tensors.items()
    }
    with replacing(path) as beside:
        beside.write_bytes(save(rounded, metadata=about))  # an own writer would not tell a full disk apart


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `write_checkpoint` wrote, floats in single precision again.

    Raises FileNotFoundError if there is no such file, ValueError if it is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            about = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole checkpoint ({error}). Get it or train it again.") from error
    return {name: t.float() if t.dtype == torch.half else t for name, t in tensors.items()}, about


def bundled() -> dict[str, Bundled]:
    """The checkpoints that come with the course, by name."""
    index = data_root() / "checkpoints" / "index.json"
    entries = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    return {name: Bundled(**entry) for name, entry in entries.items()}


def bundled_path(name: str) -> Path:
    """The file of a checkpoint that comes with the course, after its checksum was found right.

    Raises `ValueError` for a name that is not there or a file that is not the one of the index, FileNotFoundError for
    a missing file; all say what to do.
    """
    entries = bundled()
    if name not in entries:
        raise ValueError(f"there is no checkpoint {name!r}; the course has {sorted(entries)}")
    entry = entries[name]
    path = data_root() / "checkpoints" / entry.file
    advice = f"Get it again (git checkout {path}) or train it again: {entry.command}"
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}. {advice}")
    if sha256(path) != entry.sha256:
        raise ValueError(f"{path} is damaged or was changed: its SHA-256 is not the one of the index. {advice}")
    return path


def bundle(name: str, source: Path, command: str) -> Path:
    """Copy a checkpoint into the course and enter it in the index; `command` trains it again. Returns its path."""
    path = data_root() / "checkpoints" / f"{name}.safetensors"
    with replacing(path) as beside:
        shutil.copyfile(source, beside)
    entries = bundled() | {name: Bundled(path.name, sha256(path), command)}
    with replacing(path.parent / "index.json") as beside:
        text = json.dumps({key: vars(entry) for key, entry in sorted(entries.items())}, indent=1)
        beside.write_text(text + "\n", encoding="utf-8")
    return path
