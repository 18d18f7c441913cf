"""The architecture as a test: a module imports only modules listed above it (DESIGN: layers)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lecture_lib

PACKAGE = Path(lecture_lib.__file__).parent
LAYERS = [
    "files",
    "stopwatch",
    "threads",
    "structures",
    "boxes",
    "matching",
    "mobile",
    "backbones",
    "graphs",
    "encoders",
    "pooling",
    "decoding",
    "proposals",
    "heads",
    "masks",
    "checkpoints",
    "detectors",
    "images",
    "download",
    "voc",
    "evaluation",
    "precompute",
    "training",
    "plotting",
    "widgets",
    "exercises",
    "pages",
    "notebooks",
    "slides",
]
NOT_EACH_OTHER = {"voc", "evaluation"}
DRAWING = {"matplotlib", "ipywidgets", "anywidget", "IPython"}
MAY_DRAW = {"plotting", "widgets", "notebooks"}


def imported(path: Path) -> set[str]:
    """Every module that a file imports anywhere, dotted."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upwards(path):
    here = module_of(path)
    assert here in LAYERS, f"{here} has no layer: give it a place in LAYERS"
    for name in imported(path):
        if not name.startswith("lecture_lib."):
            assert name.split(".")[0] not in DRAWING or here in MAY_DRAW, f"{path.name} draws: {name}"
            continue
        there = name.split(".")[1]
        assert LAYERS.index(there) <= LAYERS.index(here), f"{here} imports {there}, which is below it"
        assert not {here, there} <= NOT_EACH_OTHER or here == there, f"{here} imports {there}"


def test_every_layer_exists():
    assert {module_of(path) for path in FILES} == set(LAYERS)


def test_import_stays_light():
    heavy = ["torch", "torchvision", "matplotlib", "cv2", "sklearn", "ipywidgets", "anywidget", "numba"]
    code = f"import sys, lecture_lib; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_model_code_imports_no_drawing_and_no_opencv():
    code = "import sys, lecture_lib.backbones; print('matplotlib' in sys.modules, 'cv2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]
