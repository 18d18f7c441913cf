"""The README says what the dated results say, and what it links to exists."""

import importlib.util
import re

import pytest

from lecture_lib.notebooks import FOLDER
from tests.benchmarks.readme import README, TEACHES, with_tables

ROOT = README.parent
PAGES = [path for path in ROOT.rglob("*.md") if not {".venv", "build", "node_modules"} & set(path.parts)]


def test_tables_are_those_of_the_results():
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run `python -m tests.benchmarks.readme`"


def test_every_notebook_is_listed():
    assert set(TEACHES) == {path.stem for path in FOLDER.glob("*.ipynb")}


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in PAGES])
def test_the_commands_of_a_page_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    modules = set(re.findall(r"python -m ([\w.]+)", text)) - {"venv", "pip"}
    targets = set(re.findall(r"`?make ([a-z-]+)", text))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.M)] == []
