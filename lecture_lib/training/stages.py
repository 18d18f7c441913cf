"""How long the stages of a training took, all its interrupted attempts together."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

from tqdm import tqdm

from lecture_lib.files import alone
from lecture_lib.training import distributed
from lecture_lib.training.results import read_json, write_json


class StageClock:
    """Seconds by stage, kept in `seconds.json` in the training's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "seconds.json"

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage has taken so far."""
        return read_json(self.path) if self.path.is_file() else {}

    def run(self, stage: str, positions: Iterable[int], total: int) -> None:
        """Run a stage that yields how far it is, which is not 0 at the start where it was interrupted before.

        Raises Busy where another training is at work in the folder.
        """
        start = perf_counter()
        with alone(self.path.parent) if distributed.rank() == 0 else nullcontext():
            try:
                with tqdm(desc=stage, total=total, mininterval=5, disable=distributed.rank() > 0) as bar:
                    for position in positions:
                        bar.update(position - bar.n)
            finally:
                self.keep(stage, self.seconds.get(stage, 0.0) + perf_counter() - start)

    def keep(self, stage: str, seconds: float) -> None:
        """Set the seconds of a stage; of several processes the first one does."""
        if distributed.rank() == 0:
            write_json(self.path, self.seconds | {stage: round(seconds, 1)})
