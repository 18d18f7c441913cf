"""The README says what the dated results say, and what it links to exists."""

import re

from lecture_lib.notebooks import FOLDER
from tests.benchmarks.readme import README, TEACHES, with_tables


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
