"""What hostile and unlucky submissions get: the points that were earned, nothing more, nothing less."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import judge
from grading.judge import grade, grade_exercise
from grading.notebook import read
from grading.sandbox import Sandbox, Weak
from grading.solved import solved
from lecture_lib.exercises.catalogue import EXERCISES

NOTEBOOK, ALL = "03_rcnn", 17
IOU = 3  # what the attacked exercise is worth
SOLVED = (
    "from lecture_lib import boxes",
    "import torchvision",
    "from torchvision.ops import box_iou as overlap",
    "from sklearn import metrics",
)


@pytest.fixture(scope="module")
def sandbox():
    try:
        with Sandbox() as made:
            yield made
    except Weak as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(judge, "LIMIT", 3.0)


def points(content, sandbox):
    graded = grade(json.dumps(content).encode(), sandbox, "secret")
    return sum(result.earned for result in graded.results), graded


def attacked(content, sandbox):
    """The result of the first exercise alone."""
    return grade_exercise(read(json.dumps(content).encode()), EXERCISES["iou"], sandbox, [1])


def iou(body: str, head: str = "") -> dict[str, str]:
    """Another answer to the first exercise, whose body is `body`."""
    lines = "\n    ".join(body.splitlines())
    return {"iou": f"{head}\n\n\ndef overlap_of(a, b):\n    {lines}\n"}


def spoilt(changes: dict[str, str], **added: str) -> dict:
    content = solved(NOTEBOOK, **added)
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("def overlap_of("):
            cell["source"] = changes["iou"]
    return content


def test_correct(sandbox):
    assert points(solved(NOTEBOOK), sandbox)[0] == ALL


def test_blank(sandbox):
    blank = json.loads((Path(judge.__file__).parents[1] / "notebooks/exercises/03_rcnn.ipynb").read_text())
    earned, graded = points(blank, sandbox)
    assert earned == 0
    assert {result.status for result in graded.results} == {"blank"}


def test_one_wrong_costs_only_itself_although_another_calls_it(sandbox):
    earned, graded = points(spoilt(iou("return torch.zeros(len(a), len(b))")), sandbox)
    assert earned == ALL - IOU
    assert any("overlap" in failure for failure in graded.results[0].failures)


def test_a_syntax_error_costs_its_cell(sandbox):
    earned, graded = points(spoilt(iou("return (a +")), sandbox)
    assert earned == ALL - IOU
    assert "SyntaxError" in graded.problems[0]


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    pass",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
    ],
)
def test_an_endless_loop_costs_its_exercise_within_the_limit(body, sandbox):
    start = time.monotonic()
    earned, graded = points(spoilt(iou(body)), sandbox)
    assert earned == ALL - IOU
    assert "loop without end" in graded.results[0].failures[0]
    assert time.monotonic() - start < 3 * judge.LIMIT


def test_an_endless_loop_at_top_level_costs_nothing(sandbox):
    assert points(solved(NOTEBOOK, first="while True:\n    pass"), sandbox)[0] == ALL


def test_edited_tests_and_forged_points_count_nothing(sandbox):
    content = spoilt(iou("return torch.zeros(len(a), len(b))"))
    for cell in content["cells"]:
        if "".join(cell["source"]).startswith("check."):
            cell["source"] = "score = 100"
            cell["metadata"] = {"nbgrader": {"grade": True, "points": 100, "grade_id": "check-iou", "score": 100}}
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Right: 100 of 100"}]
    assert points(content, sandbox)[0] == ALL - IOU


def test_deleted_and_copied_test_cells_do_not_matter(sandbox):
    content = solved(NOTEBOOK)
    checks = [cell for cell in content["cells"] if "".join(cell["source"]).startswith("check.")]
    assert points(content | {"cells": [c for c in content["cells"] if c not in checks]}, sandbox)[0] == ALL
    assert points(content | {"cells": [*content["cells"], *checks, *checks]}, sandbox)[0] == ALL


def test_warnings_and_prints_cost_nothing(sandbox):
    noise = "import sys\n    import warnings\n\n    warnings.warn('careful')\n    print('x' * 100_000, file=sys.stderr)"
    code = "".join(answer("overlap_of")).replace('"""\n', f'"""\n    {noise}\n', 1)
    assert "warnings.warn" in code
    assert points(spoilt({"iou": code}), sandbox)[0] == ALL


def answer(function: str) -> list[str]:
    cells = solved(NOTEBOOK)["cells"]
    return next(cell["source"] for cell in cells if "".join(cell["source"]).startswith(f"def {function}("))


@pytest.mark.parametrize("imported", SOLVED)
def test_a_library_that_has_the_answer_gives_nothing_and_the_reason(imported, sandbox):
    name = imported.split()[-1]
    call = {"overlap": "overlap(a, b)", "boxes": "boxes.iou(a, b)"}.get(name, f"{name}.ops.box_iou(a, b)")
    for code in (iou(f"return {call}", head=imported), iou(f"{imported}\nreturn {call}")):
        earned, graded = points(spoilt(code), sandbox)
        assert earned == ALL - IOU
        assert graded.status == "flagged"
        assert "which has the answer" in graded.results[0].failures[0]


@pytest.mark.parametrize(
    "body",
    [
        'return __import__("torch" + "vision").ops.box_iou(a, b)',
        'import importlib\nreturn importlib.import_module("lecture" + "_lib.boxes").iou(a, b)',
        'import sys\nsys.path.insert(0, ".")\nreturn __import__("lecture" + "_lib").boxes.iou(a, b)',
        "return torch.ops.torchvision.nms(a, b[:, 0], 0.5)",
    ],
)
def test_nor_does_one_whose_name_is_hidden(body, sandbox):
    assert attacked(spoilt(iou(body)), sandbox).earned == 0


def test_patches_of_what_a_test_would_use_change_nothing(sandbox):
    patches = (
        "import numpy as np\nimport torch\n\nlist = tuple\nnp.allclose = lambda *a, **k: True\n"
        "np.testing.assert_allclose = lambda *a, **k: None\ntorch.allclose = lambda *a, **k: True\n"
        "torch.Tensor.__eq__ = lambda *a: True"
    )
    inside = "torch.allclose = torch.equal = lambda *a, **k: True\ntorch.Tensor.__eq__ = lambda *a: True\nreturn a"
    earned, graded = points(spoilt(iou(inside), first=patches), sandbox)
    assert earned == ALL - IOU
    assert graded.status == "flagged"


@pytest.mark.parametrize(
    "body",
    ["import sys\nsys.exit(0)", "import os\nos._exit(0)", "import ctypes\nctypes.string_at(0)", "raise SystemExit"],
)
def test_leaving_python_loses_only_that_exercise(body, sandbox):
    assert points(spoilt(iou(body)), sandbox)[0] == ALL - IOU
    assert points(solved(NOTEBOOK, first="import sys\nsys.exit(0)"), sandbox)[0] == ALL


def test_ipython_hooks_change_nothing(sandbox):
    hooks = (
        "get_ipython().input_transformers_cleanup.append(lambda lines: ['score = 100'])\n"
        "get_ipython().ast_transformers = [None]\nimport sys\n\nsys.displayhook(4.0)\nraise SystemExit"
    )
    assert points(spoilt(iou("return 0"), first=hooks, last="%%capture\nx = 1"), sandbox)[0] == ALL - IOU


@pytest.mark.parametrize(
    "act",
    [
        'open("gradebook.db", "wb").write(b"forged")',
        'open("{folder}/new", "w")',
        'open("{folder}/mine", "a").write("forged")',
        'os.remove("{folder}/mine")',
        'os.rename("{folder}/mine", "{folder}/yours")',
        'os.truncate("{folder}/mine", 0)',
        'os.chmod("{folder}/mine", 0)',
        'os.utime("{folder}/mine", (0, 0))',
        'os.symlink("/etc/passwd", "{folder}/link")',
        'os.mkdir("{folder}/made")',
        'open(torch.__file__, "a").write("forged")',
    ],
)
def test_nothing_is_written(act, sandbox, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("kept")
    before = mine.stat()
    act = act.format(folder=tmp_path)
    body = f"import os\n{act}\nreturn torch.zeros(len(a), len(b))"
    graded = attacked(spoilt(iou(body)), sandbox)
    assert graded.earned == 0
    assert "PermissionError" in graded.failures[0] or "FileNotFound" in graded.failures[0]
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_text() == "kept"
    assert (mine.stat().st_mode, mine.stat().st_mtime) == (before.st_mode, before.st_mtime)


@pytest.mark.parametrize(
    "path",
    [
        "{grading}/hidden/rcnn.py",
        "{grading}/solutions/03_rcnn.ipynb",
        "{library}/boxes.py",
        "/etc/passwd",
        "/proc/1/mem",
    ],
)
def test_nothing_of_the_grader_is_read(path, sandbox):
    grading = Path(judge.__file__).parent
    path = path.format(grading=grading, library=grading.parent / "lecture_lib")
    graded = attacked(spoilt(iou(f'open("{path}", "rb").read(1)\nreturn 0')), sandbox)
    assert "PermissionError" in graded.failures[0]
    graded = attacked(spoilt(iou(f'import os\nos.listdir("{Path(path).parent}")\nreturn 0')), sandbox)
    assert "PermissionError" in graded.failures[0]


def test_the_hidden_input_is_in_no_message(sandbox):
    loud = "class Told(Exception):\n    pass\n\n\nraise_it = Told"
    body = "raise raise_it(str(a.tolist()))"
    graded = attacked(spoilt(iou(body, head=loud)), sandbox)
    named = "raise type(str(a.tolist()), (Exception,), {})"
    other = attacked(spoilt(iou(named)), sandbox)
    for failure in [*graded.failures, *other.failures]:
        assert "[[" not in failure
        assert "an exception in code cell" in failure


@pytest.mark.parametrize(
    "value",
    [
        "type('Bomb', (), {'__reduce__': lambda self: (print, ('ran',))})()",
        "lambda: 1",
        "torch.zeros(1, dtype=torch.complex64)",
        "torch.zeros(1 << 40).expand(1)",
        "'x' * (100 << 20)",
        "deep()",
        "float('nan')",
        "{'dict': {}}",
        "10 ** 5000",
        "range(5)",
    ],
)
def test_values_that_are_no_answer_are_refused(value, sandbox):
    head = "def deep():\n    x = []\n    for _ in range(5000):\n        x = [x]\n    return x"
    assert attacked(spoilt(iou(f"return {value}", head=head)), sandbox).earned == 0


def test_bytes_that_are_no_message_are_refused(sandbox):
    for raw in ('b"\\x80\\x04cos\\nsystem"', 'b"\\xff" * 12', 'b"\\0\\0\\0\\2" + b"\\0" * 8 + b"[1"', "b''"):
        body = (
            f"import os\nfor descriptor in range(3, 64):\n    try:\n        os.write(descriptor, {raw} * 9)\n"
            "    except OSError:\n        pass\nreturn torch.zeros(len(a), len(b))"
        )
        assert attacked(spoilt(iou(body)), sandbox).earned == 0


@pytest.mark.parametrize(
    "body",
    [
        "x = bytearray(2 << 30)\nreturn 0",
        "x = []\nwhile True:\n    x.append(torch.ones(1 << 24))",
        "import os\nwhile True:\n    os.fork()",
        'import os\nif os.fork() == 0:\n    os.setsid()\n    os.execv("/bin/sleep", ["sleep", "987"])\nreturn 0',
        'import subprocess\nsubprocess.Popen(["sleep", "987"])\nreturn 0',
        "import threading\nwhile True:\n    threading.Thread(target=lambda: __import__('time').sleep(987)).start()",
    ],
)
def test_memory_and_processes_are_bounded_and_nothing_survives(body, sandbox):
    assert attacked(spoilt(iou(body)), sandbox).earned == 0
    assert "987" not in subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True).stdout
    children = Path(f"/proc/{sandbox._process.pid}/task/{sandbox._process.pid}/children").read_text().split()
    assert not children, "a process of a submission is left"


def test_no_network_and_no_socket_of_the_machine(sandbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("docker.sock")
    listener.listen()
    listener.setblocking(False)
    calls = (
        f'socket.socket(socket.AF_UNIX).connect("{tmp_path}/docker.sock")',
        'socket.create_connection(("127.0.0.1", 22), 1)',
        'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53))',
    )
    for call in calls:
        graded = attacked(spoilt(iou(f"import socket\n{call}\nreturn 0")), sandbox)
        assert "PermissionError" in graded.failures[0], call
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def test_other_processes_are_out_of_reach(sandbox):
    body = f"import os\nos.kill({os.getpid()}, 9)\nreturn 0"
    graded = attacked(spoilt(iou(body)), sandbox)
    assert "ProcessLookupError" in graded.failures[0]


def test_the_environment_is_empty(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_GRADER", "1")
    body = "import os\nraise KeyError if os.environ else IndexError"
    graded = attacked(spoilt(iou(body)), sandbox)
    assert "IndexError" in graded.failures[0]


def test_a_template_that_is_no_more_is_replaced(sandbox):
    sandbox._process.kill()
    sandbox._process.wait()
    assert points(solved(NOTEBOOK), sandbox)[0] == ALL


def test_every_wall_stands_or_the_machine_is_refused(sandbox, monkeypatch):
    assert sandbox.level.startswith("full")
    monkeypatch.setattr("grading.sandbox.parent.WALLS", (*sandbox.walls, "moat"))
    with pytest.raises(Weak, match=r"no moat.*--allow-weak-isolation"):
        Sandbox()
    with Sandbox(allow_weak=True) as weak:
        assert weak.level == "weak: no moat"
        assert points(solved(NOTEBOOK), weak)[0] == ALL
