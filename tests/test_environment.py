"""The files that install the project agree with each other, so that no user gets a mixture that nobody tried."""

import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("needed", REQUIREMENTS)
def test_every_requirement_is_locked_to_a_version_that_satisfies_it(needed):
    needed = Requirement(needed)
    locked = [r for r in constraints() if r.name.lower() == needed.name.lower()]
    assert locked, f"{needed.name} is not in constraints.txt: run `make lock`"
    for requirement in locked:
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        assert needed.specifier.contains(pin.version), f"{requirement} does not satisfy {needed}: run `make lock`"


def test_torch_pair_has_lower_bounds_only():
    bounds = {r.name: str(r.specifier) for r in map(Requirement, PROJECT["dependencies"])}
    assert bounds["torch"] == ">=2.11"
    assert bounds["torchvision"] == ">=0.26"


def test_environment_yml_asks_for_the_same_python_and_takes_the_rest_from_pyproject():
    text = (ROOT / "environment.yml").read_text()
    assert re.search(r"^  - python(.+)$", text, re.M).group(1) == PROJECT["requires-python"]
    pip = re.search(r"^  - pip:\n((?:      - .+\n?)+)", text, re.M).group(1)
    assert [line.strip(" -") for line in pip.splitlines()] == [
        line.strip(" -") for line in ("--constraint constraints.txt", "--editable .[lab]")
    ], "versions belong in pyproject.toml alone"


def test_makefile_accepts_the_pythons_that_pyproject_does():
    low, high = re.search(
        r"\((\d, \d+)\) <= sys.version_info < \((\d, \d+)\)", (ROOT / "Makefile").read_text()
    ).groups()
    assert PROJECT["requires-python"] == ">={},<{}".format(*(v.replace(", ", ".") for v in (low, high)))


def test_installed_torch_pair_fits():
    import torch
    import torchvision

    assert Version(torch.__version__) >= Version("2.11")
    assert torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5).tolist() == [0]


def test_the_readme_s_test_command_is_what_ci_runs():
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
    assert "make lab" in (ROOT / "README.md").read_text()


def test_no_output_of_a_run_is_tracked_by_git():
    ignored = subprocess.run(["git", "ls-files", "-ci", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    assert ignored.stdout == ""
