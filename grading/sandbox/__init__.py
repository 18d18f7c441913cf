"""Students' code runs here: in a process that sees no file, no network, no other process and no expected value."""

from grading.sandbox.parent import Child, Sandbox, Weak
from grading.sandbox.walls import WALLS

__all__ = ["WALLS", "Child", "Sandbox", "Weak"]
