"""Reading a submission: what is kept of it, what an answer needs of that, and files meant to break a parser."""

import json

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading.notebook import Unreadable, read
from grading.scan import oddities, refusals
from lecture_lib.exercises.record import Exercise

EXERCISE = Exercise("x", "00", "f", 1, (), abs, forbidden=("torch.nn.functional.smooth_l1_loss",))


def notebook(*sources: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources]}).encode()


def kept(*sources: str) -> list[str]:
    return [statement.source for statement in read(notebook(*sources)).statements]


def test_no_cell_gives_no_statement():
    assert read(notebook()).statements == ()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"cells": 3}', b"[" * 100_000, b"x" * (21 << 20)])
def test_what_is_no_notebook_is_refused(raw):
    with pytest.raises(Unreadable):
        read(raw)


def test_imports_definitions_and_plain_values_are_kept_and_nothing_else():
    assert kept(
        "import torch\n%matplotlib inline\n!rm -rf x\nf?\nprint(1)\nEPS = 1e-6\nx = open('y')\nfor i in []: pass"
    ) == [
        "import torch",
        "EPS = 1e-6",
    ]
    assert kept("%%bash\nEPS = 1", "g = lambda x: abs(x)", "@torch.no_grad()\ndef f(x):\n    return x") == [
        "g = lambda x: abs(x)",
        "@torch.no_grad()\ndef f(x):\n    return x",
    ]


def test_a_broken_cell_is_told_and_the_others_count():
    answers = read(notebook("def f(:", "def g(): return 1"))
    assert [statement.source for statement in answers.statements] == ["def g(): return 1"]
    assert answers.problems == ("code cell 1, line 1: SyntaxError; nothing of this cell counts",)


def test_an_answer_needs_what_it_names_and_not_what_only_sounds_alike():
    answers = read(
        notebook(
            "from lecture_lib import boxes", "EPS = 1", "def g(): return EPS", "def f(boxes): return g() + len(boxes)"
        )
    )
    assert [statement.source.split("(")[0] for statement in answers.needed_for("f")] == ["EPS = 1", "def g", "def f"]
    assert [statement.source.split("(")[0] for statement in answers.needed_for("f", given=["g"])] == ["def f"]


def test_lines_are_counted_as_students_see_them():
    answers = read(notebook("import torch\n\n", "EPS = 1\ndef f():\n    return 1"))
    assert answers.place(answers.statements[-1].line + 1) == "code cell 2, line 3"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import lecture_lib.boxes as b\ndef f(x): return b.iou(x)", "lecture_lib"),
        ("def f(x):\n    from torchvision.ops import nms as g\n    return g(x)", "torchvision"),
        ("def f(x): return __import__('sklearn').metrics", "sklearn"),
        ("import torch\ndef f(x): return torch.nn.functional.smooth_l1_loss(x)", "smooth_l1_loss"),
        ("from torch.nn.functional import smooth_l1_loss as g\ndef f(x): return g(x)", "smooth_l1_loss"),
        ("import torch\ndef f(x): return getattr(torch.nn.functional, 'smooth_l1_loss')(x)", "smooth_l1_loss"),
    ],
)
def test_others_doing_the_exercise_is_refused_with_the_reason(code, reason):
    assert any(reason in found for found in refusals(read(notebook(code)).needed_for("f"), EXERCISE))


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn.functional as F\nfrom torch import nn as n\ndef f(x): return F.relu(x)",
        "def smooth_l1_loss(x): return x\ndef f(x): return smooth_l1_loss(x)",
    ],
)
def test_an_own_answer_is_neither_refused_nor_odd(code):
    statements = read(notebook(code)).needed_for("f")
    assert refusals(statements, EXERCISE) == []
    assert oddities(statements) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\ndef f(x): return os", "imports os"),
        ("def f(x): return eval('x')", "names eval"),
        ("def f(x): return x.__class__.__subclasses__()", "reads __subclasses__"),
        ("def f(x): return getattr(x, 'a' + 'b')", "computes the name"),
    ],
)
def test_what_no_honest_answer_needs_is_told(code, reason):
    assert any(reason in found for found in oddities(read(notebook(code)).needed_for("f")))


@pytest.mark.parametrize(
    "source",
    [
        "(" * 90_000,
        "x = " + "-" * 90_000 + "1",
        "x = " + "a." * 45_000 + "a",
        "x = " + "[" * 90 + "]" * 90,
        "x = " + "lambda:" * 9_000 + "1",
        "x = " + "not " * 40_000 + "1",
        "x = " + "1 + " * 40_000 + "1",
        "".join(f"{' ' * n}if 1:\n" for n in range(150)) + " " * 150 + "pass",
        "x = f" + '"{' * 80 + "1" + '}"' * 80,
        "def f():\n  return " + "a(" * 180 + ")" * 180,
        "x = 1\0",
        "x = '\ud800'",
        "\f\r\x0b x = 1",
    ],
)
def test_code_that_is_meant_to_break_the_parser_breaks_only_its_cell(source):
    answers = read(notebook(source, "def f(): return 1"))
    assert answers.defines("f")
    refusals(answers.needed_for("f"), EXERCISE)
