import sys
from types import SimpleNamespace

import pytest
import torch

from lecture_lib.proposals import opencv_selective_search


def test_no_pixels():
    with pytest.raises(ValueError, match=r"\[3, H, W\]"):
        opencv_selective_search(torch.zeros(3, 0, 4))


def test_finds_a_rectangle_in_half_open_rgb_boxes():
    image = torch.zeros(3, 60, 80)
    image[0, 10:40, 20:70] = 1.0
    found = opencv_selective_search(image, "single")
    assert found.image_size == (60, 80)
    assert [20.0, 10.0, 70.0, 40.0] in found.boxes.tolist()


def test_plain_opencv_hides_the_contrib_build(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__="4.9.0"))
    with pytest.raises(ImportError, match=r"pip uninstall -y opencv-python .*pip install opencv-contrib"):
        opencv_selective_search(torch.rand(3, 20, 20))


def test_unknown_mode():
    with pytest.raises(ValueError, match="quality"):
        opencv_selective_search(torch.rand(3, 20, 20), "slow")


@pytest.mark.parametrize("mode", ["fast", "quality"])
def test_modes_differ_in_number_of_boxes(mode, generator):
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), scale_factor=12)[0]
    assert len(opencv_selective_search(image, mode)) > len(opencv_selective_search(image, "single"))
