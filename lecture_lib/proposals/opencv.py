"""OpenCV's Selective Search, to compare ours with (it needs the contrib build of OpenCV)."""

import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib.structures import Proposals, check_image


def opencv_selective_search(image: Float[Tensor, "3 h w"], mode: str = "fast") -> Proposals:
    """OpenCV's proposals for an RGB image in 0..1, in its order, without scores.

    `mode` is "fast", "quality" or "single", each with OpenCV's own values. Raises `ValueError` for another mode
    or an image that is none, `ImportError` without the contrib build.
    """
    check_image(image)
    if mode not in ("fast", "quality", "single"):
        raise ValueError(f'mode: expected "fast", "quality" or "single", got {mode!r}')
    search = _segmentation_module().createSelectiveSearchSegmentation()
    pixels = (image.detach().cpu().flip(0).permute(1, 2, 0) * 255).round().byte()  # BGR, height first
    search.setBaseImage(pixels.contiguous().numpy())
    if mode == "fast":
        search.switchToSelectiveSearchFast()
    elif mode == "quality":
        search.switchToSelectiveSearchQuality()
    else:
        search.switchToSingleStrategy()
    boxes = torch.from_numpy(search.process()).float().view(-1, 4)  # x, y, width, height
    return Proposals(torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1), None, tuple(image.shape[1:]))


def _segmentation_module():
    import cv2

    if not hasattr(cv2, "ximgproc"):
        raise ImportError(
            "this OpenCV has no `ximgproc`: plain opencv-python hides the contrib build. Remove every OpenCV with "
            "`pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python "
            "opencv-contrib-python-headless`, then `pip install opencv-contrib-python-headless`"
        )
    return cv2.ximgproc.segmentation
