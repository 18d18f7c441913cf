"""lecture_lib.checkpoints: numbers come back as they were, and a file that is not the right one is never used."""

import json
import os
from pathlib import Path

import pytest
import torch

from lecture_lib.checkpoints import bundle, bundled, bundled_path, read_checkpoint, write_checkpoint

COMMAND = "python -m lecture_lib.training.rcnn --deals 0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the bundled checkpoints of an empty data folder."""
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    return tmp_path / "checkpoints"


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "embed.weight": torch.randn(4, 3, 2, 2, generator=generator).to(memory_format=torch.channels_last),
        "embed.count": torch.tensor(70_001),  # half precision ends at 65,504
        "embedding": torch.randn(5, generator=generator).double(),
        "predict.weight": torch.randn(6, 3, generator=generator).T,  # neither of the two lies in rows
    }


def test_a_tensor_without_elements(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "empty", {"none": torch.zeros(0, 4)}, {})
    found, about = read_checkpoint(tmp_path / "empty")
    assert found["none"].shape == (0, 4)
    assert about == {}


def test_without_prefixes_all_is_exact(tmp_path: Path, device: torch.device) -> None:
    about = {"recipe": "rcnn", "classes": "ant,bee"}
    write_checkpoint(tmp_path / "exact", {name: t.to(device) for name, t in tensors().items()}, about)
    found, said = read_checkpoint(tmp_path / "exact")
    assert said == about
    assert found.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype


def test_floats_of_the_prefixes_are_rounded_and_nothing_else(tmp_path: Path) -> None:
    before = tensors()
    write_checkpoint(tmp_path / "half", before, {}, half=("encode.", "embed."))
    write_checkpoint(tmp_path / "exact", before, {})
    found, _ = read_checkpoint(tmp_path / "half")
    assert torch.equal(found["embed.weight"], before["embed.weight"].half().float())
    assert not torch.equal(found["embed.weight"], before["embed.weight"])
    assert found["embed.weight"].dtype == torch.float32
    for name in ("embed.count", "embedding", "predict.weight"):
        assert torch.equal(found[name], before[name])
    saved = (tmp_path / "exact").stat().st_size - (tmp_path / "half").stat().st_size
    assert abs(saved - 2 * before["embed.weight"].numel()) <= 16  # the headers are padded


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nowhere\.safetensors"):
        read_checkpoint(tmp_path / "nowhere.safetensors")


def test_a_file_cut_short_anywhere_is_noticed(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "whole", tensors(), {"recipe": "rcnn"})
    whole = (tmp_path / "whole").read_bytes()
    for length in (*range(0, len(whole), 23), len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut is no whole checkpoint"):
            read_checkpoint(tmp_path / "cut")
    (tmp_path / "cut").write_bytes(b"<html>Please sign in to download</html>")
    with pytest.raises(ValueError, match="cut is no whole checkpoint"):
        read_checkpoint(tmp_path / "cut")


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.safetensors"
    write_checkpoint(path, {"a": torch.ones(3)}, {})

    def full(path: Path, content: bytes) -> None:
        path.write_text("the first hal")
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        write_checkpoint(path, {"a": torch.zeros(3)}, {})
    assert torch.equal(read_checkpoint(path)[0]["a"], torch.ones(3))
    assert os.listdir(tmp_path) == ["some.safetensors"]


def test_no_index_no_checkpoints(folder: Path) -> None:
    assert bundled() == {}
    with pytest.raises(ValueError, match=r"no checkpoint 'rcnn'; the course has \[\]"):
        bundled_path("rcnn")


def test_bundled_file_is_found_by_name(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "run" / "trained"
    for name, value in (("rcnn", 1.0), ("alexnet", 2.0)):
        write_checkpoint(source, {"a": torch.full((3,), value)}, {"recipe": name})
        assert bundle(name, source, COMMAND) == folder / f"{name}.safetensors"
    source.unlink()  # a copy lies with the course
    assert bundled_path("rcnn") == folder / "rcnn.safetensors"
    assert read_checkpoint(bundled_path("rcnn"))[0]["a"].tolist() == [1, 1, 1]
    assert list(json.loads((folder / "index.json").read_text())) == ["alexnet", "rcnn"]
    assert bundled()["rcnn"].command == COMMAND
    assert sorted(os.listdir(folder)) == ["alexnet.safetensors", "index.json", "rcnn.safetensors"]
    with pytest.raises(ValueError, match=r"'yolo'; the course has \['alexnet', 'rcnn'\]"):
        bundled_path("yolo")


def test_trained_again_takes_the_old_ones_place(folder: Path, tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        write_checkpoint(tmp_path / "trained", {"a": torch.full((3,), value)}, {})
        bundle("rcnn", tmp_path / "trained", COMMAND)
        assert read_checkpoint(bundled_path("rcnn"))[0]["a"].tolist() == [value] * 3
    assert len(bundled()) == 1


def test_a_changed_or_missing_file_says_how_to_get_it_again(folder: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "trained", {"a": torch.ones(3)}, {})
    path = bundle("rcnn", tmp_path / "trained", COMMAND)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # a single bit, which safetensors cannot notice
    path.write_bytes(content)
    assert len(read_checkpoint(path)[0]) == 1
    with pytest.raises(ValueError, match=rf"SHA-256 is not the one of the index.*git checkout .*{COMMAND}"):
        bundled_path("rcnn")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"there is no .*git checkout .*{COMMAND}"):
        bundled_path("rcnn")


def test_every_checkpoint_of_the_course_is_the_one_of_the_index() -> None:
    assert "rcnn" in bundled()
    for name in bundled():
        assert bundled_path(name).is_file()
