"""What stands around a submission: it reads, writes, reaches and leaves behind nothing."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grading", reason="the instructor's package is not here")

from grading import judge
from grading.sandbox import Sandbox, Weak, wire
from grading.solved import solved
from tests.exercises.hostile import ALL, NOTEBOOK, attacked, iou, points, spoilt

ROOT = Path(judge.__file__).parents[1]
pytestmark = pytest.mark.usefixtures("impatient")


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


@pytest.mark.parametrize("value", [None, [], (), set(), {"a", "b"}, [(1, 2.5), {3}], {"kept": [True, {("x", 0)}]}])
def test_a_value_comes_back_as_it_was_sent(value):
    here, there = socket.socketpair()
    with here, there:
        wire.send(here, value)
        assert wire.receive(there) == value


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


def test_a_machine_that_forbids_user_namespaces_is_told_and_refused(sandbox):
    code = "from grading.sandbox import Sandbox; Sandbox()"
    forbid = f"echo 0 > /proc/sys/user/max_user_namespaces; exec {sys.executable} -c '{code}'"
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", forbid], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "gives a submission no user namespace" in done.stderr
