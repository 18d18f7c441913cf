"""An nbgrader course (0.9): run nbgrader's commands in this folder, with the environment's bin folder on PATH."""

import sys
from pathlib import Path

c = get_config()

if "__file__" in globals():
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nbgrader import preprocessors as steps

from grading.nbgrader_steps import FreeChangedCells, IsolatedExecute

c.CourseDirectory.course_id = "lecture"
c.ClearSolutions.code_stub = {"python": "return ..."}
c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    steps.ClearOutput,
    FreeChangedCells,
    steps.OverwriteKernelspec,
    steps.OverwriteCells,
    steps.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    IsolatedExecute,
    steps.IgnorePattern,
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    steps.LimitOutput,
    steps.SaveAutoGrades,
    steps.AssignLatePenalties,
    steps.CheckCellMetadata,
]
# What Moodle calls a handed-in file; Canvas: r".*/(?P<student_id>[^_/]+)_(LATE_)?\d+_\d+_(?P<file_id>[^/]+)\.ipynb"
c.FileNameCollectorPlugin.named_regexp = (
    r".*/(?P<student_id>[^_/]+)_\d+_assignsubmission_file_?/(?P<file_id>[^/]+)\.ipynb"
)
