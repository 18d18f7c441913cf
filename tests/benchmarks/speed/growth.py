"""How cost grows: `python -m tests.benchmarks.speed.growth` (about 3 minutes on two cores).

Seconds and peak memory of the four detectors against proposals, pixels and training images, with the exponent e of
cost = c n^e, fitted by least squares to the logarithms. 1 is linear; what does not grow draws it down.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lecture_lib.detectors import LADDER
from tests.benchmarks.speed.alone import Used, alone
from tests.benchmarks.speed.growth_points import REGIONS, STORED, by_images, by_regions, by_side

LINEAR = 1.1  # an exponent above it is told apart from linear
LEAST_BYTES = 2**20  # less is not told apart from the system's own pages
COUNTS, SIDES, IMAGES = (100, 600, 4000), (240, 540, 1200), (50, 160, 500)
PROPOSALS, PIXELS, TRAINING = AGAINST = ("proposals", "pixels", "training images")
UNSORTED = (
    "its operations are linear in pixels up to a logarithm, but the edges between pixels are gone through in the order "
    "of their weights, all over the image: the larger it is, the more of these visits miss the processor's cache"
)
ARENAS = (
    "what it asks for is linear, and with MALLOC_ARENA_MAX=1 so is the peak; the C library keeps what a thread has "
    "freed for that thread, and Selective Search has a thread for each colour space"
)
WORSE = {  # why it grows faster, by (what, cost, against)
    ("Selective Search", "seconds", PIXELS): UNSORTED,
    ("Selective Search", "bytes", PIXELS): ARENAS,
}


@dataclass(frozen=True)
class Growth:
    """What one thing costs as another grows, and the exponents of both costs."""

    what: str
    against: str
    counts: list[int]
    used: list[Used]

    def record(self) -> dict:
        """What is kept of it: the points, and of both costs the exponent of all and that of the last two points.

        The last two are judged too: what does not grow at all weighs least there, and hides least.
        """
        costs = {
            "seconds": [used.seconds for used in self.used],
            "bytes": [max(used.bytes, LEAST_BYTES) for used in self.used],
        }
        fitted = {f"{cost}_exponent": exponent(self.counts, values) for cost, values in costs.items()}
        last = {f"{cost}_last": exponent(self.counts[-2:], values[-2:]) for cost, values in costs.items()}
        return asdict(self) | fitted | last


def exponent(counts: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log count, by least squares. Raises `ValueError` for fewer than two counts."""
    if len(set(counts)) < 2:
        raise ValueError(f"exponent: a slope needs two different counts at least, got {list(counts)}")
    x, y = [math.log(c) for c in counts], [math.log(c) for c in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def measure(against: Sequence[str] = AGAINST) -> Iterator[Growth]:
    """Every growth, as soon as it is measured."""
    names = {name: name for name in LADDER}
    if PROPOSALS in against:
        yield from _grow(by_regions, PROPOSALS, names, COUNTS)
    if PIXELS in against:
        pixels = [round(1.5 * side**2) for side in SIDES]  # the photograph is half as wide again as high
        yield from _grow(by_side, PIXELS, names | {"selective_search": "Selective Search"}, SIDES, pixels)
    if TRAINING in against:
        stages = {"rcnn": "rcnn, fine-tuning", "SVMs and regressors": "SVMs and regressors"}
        stages |= {"fast_rcnn": "fast_rcnn, joint training", "faster_rcnn": "faster_rcnn, end to end"}
        yield from _grow(by_images, TRAINING, stages, IMAGES)


def _grow(
    work: Callable[[str, int], Used],
    against: str,
    names: dict[str, str],
    sizes: Sequence[int],
    counts: Sequence[int] | None = None,
) -> Iterator[Growth]:
    for name, what in names.items():
        yield Growth(what, against, list(counts or sizes), [alone(work, name, size) for size in sizes])


def table(records: Sequence[dict]) -> str:
    """Markdown: costs at the smallest and the largest count, both exponents, and what is worse than linear and why."""
    lines = [
        "| what | against | counts | processor seconds | exponent | peak memory, MiB | exponent |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in records:
        seconds = ", ".join(f"{used['seconds']:.3g}" for used in row["used"])
        memory = ", ".join(f"{used['bytes'] / 2**20:.0f}" for used in row["used"])
        counts = ", ".join(f"{count:,}" for count in row["counts"])
        fitted = [f"**{row[f'{cost}_exponent']:.2f}** ({row[f'{cost}_last']:.2f})" for cost in ("seconds", "bytes")]
        cells = (row["what"], row["against"], counts, seconds, fitted[0], memory, fitted[1])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"- {note}" for note in [*notes(records), *_how()])])


def notes(records: Sequence[dict]) -> list[str]:
    """What grows faster than linearly, and why; where it should not, that is said too."""
    found = []
    for row in records:
        for cost in ("seconds", "bytes"):
            if max(row[f"{cost}_exponent"], row[f"{cost}_last"]) > LINEAR:
                why = WORSE.get((row["what"], cost, row["against"]), "not explained: look for its cause")
                found.append(f"{row['what']}, {cost} against {row['against']}: worse than linear; {why}")
    return found or ["nothing grows faster than linearly"]


def _how() -> list[str]:
    return [
        "exponents: of all points (of the last two, where what does not grow weighs least)",
        "on one thread; memory is what was in use at the peak above what the loaded detector takes, and every point "
        "was measured in a process of its own",
        "proposals: random boxes on an image of 240 x 320; for faster_rcnn its own, none of them suppressed, which is "
        "the worst case of NMS: it compares every pair, though each in nanoseconds",
        f"pixels: a photograph enlarged, and the detector's scales with it; {REGIONS} proposals, for the first three "
        "detectors given, since Selective Search has a row of its own",
        f"training images: an epoch, of as many steps as pairs of images, scaled up from a few; SVMs and regressors: "
        f"all of it, {STORED} regions an image and its objects, on made-up features as wide as SPPnet's",
    ]


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the records to this file")
    parser.add_argument("--against", choices=AGAINST, action="append", help="measure this growth only; may be repeated")
    options = parser.parse_args()
    records = []
    for growth in measure(options.against or AGAINST):
        records.append(growth.record())
        print(f"{growth.what}, {growth.against}: {records[-1]['seconds_exponent']:.2f}", flush=True)
    print(table(records))
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
