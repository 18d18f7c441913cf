"""Seconds by slot, measured so that work queued on an accelerator is counted where it belongs."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def synchronise(device: torch.device) -> None:
    """Wait until an accelerator has finished; its calls return before the work is done."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()  # torch.cuda, torch.mps


class Stopwatch:
    """Adds up the seconds of named calls: `watch("pool", function, *arguments)` returns what the function returns.

    On an accelerator both ends of a call wait for the device: it runs behind Python, and would else be charged to
    whoever asks for a result first.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call the function and add its time to `seconds[name]`."""
        synchronise(self.device)
        start = time.perf_counter()
        result = function(*arguments)
        synchronise(self.device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        return result
