"""What the notebooks' exercises are checked with."""

from lecture_lib.exercises.check import Case, check

__all__ = ["Case", "check"]
