"""Hidden cases: for each exercise a function from a random generator to (kind, arguments), many of each kind.

The kind is told to students, the arguments never.
"""

from collections.abc import Callable

import torch

from grading.hidden import fast_rcnn, rcnn, sppnet

HiddenCases = list[tuple[str, tuple]]
HIDDEN: dict[str, Callable[[torch.Generator], HiddenCases]] = {**rcnn.HIDDEN, **sppnet.HIDDEN, **fast_rcnn.HIDDEN}
