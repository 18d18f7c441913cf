"""lecture_lib.training.resume: a training goes on exactly where it was saved, or says why it cannot."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from lecture_lib.training.resume import SAVE_EVERY, Resumable

SETTINGS = ("rate", 0.1)


class Training:
    """A network, its optimiser and its schedule; `step` takes one step."""

    def __init__(self, path: Path | None, settings: object = SETTINGS, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.network = nn.Linear(3, 2)
        nn.init.normal_(self.network.weight, generator=generator)
        nn.init.zeros_(self.network.bias)
        self.optimizer = AdamW(self.network.parameters())
        self.schedule = OneCycleLR(self.optimizer, 0.1, total_steps=100)
        parts = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        self.saved = Resumable(path, settings, **parts)

    def step(self) -> None:
        self.optimizer.zero_grad()
        (self.network(torch.ones(3)) - torch.tensor([1.0, -2.0])).square().sum().backward()
        self.optimizer.step()
        self.schedule.step()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The state file, and 20 steps in it."""
    path = tmp_path / "state.pt"
    training = Training(path)
    for _ in range(SAVE_EVERY):
        training.step()
    training.saved.save(SAVE_EVERY, 60)
    return path


def test_nothing_saved_nothing_done(tmp_path: Path) -> None:
    for path in (None, tmp_path / "new" / "state.pt"):
        training = Training(path)
        before = training.network.weight.clone()
        assert training.saved.restore() == 0
        assert torch.equal(training.network.weight, before)
    Training(None).saved.save(1, 1)  # too short a training to be saved: not an error


def test_saves_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    training = Training(tmp_path / "folder" / "state.pt")
    saved = []
    for step in range(1, 2 * SAVE_EVERY + 4):
        training.saved.save(step, 2 * SAVE_EVERY + 3)
        if training.saved.path.exists():
            saved.append(step)
            assert training.saved.restore() == step
            training.saved.path.unlink()
    assert saved == [SAVE_EVERY, 2 * SAVE_EVERY, 2 * SAVE_EVERY + 3]


def test_goes_on_as_if_nothing_had_happened(path: Path) -> None:
    whole, resumed = Training(None), Training(path, seed=1)
    for _ in range(SAVE_EVERY):
        whole.step()
    assert not torch.equal(whole.network.weight, resumed.network.weight)
    assert resumed.saved.restore() == SAVE_EVERY
    for _ in range(30):  # the optimiser's moments and the schedule's place matter in each of them
        assert torch.equal(whole.network.weight, resumed.network.weight)
        assert whole.optimizer.param_groups[0]["lr"] == resumed.optimizer.param_groups[0]["lr"]
        whole.step(), resumed.step()


def test_other_settings_are_refused_and_change_nothing(path: Path) -> None:
    training = Training(path, settings=("rate", 0.2), seed=1)
    before = training.network.weight.clone()
    with pytest.raises(ValueError, match=r"with other settings, \('rate', 0\.1\)\. Delete it to start this stage"):
        training.saved.restore()
    assert torch.equal(training.network.weight, before)


def test_damaged_files_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 1, 10, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"(?s)state\.pt is no whole training state .*Delete it"):
            Training(path).saved.restore()


@pytest.mark.parametrize("content", [b"hello", [1, 2], {"weight": torch.zeros(2)}])
def test_a_file_of_another_kind_is_refused(path: Path, content: object) -> None:
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ValueError, match=r"state\.pt"):
        Training(path).saved.restore()


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_interrupted_saving_leaves_the_previous_state(
    path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, state: bytes) -> None:
        file.write_text("the first hal")
        raise error

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(error):
        Training(path, seed=1).saved.save(2 * SAVE_EVERY, 60)
    assert Training(path).saved.restore() == SAVE_EVERY
    assert os.listdir(path.parent) == ["state.pt"]
