"""Seconds and peak memory of one call in a process of its own, so that peaks do not hide each other.

The processes are forks of one that has imported everything, run nothing and has a single thread: starting one takes a
tenth of a second, not the ten of importing PyTorch on a slow machine.
"""

import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import torch

IMPORTED = ["lecture_lib.detectors", "lecture_lib.training.rcnn", "tests.benchmarks.speed.growth_points"]
UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@dataclass(frozen=True)
class Used:
    """What a call took."""

    seconds: float  # of the processor, on one thread of PyTorch: other work on the machine disturbs these least
    bytes: int  # the peak of memory above what was in use before it


def use(call: Callable[[], Any]) -> Used:
    """Run a call and see what it takes; the second call of a process has the peak of the first hidden from it."""
    before = _restart_peak()
    start = process_time()
    call()
    return Used(process_time() - start, _peak() - before)


def alone(work: Callable[..., Used], *arguments: Any) -> Used:
    """What `work(*arguments)` returns, run in a process of its own."""
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with context.Pool(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return pool.apply(work, arguments)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def _restart_peak() -> int:
    """Bytes in use now: Linux forgets the peak of loading when it is told to; elsewhere that peak stays.

    What the C library keeps of freed memory is given back first, or the call would take it from there unseen.
    """
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    return _peak()
