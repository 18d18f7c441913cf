"""Values as bytes, between the grader and the process of a student: JSON and raw arrays, never pickle.

A message is 4 bytes (length of the JSON), 8 bytes (length of the arrays), the JSON, the arrays one after the other.
Both sides use this file; the process of a student loads it by its path, so it imports nothing of the project.
"""

import json
import math
import socket
import struct
from typing import Any

import torch

HEAD = struct.Struct(">IQ")
MOST_JSON, MOST_BYTES, DEEPEST = 4 << 20, 16 << 20, 12
DTYPES = {
    name: getattr(torch, name)
    for name in ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
SEQUENCES = {"list": list, "tuple": tuple, "set": set}


class Malformed(ValueError):
    """Bytes or a value that the protocol does not allow."""


def send(connection: socket.socket, value: Any) -> None:
    """Send a value of None, bool, int, float, str, list, tuple, set, dict, tensor, NumPy array or torch.Generator.

    Raises Malformed for anything else and for what is too large.
    """
    blob = bytearray()
    text = json.dumps(_pack(value, blob, 0)).encode()
    if len(text) > MOST_JSON or len(blob) > MOST_BYTES:
        raise Malformed(f"a message of {len(text) + len(blob)} bytes is too large")
    connection.sendall(HEAD.pack(len(text), len(blob)) + text + blob)


def receive(connection: socket.socket) -> Any:
    """The next value. Raises Malformed for forbidden bytes, EOFError when the other side has gone, TimeoutError."""
    length, size = HEAD.unpack(_exactly(connection, HEAD.size))
    if length > MOST_JSON or size > MOST_BYTES:
        raise Malformed(f"a message of {length + size} bytes is too large")
    text, blob = _exactly(connection, length), _exactly(connection, size)
    try:
        return _unpack(json.loads(text), blob, 0)
    except (ValueError, RecursionError, TypeError, KeyError, OverflowError, RuntimeError, AttributeError) as error:
        raise Malformed(f"not a message: {type(error).__name__}") from None


def _exactly(connection: socket.socket, count: int) -> bytearray:
    got = bytearray()
    while len(got) < count:
        part = connection.recv(min(count - len(got), 1 << 20))
        if not part:
            raise EOFError("the other side has gone")
        got += part
    return got


def _pack(value: Any, blob: bytearray, depth: int) -> Any:
    if depth > DEEPEST:
        raise Malformed(f"nested deeper than {DEEPEST}")
    if value is None or value is ... or isinstance(value, bool | str):
        return None if value is ... else value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, list | tuple | set):
        kind = next(kind for kind in SEQUENCES if isinstance(value, SEQUENCES[kind]))
        return {kind: [_pack(item, blob, depth + 1) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_pack(k, blob, depth + 1), _pack(v, blob, depth + 1)] for k, v in value.items()]}
    if isinstance(value, torch.Generator):
        return {"generator": value.initial_seed()}
    if hasattr(value, "__array__") and not isinstance(value, torch.Tensor):
        value = torch.as_tensor(value)
    if isinstance(value, torch.Tensor) and value.dtype in NAMES:
        at = len(blob)
        blob += value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        return {"tensor": [NAMES[value.dtype], list(value.shape), at]}
    raise Malformed(f"a {type(value).__name__} cannot be sent")


def _unpack(value: Any, blob: bytearray, depth: int) -> Any:
    if depth > DEEPEST:
        raise Malformed(f"nested deeper than {DEEPEST}")
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise Malformed("a bare list")
        return value
    ((kind, content),) = value.items()
    if kind in SEQUENCES:
        return SEQUENCES[kind](_unpack(item, blob, depth + 1) for item in content)
    if kind == "dict":
        return {_unpack(k, blob, depth + 1): _unpack(v, blob, depth + 1) for k, v in content}
    if kind == "generator":
        return torch.Generator().manual_seed(content)
    if kind == "tensor":
        return _tensor(*content, blob)
    raise Malformed("an unknown kind of value")


def _tensor(name: str, shape: list, at: int, blob: bytearray) -> torch.Tensor:
    dtype = DTYPES[name]
    if len(shape) > 8 or not all(type(n) is int and 0 <= n <= MOST_BYTES for n in [*shape, at]):
        raise Malformed("a shape that is none")
    count = math.prod(shape)
    if at + count * dtype.itemsize > len(blob):
        raise Malformed("a tensor that is larger than what was sent")
    if not count:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(blob, dtype=torch.uint8, count=count * dtype.itemsize, offset=at)
    return flat.clone().view(dtype).reshape(shape)
