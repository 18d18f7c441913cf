"""What all tests share: the network is off, signatures are checked, hypothesis is repeatable."""

import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
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


@pytest.fixture
def style() -> Iterator[None]:
    """The course's look while a figure is drawn, and no figure left open after it."""
    import matplotlib.pyplot as plt

    from lecture_lib.plotting import use_style

    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


@pytest.fixture
def image() -> torch.Tensor:
    """Two flat squares, red and green, on a flat ground, 80 x 60; `target` has their boxes."""
    picture = torch.full((3, 60, 80), 0.2)
    picture[0, 10:30, 10:30] = 0.9
    picture[1, 30:55, 45:75] = 0.9
    return picture


@pytest.fixture
def target():
    """The objects of `image`: the red square is of class 1, the green one of class 2."""
    from lecture_lib.structures import Target

    boxes = torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55]])
    return Target(boxes, torch.tensor([1, 2]), torch.zeros(2, dtype=torch.bool), None, (60, 80))


@pytest.fixture
def small_backbone() -> Callable:
    """Builds AlexNet's shape in miniature: two convolutions to a 4x4 grid of a 16 px image, then fc6, fc7, classifier.

    Its features are 96 (pool5) and 10 (fc7) wide; a test of a detector or a training takes milliseconds with it.
    """
    from torch import nn

    from lecture_lib.backbones import Backbone, Stages

    def build(dropout: float = 0.0, batch_norm: bool = False, seed: int = 0) -> Backbone:
        norm = nn.BatchNorm2d if batch_norm else nn.Identity
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            conv1 = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), norm(4), nn.ReLU())
            conv2 = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), norm(6), nn.ReLU())
            fc6 = nn.Sequential(nn.Linear(96, 12), nn.ReLU(), nn.Dropout(dropout))
            fc7 = nn.Sequential(nn.Linear(12, 10), nn.ReLU(), nn.Dropout(dropout))
            tail = Stages(OrderedDict(flatten=nn.Flatten(), fc6=fc6, fc7=fc7, classifier=nn.Linear(10, 5)))
        trunk = Stages(OrderedDict(conv1=conv1, conv2=conv2))
        return Backbone(trunk, tail, stride=4, channels=6, first_cell=0.5, input_size=16, grid=(4, 4)).eval()

    return build


@pytest.fixture
def small_ladder(small_backbone: Callable) -> Callable:
    """Builds a detector of the ladder by its name, untrained, on `small_backbone`, with a quick search."""
    from lecture_lib.detectors import RECIPES, SearchImage
    from lecture_lib.proposals import SelectiveSearch

    quick = SelectiveSearch(color_spaces=("i",), ks=(50,), measures=("S",))
    options = {
        "rcnn": {},
        "sppnet": {"scales": (16, 24)},
        "fast_rcnn": {"scales": (24,)},
        "faster_rcnn": {"scales": (24,), "sides": (8, 12)},
    }

    def build(name: str):
        detector = RECIPES[name](("a", "b"), small_backbone(), torch.Generator().manual_seed(0), **options[name])
        return detector if name == "faster_rcnn" else replace(detector, propose=SearchImage(quick))

    return build
