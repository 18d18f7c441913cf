"""The marks of slides: rules cell by cell, nothing else in the file changes, and the commit hook keeps them."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lecture_lib.notebooks import FOLDER
from lecture_lib.slides.__main__ import main
from lecture_lib.slides.marks import mark, slide_types

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HOOKS = Path(__file__).parents[1] / ".pre-commit-config.yaml"
LONG = "word " * 100


def marked(*sources: str) -> list[str]:
    """The slide types of cells; what begins with "%" is code."""
    kinds = ["code" if source.startswith("%") else "markdown" for source in sources]
    cells = [{"cell_type": kind, "source": [source]} for kind, source in zip(kinds, sources, strict=True)]
    return slide_types(cells)


def test_no_cell():
    assert marked() == []


@pytest.mark.parametrize(
    ("sources", "types"),
    [
        (["# A", "## B", "words\n\n### C", LONG], ["slide", "slide", "subslide", "notes"]),
        (["## A", "%\nimport torch\nplotting.use_style()", "%\nx = 1"], ["slide", "skip", "skip"]),
        (["## A", "%\nshow(x);", "%\nsay(x)", "%\nshow(y);"], ["slide", "-", "-", "subslide"]),
        (["## A", "%\nshow(x);", "so", "%\nshow(y);"], ["slide", "-", "subslide", "-"]),
        (["## A", "%\nshow(x);", LONG, "%\nshow(y);"], ["slide", "-", "notes", "subslide"]),
        (["## A\n" + LONG, "%\nsay(x)", "%\nshow(y);"], ["slide", "-", "subslide"]),
        ([LONG + "\n### A", "%\nshow(y);"], ["subslide", "-"]),
        (["## A", "%\nx = 1\nPredict('?', x)", "%\ny = 2", "%\nshow(x);"], ["slide", "-", "skip", "fragment"]),
        (["## A", "%\nfor x in y:\n    say(x)", "the end", "## B"], ["slide", "-", "notes", "slide"]),
        (["## A", "%\nfor x in y:\n    z.append(x)", "> why?"], ["slide", "skip", "subslide"]),
        (["### E", "%\ndef answer(x):\n    'What.'\n    return ...\n\n\nsay(check(answer))"], ["subslide", "-"]),
    ],
)
def test_rules(sources, types):
    assert marked(*sources) == types


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_marks_change_and_a_second_time_nothing(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    mark(copy)
    once = copy.read_bytes()
    assert not mark(copy)
    assert copy.read_bytes() == once

    notebook, before = json.loads(once), json.loads(path.read_bytes())
    for cell, old in zip(notebook["cells"], before["cells"], strict=True):
        cell["metadata"].pop("slideshow")
        old["metadata"].pop("slideshow", None)
    assert json.dumps(notebook) == json.dumps(before)
    nbformat.validate(nbformat.reads(once.decode(), as_version=4))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_marks_that_are_committed_are_those_of_the_rules(path):
    cells = json.loads(path.read_text())["cells"]
    committed = [cell["metadata"].get("slideshow", {}).get("slide_type") for cell in cells]
    assert committed in ([None] * len(cells), slide_types(cells)), "run: python -m lecture_lib.slides --mark"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_slides_and_every_question_waits_for_its_answer(path):
    cells = json.loads(path.read_text())["cells"]
    types = slide_types(cells)
    assert types.count("slide") + types.count("subslide") >= 15
    questions = [i for i, cell in enumerate(cells) if "Predict(" in "".join(cell["source"])]
    assert all(types[i] in ("-", "subslide", "fragment") for i in questions)
    assert types.count("fragment") >= len(questions) / 2


def test_a_file_that_jupyter_did_not_write_is_refused(tmp_path):
    path = tmp_path / "own.ipynb"
    path.write_text('{"cells": []}')
    with pytest.raises(ValueError, match="save it once in JupyterLab"):
        mark(path)


def test_an_unknown_notebook_is_named_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["nowhere"])
    assert NOTEBOOKS[0].stem in capsys.readouterr().err


def test_the_commit_hook_keeps_the_marks_and_strips_the_rest(tmp_path):
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"slideshow": {"slide_type": "skip"}, "scrolled": True})
    cell.outputs = [nbformat.v4.new_output("stream", text="2")]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    entry = next(line for line in HOOKS.read_text().splitlines() if "nbconvert" in line).split(":", 1)[1]
    options = shlex.split(entry)[2:]  # after ".venv/bin/jupyter nbconvert"
    subprocess.run([sys.executable, "-m", "nbconvert", *options, str(tmp_path / "a.ipynb")], check=True)
    (stripped,) = json.loads((tmp_path / "a.ipynb").read_text())["cells"]
    assert stripped["metadata"] == {"slideshow": {"slide_type": "skip"}}
    assert stripped["outputs"] == []
