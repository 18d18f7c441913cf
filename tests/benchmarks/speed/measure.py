"""Seconds of several ways to do the same, measured in turn in one run, and the table that they become."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch

import lecture_lib
from lecture_lib.stopwatch import synchronise


@dataclass(frozen=True)
class Row:
    """A line of the table: what took how long, beside what it is compared with, in the same rounds."""

    what: str  # "Faster R-CNN, an image"
    setting: str  # "1 thread", "400 x 600 pixels": what distinguishes rows of the same name
    ours: list[float]  # seconds of every round
    other: str  # what ours is compared with, as its users call it: "torchvision"
    theirs: list[float]  # of the same rounds
    goal: float | None = None  # ours / theirs is to be at most this
    note: str = ""  # what the reader should know, e.g. that both find the same

    @property
    def ratios(self) -> list[float]:
        """Ours over theirs, round by round: what the machine does to both cancels."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]

    def record(self) -> dict[str, Any]:
        """What is kept of it: medians, and the middle half of the ratios."""
        low, _, high = quantiles(self.ratios, n=4) if len(self.ratios) > 1 else self.ratios * 3
        kept = {name: value for name, value in asdict(self).items() if name not in ("ours", "theirs")}
        return kept | {
            "ours": median(self.ours),
            "theirs": median(self.theirs),
            "ratio": median(self.ratios),
            "low": low,
            "high": high,
            "rounds": len(self.ours),
        }


def in_turn(ways: Mapping[str, Callable[[], Any]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of every way in every round, after `warm` rounds that are not counted; each goes first by turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(warm + rounds):
        order = list(ways)
        for name in order[number % len(order) :] + order[: number % len(order)]:
            seconds = seconds_of(ways[name])
            if number >= warm:
                taken[name].append(seconds)
    return taken


def is_installed(name: str, module: str) -> bool:
    """Whether a package to compare with is there; says so if not."""
    if find_spec(module) is None:
        print(f"{name} is not installed, its rows are left out: python -m pip install -e '.[bench]'")
        return False
    return True


def seconds_of(call: Callable[[], Any]) -> float:
    """Seconds of one call, what it has queued on a GPU included; garbage of the one before is not collected in it."""
    gc.collect()
    synchronise(lecture_lib.device())
    start = perf_counter()
    call()
    synchronise(lecture_lib.device())
    return perf_counter() - start


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with that many threads of PyTorch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown: medians, the ratio with its middle half, and whether the goal was met."""
    lines = [
        "| what | setting | ours | compared with | theirs | ours / theirs | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in records:
        ratio = f"**{row['ratio']:.2f}** ({row['low']:.2f} to {row['high']:.2f})"
        goal = "" if row["goal"] is None else f"{row['goal']:g}: {'met' if row['ratio'] <= row['goal'] else 'missed'}"
        cells = (row["what"], row["setting"], told(row["ours"]), row["other"], told(row["theirs"]), ratio, goal)
        lines.append(f"| {' | '.join(cells)} |")
    notes = dict.fromkeys(f"{row['what']}: {row['note']}" for row in records if row["note"])
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]).rstrip()


def told(seconds: float) -> str:
    """Seconds with three digits: "0.0612 s" is "61.2 ms"."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
