"""What all tests share: the network is off, signatures are checked, hypothesis is repeatable."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import config, install_import_hook

OFFLINE = Path(__file__).parent / "offline"
sys.path.insert(0, str(OFFLINE))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("MPLBACKEND", "agg")
import sitecustomize  # noqa: E402  (blocks sockets in this process; PYTHONPATH does so in its children)

if not hasattr(sitecustomize, "NetworkBlocked"):  # the interpreter had one of its own and has imported it already
    del sys.modules["sitecustomize"]
    import sitecustomize

install_import_hook("lecture_lib", "beartype.beartype")

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("repeatable")

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "real"
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU"))]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device that this machine has."""
    return torch.device(request.param)


@pytest.fixture
def generator() -> torch.Generator:
    """A fresh random generator with a fixed seed."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def real() -> Path:
    """The folder of real photographs that are measured on but are not part of the project."""
    if not REAL.is_dir():
        pytest.skip("no ../shared/real beside the project: real photographs are measured on where they lie there")
    return REAL


@pytest.fixture
def as_user() -> Iterator[None]:
    """Signatures unchecked, as outside the tests: for tests of the error that a user would read."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
