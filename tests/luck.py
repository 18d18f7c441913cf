"""What takes long in this course, in miniature, in processes of their own that bad luck may strike."""

import hashlib
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from PIL import Image

from lecture_lib import detectors, download, notebooks, precompute
from lecture_lib.files import Busy, NoRoom, replacing
from lecture_lib.matching import SampleRule
from lecture_lib.training import faster_rcnn, features, resume
from lecture_lib.training.examples import Examples
from lecture_lib.training.rcnn import RCNNRun, RCNNTraining, train_and_test
from lecture_lib.voc import VOCDataset
from tests.tiny import tiny_backbone
from tests.training import shared
from tests.training.squares import Pictures, regions, targets

CONTENT = bytes(range(256)) * 1000  # of the file that is downloaded


class Squares(Pictures):
    """The pictures of squares as a set with classes."""

    classes = ("red", "green")


def stages(folder: Path) -> None:
    """Train and test an R-CNN in its stages, its features stored between them."""
    torch.manual_seed(0)
    examples = Examples(Squares(), regions(), targets())
    settings = RCNNTraining.seeded(0, train_regions=30, test_regions=30)
    settings = replace(settings, fine_tuning=replace(settings.fine_tuning, steps=7, batch=SampleRule(16)))
    detector = detectors.rcnn(Squares.classes, tiny_backbone(), torch.Generator().manual_seed(0))
    train_and_test(RCNNRun(detector, examples, examples, settings, folder))


def end_to_end(folder: Path) -> None:
    """Train a Faster R-CNN end to end and keep it."""
    examples = Examples(Squares(), [], targets())
    detector = faster_rcnn.train_at_once(shared.build(), examples, shared.SETTINGS, folder)
    detectors.save(detector, "faster_rcnn", "lite0", folder / "faster_rcnn.safetensors")


def proposals(folder: Path) -> None:
    """Compute the proposals of a set of five pictures."""
    root = folder.with_name("pictures")
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number in range(5):
        picture = Image.new("RGB", (60, 40), (200, 200, 200))
        picture.paste((0, 40 * number, 90), (5 + number, 5, 25, 30))
        with replacing(root / "JPEGImages" / f"{number}.png") as beside:  # another process may be reading it
            picture.save(beside, "PNG")
        (root / "Annotations" / f"{number}.xml").touch()
    with replacing(root / "ImageSets/Main/train.txt") as beside:
        beside.write_text("0\n1\n2\n3\n4\n")
    precompute._file = lambda _: folder / "train.npz"  # which is named by where the set lies
    precompute.selective_search = lambda *_: regions()[0][:5]  # the compiler would take longer than the search
    for _ in precompute.precompute(VOCDataset(root, "train", classes=())):
        pass


def fetching(folder: Path) -> None:
    """Download a file from the server that the environment names."""
    download.fetch([os.environ["LUCK_URL"]], folder / "f", md5=hashlib.md5(CONTENT).hexdigest(), progress=_piece)


def _piece(done: int, total: int | None) -> None:
    """Called after each piece of the download; a doomed process does not come back from here."""


def site(folder: Path) -> None:
    """Write the pages of four notebooks, which are not executed for it."""
    named = [notebooks.Execution(f"{n:02}", f"page {n} " * 5000, 1.0, 1.0, None) for n in range(4)]
    notebooks.execute_all = lambda *_: iter(named)
    notebooks.main(["--folder", str(folder.with_name("none")), "--out", str(folder)])


@dataclass(frozen=True)
class Trouble:
    """What befalls a process: killed in the middle of a write, before its file is renamed, or after some seconds."""

    half: int | None = None  # the number of the write
    rename: int | None = None  # the number of the renaming
    piece: int | None = None  # of a download
    largest: int | None = None  # bytes of a file: the disk is full

    def begin(self) -> None:
        """Arrange for it in this process."""
        for name in ("write_bytes", "write_text"):
            setattr(Path, name, _struck(getattr(Path, name), self.half, _half_written))
        os.replace = _struck(os.replace, self.rename, _killed)
        globals()["_piece"] = _struck(_piece, self.piece, _killed)
        if self.largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest, self.largest))


def _struck(act: Callable, number: int | None, instead: Callable) -> Callable:
    calls = count()
    return lambda *given, **named: (instead if next(calls) == number else act)(*given, **named)


def _killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _half_written(path: Path, content: bytes | str, **_: object) -> None:
    content = content.encode() if isinstance(content, str) else bytes(content)
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    _killed()


def start(job: Callable[[Path], None], folder: Path, trouble: Trouble = Trouble()) -> "Child":
    """Begin a job in a process of its own."""
    return Child(job, folder, trouble)


class Child:
    """A process that does a job; `end` waits for it."""

    context = get_context("forkserver")

    def __init__(self, job: Callable[[Path], None], folder: Path, trouble: Trouble) -> None:
        self.context.set_forkserver_preload(["tests.luck"])
        self._said, says = self.context.Pipe(duplex=False)
        url = os.environ.get("LUCK_URL", "")
        self.process = self.context.Process(target=_do, args=(job, folder, trouble, url, says))
        self.process.start()
        says.close()

    def end(self) -> tuple[str, str]:
        """ "done", "killed", or the name of the error; and its message."""
        try:
            said = self._said.recv()
        except EOFError:
            said = ("killed", "")
        self.process.join()
        assert self.process.exitcode == (-signal.SIGKILL if said[0] == "killed" else 0)
        return said


def _do(job: Callable[[Path], None], folder: Path, trouble: Trouble, url: str, says: Connection) -> None:
    torch.set_num_threads(1)
    resume.SAVE_EVERY, features.FLUSH_EVERY, precompute.SAVE_EVERY = 2, 1, 1
    download._BLOCK, download.time.monotonic = 20_000, count().__next__
    os.environ["LUCK_URL"] = url
    trouble.begin()
    try:
        job(folder)
    except (NoRoom, Busy) as error:
        says.send((type(error).__name__, str(error)))
    else:
        says.send(("done", ""))
