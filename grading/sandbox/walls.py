"""The walls around the process of a student: namespaces, Landlock, a filter of system calls, limits (Linux, by ctypes).

The template applies `own_namespaces` before it loads anything; a fork for a student puts up the rest. Every function
returns whether the kernel did it: what a machine does not allow is reported, never assumed.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

WALLS = ("user namespace", "network namespace", "process namespace", "Landlock", "system call filter", "limits")
PACKAGES = "torch torchgen functorch numpy numpy.libs typing_extensions.py sympy mpmath networkx jinja2 filelock fsspec"
NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
READ_FILE, READ_DIR = 1 << 2, 1 << 3
GIB = 1 << 30
libc = ctypes.CDLL(None, use_errno=True)


def own_namespaces() -> dict[str, bool]:
    """Leave the machine's users, network and messages; to be called while the process has one thread."""
    user, group = os.getuid(), os.getgid()
    alone = libc.unshare(NEWUSER) == 0
    if alone:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # end with the grader's thread, also while PyTorch is still loading
    return {"user namespace": alone, "network namespace": libc.unshare(NEWNET | NEWIPC | NEWUTS) == 0}


def own_processes() -> bool:
    """From here on children are the first process of a namespace: with the first, all others in it end."""
    return libc.unshare(NEWPID) == 0


def readable() -> Iterator[Path]:
    """What a student's process may read: the standard library, PyTorch, NumPy and what these two need."""
    standard = Path(sysconfig.get_path("stdlib"))
    yield from (entry for entry in standard.iterdir() if entry.name not in ("site-packages", "dist-packages"))
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        yield from (Path(folder) / name for name in PACKAGES.split() if (Path(folder) / name).exists())


def landlock_rules() -> int | None:
    """A Landlock ruleset that allows to read `readable` and nothing else: its descriptor, None without Landlock."""
    version = libc.syscall(444, None, 0, 1)
    if version < 3:  # before, files could still be truncated
        return None
    rights = (1 << (16 if version >= 5 else 15)) - 1
    attributes = struct.pack("QQQ", rights, 0b11, 0b11)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = libc.syscall(444, attributes, len(attributes), 0)
    for path in readable():
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = READ_FILE | READ_DIR if path.is_dir() else READ_FILE
        libc.syscall(445, rules, 1, struct.pack("=Qi", allowed, opened), 0)
        os.close(opened)
    return rules if rules >= 0 else None


def close_files(rules: int | None) -> bool:
    """Apply the ruleset to this process, for good."""
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges
    return rules is not None and libc.syscall(446, rules, 0) == 0


# What the filter refuses: programs, processes, sockets, other processes' memory, mounts, namespaces, the kernel's
# keys and modules, and changes of files' owners, modes, times and attributes, which Landlock does not see.
REFUSED = {
    "x86_64": (
        *(41, 57, 58, 59, 322, 101, 310, 311, 312, 434, 438, 425, 426, 427, 323, 298, 321, 103, 133, 259),
        *(165, 166, 155, 161, 272, 308, 428, 429, 430, 431, 432, 433, 442, 303, 304, 248, 249, 250),
        *(246, 320, 175, 313, 176, 167, 169, 170, 171, 163, 164, 227, 159, 172, 173, 179, 135, 240),
        *(90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199, 463, 466),
    ),
    "aarch64": (
        *(198, 221, 281, 117, 270, 271, 272, 434, 438, 425, 426, 427, 282, 241, 280, 116, 33),
        *(40, 39, 41, 51, 97, 268, 428, 429, 430, 431, 432, 433, 442, 264, 265, 217, 218, 219),
        *(104, 294, 105, 273, 106, 224, 142, 161, 162, 89, 170, 112, 171, 60, 92, 180),
        *(52, 53, 452, 54, 55, 88, 5, 6, 7, 14, 15, 16, 463, 466),
    ),
}
MACHINES = {"x86_64": (0xC000003E, 56), "aarch64": (0xC00000B7, 220)}  # audit number, clone
CLONE3, THREAD, EPERM, ENOSYS = 435, 0x10000, 1, 38


def filter_calls() -> bool:
    """Refuse system calls that no exercise needs (seccomp); threads may start, processes may not."""
    machine = platform.machine()
    if machine not in MACHINES or sys.maxsize < 1 << 32:
        return False
    program = _program(*MACHINES[machine], REFUSED[machine])
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    return libc.prctl(22, 2, described, 0, 0) == 0


def _program(audit: int, clone: int, refused: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x50000
    lines = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    lines += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse | EPERM)]  # x32's numbers
    lines += [(equal, 0, 1, CLONE3), (give, 0, 0, refuse | ENOSYS)]  # the C library then calls clone
    for number in refused:
        lines += [(equal, 0, 1, number), (give, 0, 0, refuse | EPERM)]
    lines += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 1, 0, THREAD), (give, 0, 0, refuse | EPERM)]
    return [*lines, (give, 0, 0, allow)]


def drop_powers() -> None:
    """Give up every capability, also those that hold only in the own namespace."""
    libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *(0,) * 6))


def limit(seconds: int, pages: int) -> bool:
    """Bound processor seconds, memory (1 GiB above the `pages` in use now), open files; no file may grow, no core."""
    memory = pages * resource.getpagesize() + GIB
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            resource.setrlimit(what, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
    except (OSError, ValueError):
        return False
    return True
