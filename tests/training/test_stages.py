"""Seconds of the stages of a training, interrupted attempts together."""

import pytest

from lecture_lib.training.stages import StageClock


def test_a_new_folder_has_no_seconds(tmp_path):
    assert StageClock(tmp_path).seconds == {}


def test_interrupted_attempts_are_added_up(tmp_path, monkeypatch):
    now = iter([10.0, 12.5, 100.0, 101.0])
    monkeypatch.setattr("lecture_lib.training.stages.perf_counter", lambda: next(now))

    def interrupted():
        yield 1
        raise KeyboardInterrupt

    clock = StageClock(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        clock.run("tuning", interrupted(), 3)
    clock.run("tuning", iter([2, 3]), 3)
    assert StageClock(tmp_path).seconds == {"tuning": 3.5}


def test_stages_are_kept_beside_each_other(tmp_path):
    clock = StageClock(tmp_path)
    clock.keep("one", 1.26)
    clock.keep("two", 2.0)
    assert clock.seconds == {"one": 1.3, "two": 2.0}
