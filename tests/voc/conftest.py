"""A sound folder of two images."""

import pytest

from tests.voc.folders import add, an_object


@pytest.fixture
def root(tmp_path):
    """A sound folder of two images, for a test to damage."""
    add(tmp_path, "a", an_object())
    add(tmp_path, "b", an_object("cat"), an_object("dog", (11, 21, 12, 22)))
    return tmp_path
