"""The table of budgets says what was measured, and of what was not measured nothing."""

from lecture_lib.training.results import describe_machine
from tests.benchmarks.budgets import size, table


def test_nothing_measured_is_no_row():
    assert table({"parts": {}}, {}).count("\n| ") == 0


def test_size_counts_files_once_and_no_links(tmp_path):
    assert size(tmp_path) == 0
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(bytes(2_000_000))
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "file")
    assert size(tmp_path) == 2.0


def test_rows_say_what_was_measured():
    part = {"date": "2026-11-27", "machine": describe_machine(), "records": {"seconds": 90, "megabytes": 2500}}
    kept = {"notebooks": {"command": "record", "notebooks": {"a": {"seconds": 7, "peak_gib": 1.5}}}}
    text = table({"parts": {"install": part}}, kept)
    assert "| install | 10 min, 6 GB | 1.5 min, 2.5 GB |" in text
    assert "| the slowest notebook | 180 s | 7 s | `record` |" in text
    assert "2026-11-27" in text
