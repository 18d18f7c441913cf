"""The architecture as a test: a module imports only modules listed above it (DESIGN: layers)."""

import subprocess
import sys

import pytest

from tests.architecture import LAYERS, PACKAGE, PAGE, edges, files, filled_page, imported, layer_of, reduced

NOT_EACH_OTHER = {"voc", "evaluation"}
DRAWING = {"matplotlib", "ipywidgets", "anywidget", "IPython"}
MAY_DRAW = {"plotting", "widgets", "notebooks"}


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upwards(path):
    here = layer_of(path)
    assert here in LAYERS, f"{here} has no layer: give it a place in LAYERS"
    for name in imported(path):
        if not name.startswith("lecture_lib."):
            assert name.split(".")[0] not in DRAWING or here in MAY_DRAW, f"{path.name} draws: {name}"
            continue
        there = name.split(".")[1]
        assert LAYERS.index(there) <= LAYERS.index(here), f"{here} imports {there}, which is below it"
        assert not {here, there} <= NOT_EACH_OTHER or here == there, f"{here} imports {there}"


def test_every_layer_exists():
    assert {layer_of(path) for path in files()} == set(LAYERS)


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == filled_page(), "run `python -m tests.architecture`"


def test_the_drawing_leaves_out_what_follows():
    graph = {layer: set() for layer in LAYERS} | {"boxes": {"structures"}, "masks": {"boxes", "structures"}}
    assert reduced(graph)["masks"] == ["boxes"]
    assert reduced(graph)["boxes"] == ["structures"]


def test_every_import_is_in_the_graph():
    assert "detectors" in edges()["evaluation"]
    assert edges()["files"] == set()


def test_import_stays_light():
    heavy = ["torch", "torchvision", "matplotlib", "cv2", "sklearn", "ipywidgets", "anywidget", "numba"]
    code = f"import sys, lecture_lib; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_model_code_imports_no_drawing_and_no_opencv():
    code = "import sys, lecture_lib.backbones; print('matplotlib' in sys.modules, 'cv2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]
