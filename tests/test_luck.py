"""As bad luck would have it: killed in the middle, the disk full, two at once. Nothing half-written is read again."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("resource", reason="Windows has neither SIGKILL nor limits of a process")

from lecture_lib.files import alone
from tests import luck
from tests.luck import Trouble, start
from tests.mirror import serving

JOBS = (luck.stages, luck.end_to_end, luck.proposals, luck.fetching, luck.site)
of_every_job = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
CLOCKS = {"seconds.json", "result.json"}  # hold times; the result is compared without them


@pytest.fixture(autouse=True)
def server(monkeypatch):
    with serving(monkeypatch) as server:
        server.content = luck.CONTENT
        monkeypatch.setenv("LUCK_URL", f"{server.url}/good/f")
        yield server


def result(folder: Path) -> dict[str, bytes]:
    """All files that a job has left, but for what depends on the clock, and for the states of its trainings."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    compared = (name for name, path in files.items() if path.name not in CLOCKS and path.suffix != ".pt")
    found = {name: files[name].read_bytes() for name in compared}
    for name in files.keys() & {"result.json"}:
        found[name] = str(json.loads(files[name].read_text())["ap"]).encode()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Callable:
    """What a job leaves where nothing befalls it; done once."""
    kept = {}

    def whole(job: Callable) -> dict[str, bytes]:
        if job not in kept:
            folder = tmp_path_factory.mktemp("whole") / "out"
            assert start(job, folder).end() == ("done", "")
            kept[job] = result(folder)
        return kept[job]

    return whole


def deaths(job: Callable, seed: int) -> list[Trouble]:
    """Where the runs of a job are killed, one after the other."""
    random = Random(f"{job.__name__} {seed}")
    if job is luck.fetching:
        return [Trouble(piece=random.randrange(5)) for _ in range(3)]
    kinds = ("rename",) if job is luck.proposals else ("rename", "half")  # NumPy writes the proposals by itself
    return [Trouble(**{random.choice(kinds): random.randrange(4)}) for _ in range(3)]


@of_every_job
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(job, whole, tmp_path):
    folder = tmp_path / "out"
    outcomes = [start(job, folder, trouble).end()[0] for trouble in deaths(job, seed=0)]
    assert outcomes[0] == "killed"
    assert start(job, folder).end() == ("done", "")
    assert result(folder) == whole(job)


@pytest.mark.parametrize(
    ("job", "largest"),
    [
        (luck.stages, 2000),
        (luck.end_to_end, 9000),
        (luck.proposals, 700),
        (luck.fetching, 100_000),
        (luck.site, 20_000),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_full_disk_is_told_and_the_rest_is_done_when_there_is_room(job, largest, whole, tmp_path):
    folder = tmp_path / "out"
    outcome, message = start(job, folder, Trouble(largest=largest)).end()
    assert outcome == "NoRoom"
    assert str(folder) in message
    assert "Free some space" in message
    assert not list(folder.rglob("*.[0-9]*.part"))
    assert start(job, folder).end() == ("done", "")
    assert result(folder) == whole(job)


@of_every_job
def test_of_two_at_once_both_are_right_or_one_is_told(job, whole, tmp_path):
    folder = tmp_path / "out"
    both = [start(job, folder) for _ in range(2)]
    outcomes = dict(child.end() for child in both)
    assert "done" in outcomes
    assert outcomes.keys() <= {"done", "Busy"}
    assert "Wait until it has ended" in outcomes.get("Busy", "Wait until it has ended")
    assert result(folder) == whole(job)


@of_every_job
def test_where_another_process_is_at_work_one_is_told(job, tmp_path):
    folder = tmp_path / "out"
    path = {luck.proposals: folder / "train.npz", luck.fetching: folder / "f"}.get(job, folder)
    with alone(path):
        outcome, message = start(job, folder).end()
    assert outcome == "Busy"
    assert f"another process is at work on {path}" in message
