"""Whether a student's result is the right one, and if not, which of the usual mistakes it looks like."""

from typing import Any

import torch
from torch import Tensor

SWAPPED = "x and y are swapped"
TRANSPOSED = "rows and columns are exchanged"
ORDER = "the right entries in another order"
SHAPE = "a result of another shape"
FLOATS = "floating point numbers where whole ones are needed: convert with .long()"
ROUNDED = "whole numbers where fractions are needed: convert with .float() before dividing"
NAN = "not a number (NaN), as 0 / 0 gives"
DEVICE = "a tensor on another device than the input: create it with device=boxes.device"
KIND = "not the kind of value that is asked for"
VALUES = "other values"


def difference(got: Any, expected: Any) -> str | None:
    """The kind of difference between two results, None where they are equal within 1e-5.

    Lists of numbers count as tensors, and any floating point dtype will do. A tuple is compared item by item.
    """
    if isinstance(expected, tuple):
        if not isinstance(got, list | tuple | Tensor) or len(got) != len(expected):
            return KIND
        return next((found for pair in zip(got, expected, strict=True) if (found := difference(*pair))), None)
    if isinstance(expected, str | dict | set) or isinstance(got, str | dict | set) or got is None:
        return KIND if type(got) is not type(expected) else None if got == expected else VALUES
    try:
        return _compared(_tensor(got), _tensor(expected))
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return KIND


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, list | tuple) and any(isinstance(item, list | tuple | Tensor) for item in value):
        return torch.stack([_tensor(item) for item in value])
    is_list = isinstance(value, list | tuple)
    whole = not is_list or not value or all(isinstance(item, int) for item in value)
    return torch.as_tensor(value, dtype=torch.long if is_list and whole else None)


def _compared(got: Tensor, expected: Tensor) -> str | None:
    if got.device != expected.device and expected.ndim and got.ndim:
        return DEVICE
    got, whole, wanted = got.double().cpu(), not got.is_floating_point(), not expected.is_floating_point()
    expected = expected.double().cpu()
    if got.shape == expected.shape and _equal(got, expected):
        return FLOATS if wanted and not whole and expected.ndim else None
    if got.ndim == expected.ndim == 2 and got.T.shape == expected.shape and _equal(got.T, expected):
        return TRANSPOSED
    if got.shape != expected.shape:
        return SHAPE
    if (got.isnan() & ~expected.isnan()).any():
        return NAN
    if whole and not wanted:
        return ROUNDED
    return _permuted(got, expected)


def _permuted(got: Tensor, expected: Tensor) -> str:
    if got.shape[-1:] == (4,) and _equal(got[..., [1, 0, 3, 2]], expected):
        return SWAPPED
    if got.ndim == 1 and _equal(got.sort().values, expected.sort().values):
        return ORDER
    return VALUES


def _equal(left: Tensor, right: Tensor) -> bool:
    return torch.allclose(left, right, rtol=1e-5, atol=1e-6, equal_nan=True)
