"""lecture_lib.stopwatch: seconds go to the slot that took them, on an accelerator too."""

import time

import pytest
import torch

from lecture_lib import stopwatch
from lecture_lib.stopwatch import Stopwatch


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: self.now)

    def spend(self, seconds: float) -> str:
        """Let time pass, as a slow function would."""
        self.now += seconds
        return f"{seconds} s"


def test_no_call_no_seconds(device: torch.device) -> None:
    assert Stopwatch(device).seconds == {}


def test_seconds_add_up_by_name_and_results_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watch = Clock(monkeypatch), Stopwatch(torch.device("cpu"))
    assert watch("pool", clock.spend, 2.0) == "2.0 s"
    clock.spend(50.0)  # between two calls: nobody's
    assert watch("embed", clock.spend, 8.0) == "8.0 s"
    watch("pool", clock.spend, 0.5)
    assert watch.seconds == {"pool": 2.5, "embed": 8.0}


def test_an_error_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        Stopwatch(torch.device("cpu"))("pool", lambda: 1 / 0)


def test_queued_work_is_waited_for_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watch = Clock(monkeypatch), Stopwatch(torch.device("cuda"))
    queued = [30.0]  # work of somebody else, still running when the first call is made

    def synchronize() -> None:
        clock.spend(sum(queued))
        queued.clear()

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    watch("embed", queued.append, 4.0)
    watch("predict", queued.append, 0.25)
    assert watch.seconds == {"embed": 4.0, "predict": 0.25}


def test_a_device_is_really_measured(device: torch.device) -> None:
    watch = Stopwatch(device)
    start = time.perf_counter()
    product = watch("multiply", torch.matmul, *torch.ones(2, 64, 64, device=device))
    assert product.device.type == device.type
    assert 0 < watch.seconds["multiply"] <= time.perf_counter() - start
