"""Companion library of the course: from transfer learning to two-stage object detectors.

Nothing is imported here, so that `import lecture_lib` costs nothing; take what you need from the modules,
for example `from lecture_lib.boxes import iou`.
"""

__version__ = "0.1.0"


def device():
    """The fastest `torch.device` of this machine: cuda, else mps (Apple), else cpu. Library code follows its inputs."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
