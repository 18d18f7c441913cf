"""Results of two dates side by side: every number is compared, and what changed is told."""

import json
import subprocess
import sys

from tests.benchmarks.compare import FOLDER, ROOT, compare, dates, numbers


def test_empty():
    assert list(numbers({})) == []
    assert compare({}, {}, 0.0) == [" against : 0 of 0 numbers as before"]


def test_numbers_of_a_result_without_what_describes_it():
    result = {"date": "2026-11-22", "machine": {"cores": 2}, "deals": [{"deal": 0, "map": 0.5, "done": True}], "n": 3}
    assert dict(numbers(result)) == {"deals.0.map": 0.5, "n": 3.0}


def test_dates_of_all_parts():
    assert dates({"date": "a", "parts": {"x": {"date": "b"}, "y": [{"date": "c"}]}}) == {"a", "b", "c"}


def test_what_changed_came_and_went():
    before, now = {"date": "a", "map": 0.80, "gone": 1, "same": 2}, {"date": "b", "map": 0.72, "same": 2, "came": 3}
    lines = compare(before, now, 0.05)
    assert lines[0] == "b against a: 1 of 2 numbers as before"
    assert [line.strip() for line in lines[1:]] == ["map: 0.8 -> 0.72", "gone: 1 -> gone", "came: new, 3"]
    assert compare({"map": 0.80}, {"map": 0.72}, 0.2) == [" against : 1 of 1 numbers as before"]


def test_every_result_of_the_course_has_numbers_and_a_date():
    for path in (ROOT / FOLDER).glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert len(dict(numbers(result))) > 0, path.name
        assert dates(result), path.name


def test_the_command_finds_the_commit_and_refuses_an_unknown_one():
    run = [sys.executable, "-m", "tests.benchmarks.compare"]
    found = subprocess.run([*run, "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "ladder.json: " in found.stdout
    refused = subprocess.run([*run, "no-such-commit"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "knows no commit" in refused.stderr
