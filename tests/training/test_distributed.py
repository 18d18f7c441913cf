"""lecture_lib.training.distributed: two processes, half of the images each, train as one process with all of them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lecture_lib.training import distributed
from lecture_lib.training.end_to_end import train_end_to_end
from tests.training import shared
from tests.training.squares import pixels, targets


def test_alone_there_is_one_process_and_nothing_to_join() -> None:
    distributed.start()
    assert (distributed.processes(), distributed.rank()) == (1, 0)
    assert distributed.mean_over_processes(0.25) == 0.25
    assert distributed.share([3, 1]) == [3, 1]


def test_every_process_gets_its_images_and_too_few_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = []
    for number in ("0", "1"):
        monkeypatch.setenv("RANK", number)
        found.append(distributed.share([5, 6, 7]))
    assert found == [[5, 7], [6]]
    with pytest.raises(ValueError, match="1 images for 2 processes"):
        distributed.share([5])


def test_two_processes_train_as_one_with_the_doubled_batch(tmp_path: Path) -> None:
    """The same losses and the same weights, but for the order of sums."""
    shared.run(tmp_path / "one.pt")
    root = Path(__file__).parents[2]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "-m", "tests.training.shared", str(tmp_path / "two.pt")]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    assert len(set(one["losses"])) == shared.SETTINGS.regions.steps
    for name, tensor in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], tensor, atol=1e-4, rtol=1e-3)


def test_mixed_precision_is_near_the_full_one(device: torch.device) -> None:
    """bfloat16 has 8 bits: the first loss differs by less than a percent or two, and by more than rounding."""
    losses = {}
    for mixed in (False, True):
        settings = replace(shared.SETTINGS, mixed_precision=mixed)
        steps = train_end_to_end(shared.build().to(device), pixels(), targets(), settings)
        losses[mixed] = [step.loss for step in steps]
    assert losses[True][0] == pytest.approx(losses[False][0], rel=0.03)
    assert losses[True] != losses[False]
