"""The command that grades a folder: every kind of file, interrupted, resumed, and always with the same result."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import batch, judge
from grading.sandbox import Sandbox, Weak
from grading.solved import solved
from lecture_lib.exercises import grade
from tests.exercises.hostile import ALL, IOU

ROOT = Path(judge.__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def isolation():
    try:
        Sandbox().close()
    except Weak as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(tmp_path):
    """Submissions of all kinds, in sub-folders and zips."""
    made = tmp_path / "submissions"
    right = json.dumps(solved("03_rcnn"))
    wrong = {"iou": "def overlap_of(a, b):\n    return a[:, :1] * 0\n"}
    files = {
        "Ann Lee_123_assignsubmission_file_/my notebook.ipynb": right,
        "leebob_LATE_77_88_03_rcnn.ipynb": json.dumps(solved("03_rcnn", wrong)),
        "blank/x.ipynb": (ROOT / "notebooks/exercises/03_rcnn.ipynb").read_text(),
        "broken.ipynb": right[:100],
        "empty.ipynb": "",
        "other.ipynb": json.dumps({"cells": []}),
        "text.py": "print(1)",
        ".ipynb_checkpoints/x.ipynb": right,
        "=cmd.ipynb": right,
    }
    for name, text in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    with zipfile.ZipFile(made / "carla.zip", "w") as archive:
        archive.writestr("../../evil/03.ipynb", right)
        archive.writestr("__MACOSX/._03.ipynb", "x")
    (made / "no.zip").write_text("no zip")
    (made / "link.ipynb").symlink_to(made / "broken.ipynb")
    return made


def run(folder: Path, out: Path, secret: Path, *more: str) -> int:
    return grade.main([str(folder), "--out", str(out), "--secret-file", str(secret), *more])


def rows(path: Path) -> list[dict]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_an_empty_folder_is_graded(tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert run(tmp_path / "none", tmp_path / "out", tmp_path / "secret") == 0
    assert rows(tmp_path / "out" / "grades.csv") == []
    assert run(tmp_path / "missing", tmp_path / "out", tmp_path / "secret") == 2
    assert "is no folder" in capsys.readouterr().err


def test_every_file_gets_its_grade_and_the_right_status(folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(folder, out, tmp_path / "secret") == 0
    found = {row["submission"]: (row["status"], row["points"]) for row in rows(out / "grades.csv")}
    assert found == {
        "Ann Lee_123_assignsubmission_file_/my notebook.ipynb": ("graded", str(ALL)),
        "'=cmd.ipynb": ("graded", str(ALL)),
        "blank/x.ipynb": ("graded", "0"),
        "broken.ipynb": ("unreadable", ""),
        "carla.zip!../../evil/03.ipynb": ("graded", str(ALL)),
        "empty.ipynb": ("unreadable", ""),
        "leebob_LATE_77_88_03_rcnn.ipynb": ("graded", str(ALL - IOU)),
        "no.zip": ("unreadable", ""),
        "other.ipynb": ("unreadable", ""),
        "text.py": ("unreadable", ""),
    }
    assert "Isolation full" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"submissions", "out", "secret"}

    canvas = {row["Student"]: (row["ID"], row["03_rcnn"]) for row in rows(out / "canvas.csv")}
    assert canvas["    Points Possible"] == ("", str(ALL))
    assert canvas["leebob"] == ("77", str(ALL - IOU))
    assert canvas.get("broken", ("", "")) == ("", "")
    moodle = {row["Full name"]: row for row in rows(out / "moodle-03_rcnn.csv")}
    assert (moodle["Ann Lee"]["Identifier"], moodle["Ann Lee"]["Grade"]) == ("Participant 123", str(ALL))
    items = {row["exercise"]: row for row in rows(out / "items.csv")}
    assert (items["iou"]["right"], items["iou"]["submissions"]) == ("3", "5")


def test_feedback_tells_the_kind_of_failure_and_no_hidden_case(folder, tmp_path):
    run(folder, tmp_path / "out", tmp_path / "secret")
    (page,) = [path.read_text() for path in (tmp_path / "out" / "feedback").glob("leebob*")]
    assert f"{ALL - IOU} of {ALL} points" in page
    assert "a result of another shape: boxes that overlap, " in page
    assert "tensor" not in page
    assert "isolation full" in page


def test_the_same_secret_gives_the_same_bytes_again_and_nothing_is_graded_twice(folder, tmp_path, monkeypatch):
    run(folder, tmp_path / "a", tmp_path / "secret", "--jobs", "1")
    run(folder, tmp_path / "b", tmp_path / "secret", "--jobs", "3")
    for name in ("grades.csv", "grades.json", "items.csv", "canvas.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a" / "results").iterdir() if "rcnn" in path.name}
    run(folder, tmp_path / "a", tmp_path / "secret")
    assert before
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_mistake_of_the_grader_costs_one_submission_its_grade_and_no_points(folder, tmp_path, monkeypatch):
    def fails(raw, *rest):
        if b"a[:, :1] * 0" in raw:
            raise RuntimeError("out of luck")
        return judge.grade(raw, *rest)

    monkeypatch.setattr(batch, "grade", fails)
    assert run(folder, tmp_path / "out", tmp_path / "secret") == 1
    found = {row["submission"]: (row["status"], row["points"]) for row in rows(tmp_path / "out" / "grades.csv")}
    assert found["leebob_LATE_77_88_03_rcnn.ipynb"] == ("error", "")
    assert found["'=cmd.ipynb"] == ("graded", str(ALL))
    monkeypatch.undo()
    assert run(folder, tmp_path / "out", tmp_path / "secret") == 0


def test_killed_it_leaves_no_process_and_goes_on_where_it_stopped(folder, tmp_path):
    for number in range(4):
        (folder / f"more{number}.ipynb").write_text(json.dumps(solved("03_rcnn", last=f"x = {number}")))
    run(folder, tmp_path / "whole", tmp_path / "secret")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "lecture_lib.exercises.grade", str(folder), "--out", str(out), "--jobs", "2"]
    command += ["--secret-file", str(tmp_path / "secret")]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 120
    while len(list(out.glob("results/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    started = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(list(out.glob("results/*.json")))
    assert started
    assert 3 <= done < 14
    while any(alive(child) for child in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(child) for child in started)
    run(folder, out, tmp_path / "secret")
    assert not list(out.rglob("*.part"))
    for name in ("grades.csv", "grades.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [child for each in found.split() for child in [int(each), *children(int(each))]]


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_without_the_instructor_s_package_it_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert grade.main([]) == 2
    assert "folder `grading` beside `lecture_lib`" in capsys.readouterr().err


def test_a_weak_machine_is_refused(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("grading.sandbox.parent.WALLS", ("moat",))
    assert run(folder, tmp_path / "out", tmp_path / "secret") == 2
    assert "--allow-weak-isolation" in capsys.readouterr().err
    assert not (tmp_path / "out" / "grades.csv").exists()
    for path in folder.glob("*/*.ipynb"):
        path.unlink()
    assert run(folder, tmp_path / "out", tmp_path / "secret", "--allow-weak-isolation", "--jobs", "1") == 0
    assert "Isolation weak: no moat" in capsys.readouterr().out
