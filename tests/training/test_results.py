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
    assert set(machine) == {"processor", "cores", "threads", "accelerator", "torch"}
    assert machine["processor"]
    assert not platform.node() or platform.node() not in str(machine)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", results.today())


def test_threads_are_told_where_they_are_fewer_than_the_cores() -> None:
    machine = {"processor": "P", "cores": 2, "accelerator": None, "torch": "2.15.0+cpu"}
    said = {n: results.when_and_where({"date": "2026-01-01", "machine": machine | {"threads": n}}) for n in (1, 2)}
    assert said == {n: f"2026-01-01 (P, {t}, no GPU, PyTorch 2.15.0)" for n, t in ((1, "1 of 2 cores"), (2, "2 cores"))}
    assert results.when_and_where({"date": "2026-01-01", "machine": machine}) == said[2]
