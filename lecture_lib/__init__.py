"""Companion library of the course: from transfer learning to two-stage object detectors.

Nothing is imported here, so that `import lecture_lib` costs nothing; take what you need from the modules,
for example `from lecture_lib.boxes import iou`.
"""

__version__ = "1.0.0"


def device():
    """The fastest `torch.device` of this machine: cuda, else mps (Apple), else cpu. Library code follows its inputs.

    For a CPU it also asks the C library to keep freed memory, see `keep_freed_memory`.
    """
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    keep_freed_memory()
    return torch.device("cpu")


def keep_freed_memory() -> bool:
    """Have the C library keep memory that was freed, instead of giving it back to the system; whether it could be told.

    A network asks for the same few dozen megabytes in every pass. By default glibc (Linux) returns blocks above 32 MB
    at once, and the system clears every page of them anew: up to half of the time of a small network on two cores.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, Windows, musl: other allocators, other habits
        return False
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
    settings = {mmap_threshold: 2**30, trim_threshold: 2**31 - 1, top_pad: 2**28}
    told = [mallopt(name, value) for name, value in settings.items()]
    return told == [1, 1, 1]
