"""CONTRIBUTING.md's worked example of a detector of one's own: its code is run as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import lecture_lib
from lecture_lib import detectors
from lecture_lib.pooling import bins, pool_bins, rounded_windows
from lecture_lib.training import examples

PAGE = Path(lecture_lib.__file__).parents[1] / "CONTRIBUTING.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The names that the first block defines."""
    names: dict[str, Any] = {}
    exec(BLOCKS[0], names)
    return names


def test_no_region(example: dict[str, Any]) -> None:
    trace, pool = example["trace"], example["pool"]
    assert pool(trace.maps, trace.proposals[:0]).shape == (0, example["backbone"].channels, pool.bands, 1)


def test_the_pool_against_a_loop(example: dict[str, Any]) -> None:
    trace, pool = example["trace"], example["pool"]
    cells = bins(rounded_windows(trace.proposals.boxes[:10], trace.maps[0].stride), pool.bands, 1)
    expected = pool_bins(trace.maps[0].tensor, cells)
    torch.testing.assert_close(trace.features.pool5[:10], expected.flatten(1))


def test_only_the_pool_is_another_algorithm(example: dict[str, Any]) -> None:
    assert example["detectors"].changed_slots(example["before"], example["detector"]) == ("pool",)


def test_it_learns_as_the_page_says(example: dict[str, Any], tmp_path: Path, monkeypatch, capsys) -> None:
    ready = examples.ready
    monkeypatch.setattr(examples, "ready", lambda dataset: ready(dataset.part(0, 3)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(detectors.RECIPES, "band_rcnn", None)  # taken out again after the test
    assert BLOCKS[1].count("JointTraining()") == 1
    names = dict(example)
    exec(BLOCKS[1].replace("JointTraining()", "JointTraining(steps=2)"), names)
    loaded = detectors.load(tmp_path / "build/bands/band_rcnn.safetensors")
    assert isinstance(loaded.pool, names["BandPool"])
    pooled = torch.ones(1, example["backbone"].channels, example["pool"].bands, 1)
    kept, found = names["detector"].embed(pooled).fc7, loaded.embed(pooled).fc7
    torch.testing.assert_close(found, kept, rtol=0.01, atol=0.01)  # weights are kept in half precision
    assert 0 <= float(capsys.readouterr().out.splitlines()[-1]) <= 1


def test_the_example_is_short() -> None:
    assert len(BLOCKS[0].splitlines()) < 30
    assert max(len(line) for block in BLOCKS for line in block.splitlines()) <= 120
