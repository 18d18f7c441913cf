"""The clean process that loads PyTorch once and forks one process for each answer of a student.

Run by `parent.Sandbox` with the number of a socket. For each request, which carries two sockets, it forks a guard, and
the guard forks the student's process into a process namespace of its own. The guard ends it, and with it all that it
started, when the grader says so or is no more.
"""

import os
import select
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import walls

SEEN = walls.own_namespaces()  # before PyTorch can start a thread
import student  # noqa: E402
import wire  # noqa: E402

del sys.path[0]


def main() -> None:
    """Serve requests until the grader closes the socket."""
    grader = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    rules = walls.landlock_rules()
    student.warm_up()
    wire.send(grader, "ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(grader, 1, 2)
        if not request:
            return
        if os.fork() == 0:
            grader.close()
            guard(*descriptors, rules)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def guard(talk: int, control: int, rules: int | None) -> None:
    """Fork the student's process; end it when `control` is closed on the other side."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    SEEN["process namespace"] = walls.own_processes()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    child = os.fork()
    if child == 0:
        try:
            confine(talk, rules, pages)
        finally:
            os._exit(1)
    os.close(talk)
    ended = os.pidfd_open(child)
    select.select([control, ended], [], [])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def confine(talk: int, rules: int | None, pages: int) -> None:
    """Put up the walls, tell the grader which of them stand, then do the student's work."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    kept = sorted({talk, *([] if rules is None else [rules])})
    for low, high in zip([2, *kept], [*kept, 1 << 16], strict=True):
        os.closerange(low + 1, high)
    os.chdir("/")
    os.environ.clear()
    os.setsid()
    limits = walls.limit(student.SECONDS, pages)
    walls.drop_powers()
    files = walls.close_files(rules)
    if rules is not None:
        os.close(rules)
    stand = SEEN | {"Landlock": files, "system call filter": walls.filter_calls(), "limits": limits}
    student.work(socket.socket(fileno=talk), stand)


main()
