"""The grader's side: a template process, and for each answer a child that is asked for results."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from grading.sandbox import wire
from grading.sandbox.walls import WALLS

TEMPLATE = Path(__file__).with_name("template.py")
START = 120  # seconds in which a template must have loaded PyTorch, on a busy machine


class Weak(RuntimeError):
    """The machine cannot put up the walls that grading needs."""


class Sandbox:
    """One clean process that forks a walled-in child for each answer. Not to be shared by threads.

    Raises Weak if a wall is missing, unless `allow_weak`.
    """

    def __init__(self, allow_weak: bool = False) -> None:
        if sys.platform != "linux":
            raise Weak("submissions are graded on Linux only: use a virtual machine or a container on this system")
        self._allow_weak = allow_weak
        self._start()
        try:
            with self.child() as child:
                self.walls = child.walls
        except BaseException:
            self.close()
            raise

    @property
    def level(self) -> str:
        """The isolation reached, in words."""
        missing = [wall for wall in WALLS if not self.walls.get(wall)]
        return f"weak: no {', no '.join(missing)}" if missing else f"full: {', '.join(WALLS)}"

    def child(self) -> "Child":
        """A new process for one answer; the template is started again if it is no more."""
        if self._process.poll() is not None:
            self.close()
            self._start()
        child = Child(self._socket)
        missing = [wall for wall in WALLS if not child.walls.get(wall)]
        if missing and not self._allow_weak:
            child.close()
            raise Weak(
                f"this machine gives a submission no {', no '.join(missing)}. Grade on Linux 6.2 or newer, "
                "perhaps in a virtual machine, where unprivileged user namespaces are allowed, or accept the risk: "
                "--allow-weak-isolation"
            )
        return child

    def close(self) -> None:
        """End the template; children that are left end with their sockets."""
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._socket, other = socket.socketpair()
        with other:
            command = [sys.executable, "-s", "-P", "-B", str(TEMPLATE), str(other.fileno())]
            clean = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LC_ALL": "C.UTF-8"}
            self._process = subprocess.Popen(
                command,
                env=clean,
                cwd="/",
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket.settimeout(START)
        try:
            wire.receive(self._socket)
        except (EOFError, OSError, wire.Malformed) as error:
            self.close()
            raise RuntimeError(f"the sandbox did not start ({type(error).__name__}); its message is above") from None


class Child:
    """One process for one answer. `walls` says which walls stand around it."""

    def __init__(self, template: socket.socket) -> None:
        self._talk, inner = socket.socketpair()
        self._control, guarded = socket.socketpair()
        with inner, guarded:
            socket.send_fds(template, [b"f"], [inner.fileno(), guarded.fileno()])
        self._talk.settimeout(START)
        self.walls: dict[str, bool] = wire.receive(self._talk)

    def ask(self, message: Any, deadline: float) -> Any:
        """Send a message and return the answer.

        deadline: on the clock of `time.monotonic`. Raises TimeoutError, EOFError, OSError or wire.Malformed.
        """
        self._talk.settimeout(max(1e-3, deadline - time.monotonic()))
        wire.send(self._talk, message)
        reader = _Timed(self._talk, deadline)
        return wire.receive(reader)

    def close(self) -> None:
        """End the process and everything it started; returns when its guard has seen it end."""
        self._talk.close()
        self._control.shutdown(socket.SHUT_WR)
        self._control.settimeout(10)
        try:
            while self._control.recv(1):
                pass
        except OSError:
            pass
        self._control.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Timed:
    """A socket whose every read ends at one deadline: an answer that drips byte by byte gains no time."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline

    def recv(self, count: int) -> bytes:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv(count)
