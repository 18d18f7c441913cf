"""lecture_lib.training.results: files that are whole, dated and do not name the machine."""

import platform
import re
from pathlib import Path

import pytest

from lecture_lib.training import results


def test_a_missing_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "results" / "x.json"
    results.write_json(path, {})
    assert results.read_json(path) == {}
    results.write_json(path, {"a": [1, 2]})
    assert results.read_json(path) == {"a": [1, 2]}
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    results.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        results.write_json(path, {"a": object()})
    assert results.read_json(path) == {"a": 1}


def test_half_a_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"points": [')
    with pytest.raises(ValueError, match="Delete it and run its command again"):
        results.read_json(path)


def test_machine_has_no_name() -> None:
    machine = results.describe_machine()
    assert set(machine) == {"processor", "cores", "accelerator", "torch"}
    assert machine["processor"]
    assert not platform.node() or platform.node() not in str(machine)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", results.today())
