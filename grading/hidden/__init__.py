"""Hidden cases: for each exercise a function from a random generator to (kind, arguments), many of each kind.

The kind is told to students, the arguments never.
"""

from collections.abc import Callable

import torch

from grading.hidden import fast_rcnn, faster_rcnn, rcnn, search, sppnet, stepping_forward, summary, transfer

HiddenCases = list[tuple[str, tuple]]
NOTEBOOKS = (transfer, search, rcnn, sppnet, fast_rcnn, faster_rcnn, summary, stepping_forward)
HIDDEN: dict[str, Callable[[torch.Generator], HiddenCases]] = {
    name: draw for module in NOTEBOOKS for name, draw in module.HIDDEN.items()
}
