"""One sandbox for the tests of the grader; they skip where the machine cannot isolate."""

import pytest


@pytest.fixture(scope="session")
def sandbox():
    pytest.importorskip("grading", reason="the instructor's package is not here")
    from grading.sandbox import Sandbox, Weak

    try:
        with Sandbox() as made:
            yield made
    except Weak as error:
        pytest.skip(str(error))


@pytest.fixture
def impatient(monkeypatch):
    """Little time for an answer, so that endless loops end soon."""
    monkeypatch.setattr("grading.judge.LIMIT", 5.0)
