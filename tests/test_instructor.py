"""The instructor's notes: every slide has its line, and what a line refers to is in the notebooks."""

import json
import re
from itertools import accumulate

import pytest

from lecture_lib.notebooks import FOLDER

NOTES = (FOLDER / "INSTRUCTOR.md").read_text(encoding="utf-8")
COLUMNS = ("number", "slide", "notebook", "section", "show", "minutes", "ask", "expect")
LINE = re.compile(r"\| \d+ \|(?:[^|]*\|){7}$")
MINUTES = 75
SLIDES_OF_A_TITLE = {
    "Review": 1,
    "Transfer Learning": 4,  # with How?, Why? and R-CNN's
    "Motivation": 1,
    "Two-stage 2D Object Detectors": 1,
    "Object Classification": 1,
    "What is the object and where is it": 4,
    "Object Detection": 1,
    "How to propose bounding boxes?": 1,
    "For every location and every size": 3,
    "Selective Search": 1,
    "R-CNN [CVPR'14]": 18,
    "Let's fix the problems!": 3,
    "SPPNet": 1,
    "Fast R-CNN [CVPR'15]": 1,
    "Faster R-CNN [NIPS'15]": 1,
    "Summary –": 4,
    "Stepping Forward...": 1,
    "Thanks!": 1,
}


def lectures() -> list[list[dict[str, str]]]:
    """The lines of each lecture, each a dictionary by COLUMNS."""
    parts = NOTES.split("\n## ")
    found = []
    for part in parts:
        lines = [line for line in part.splitlines() if LINE.match(line)]
        if lines:
            fields = ([field.strip() for field in line.strip("|").split("|")] for line in lines)
            found.append([dict(zip(COLUMNS, row, strict=True)) for row in fields])
    return found


def lines_by_notebook() -> dict[str, list[dict[str, str]]]:
    lines = [line for lecture in lectures() for line in lecture]
    return {
        number: [line for line in lines if line["notebook"] == number]
        for number in sorted({x["notebook"] for x in lines})
    }


def test_every_slide_has_a_line():
    lines = [line for lecture in lectures() for line in lecture]
    assert [int(line["number"]) for line in lines] == list(range(1, len(lines) + 1))
    for title, count in SLIDES_OF_A_TITLE.items():
        assert sum(title in line["slide"] for line in lines) == count, title
    assert all("?" in line["ask"] and line["expect"].endswith(".") for line in lines)


def test_two_lectures_and_a_run_sheet_that_agrees():
    first, second = lectures()
    sheet = NOTES.partition("## Run sheet")[2].split("| Lecture 2 ")
    for lines, part in zip((first, second), sheet, strict=True):
        ends = list(accumulate(int(line["minutes"]) for line in lines))
        assert ends[-1] == MINUTES
        after = {int(line["number"]): end for line, end in zip(lines, ends, strict=True)}
        rows = re.findall(r"\| \d+ to (\d+): [^|]*\| (?:\d+ (?:to|and) )?(\d+) \|", part)
        assert len(rows) >= 5
        assert {int(last): int(end) for end, last in rows}.items() <= after.items()


@pytest.mark.parametrize("number", lines_by_notebook())
def test_sections_and_figures_are_in_the_notebook(number):
    found = sorted(FOLDER.glob(f"{number}_*.ipynb"))
    if number == "07" and not found:
        pytest.skip("notebook 07 is not on this branch")
    (path,) = found
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = {
        kind: "".join("".join(c["source"]) + "\n" for c in cells if c["cell_type"] == kind)
        for kind in ("markdown", "code")
    }
    headings = {line.lstrip("#").strip() for line in sources["markdown"].splitlines() if line.startswith("#")}
    for line in lines_by_notebook()[number]:
        assert line["section"] in headings, line["slide"]
        assert line["show"].strip("`") in sources["code"], line["slide"]
