"""What becomes of a detector's backbone when it is saved and loaded again."""

from copy import deepcopy

from torch import nn

from lecture_lib.backbones import fold_batch_norm


def as_loaded(module: nn.Module) -> nn.Module:
    """A copy, rounded to half precision, its BatchNorms folded."""
    rounded = deepcopy(module).eval()
    for tensor in [*rounded.parameters(), *rounded.buffers()]:
        tensor.data = tensor.half().float() if tensor.is_floating_point() else tensor
    fold_batch_norm(rounded)
    return rounded
