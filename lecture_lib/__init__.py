"""Companion library of the course: from transfer learning to two-stage object detectors.

Nothing is imported here, so that `import lecture_lib` costs nothing; take what you need from the modules,
for example `from lecture_lib.boxes import iou`.
"""

__version__ = "0.1.0"
