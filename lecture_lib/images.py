"""Reading a picture into the one form that the course uses: float32 [3, H, W], RGB, 0 to 1."""

import io
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

Picture = str | os.PathLike | bytes | bytearray | memoryview | io.IOBase

_WHAT_TO_DO = "Open it in an image viewer; if it shows, save it again as JPEG or PNG, else copy or download it anew."


def read_image(source: Picture, max_side: int | None = None) -> Float[Tensor, "3 h w"]:
    """Read a photograph from a file, from bytes (an upload) or from an open binary file.

    Grey, palette, CMYK and 16-bit pictures become RGB, transparent pixels show white, and a phone's
    EXIF orientation is applied, so that the picture stands as a viewer shows it.

    max_side: a picture whose longer side has more pixels is shrunk to it, its shape kept.
    Raises FileNotFoundError when there is no such file, ValueError when it is not a whole picture.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side is {max_side}: give the longer side in pixels, 1 or more, or None to keep the size")
    name, data = _read_bytes(source)
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
        picture = _to_rgb_or_float(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large to be read ({error}). Shrink it in an image viewer first.") from error
    except Exception as error:  # Pillow's decoders fail with many types: OSError, SyntaxError, struct.error, ...
        raise ValueError(f"{name} cannot be read as a picture ({error}). {_WHAT_TO_DO}") from error
    return _to_tensor(_shrink(picture, max_side))


def _read_bytes(source: Picture) -> tuple[str, bytes]:
    """The name to use in messages, and the content."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"there is no picture {path}. Check its name and folder (we are in {Path.cwd()}).")
        return str(path), path.read_bytes()
    if isinstance(source, bytes | bytearray | memoryview):
        return "the uploaded picture", bytes(source)
    data = source.read()
    if not isinstance(data, bytes):
        raise ValueError("the picture's file was opened as text: open it with mode 'rb'")
    return str(getattr(source, "name", "the uploaded picture")), data


def _to_rgb_or_float(picture: Image.Image) -> Image.Image:
    """Mode RGB (8 bits a channel), or F scaled to 0..255 for 16-bit grey, which convert() would clip."""
    if picture.mode.startswith("I"):  # "I;16", "I;16B", or "I" from older versions of Pillow
        values = np.asarray(picture).astype(np.float32)
        if values.size and not 0 <= values.min() <= values.max() <= 65535:
            raise ValueError("its values do not fit in 16 bits")
        return Image.fromarray(values / 257)  # 65535 / 255 = 257
    if picture.mode == "F":
        raise ValueError("it holds floating-point values whose white is not known")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _shrink(picture: Image.Image, max_side: int | None) -> Image.Image:
    longer = max(picture.size)
    if max_side is None or longer <= max_side:
        return picture
    width, height = (max(1, round(side * max_side / longer)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR)  # Pillow's bilinear averages: no aliasing


def _to_tensor(picture: Image.Image) -> Float[Tensor, "3 h w"]:
    values = np.asarray(picture)
    values = np.broadcast_to(values, (3, *values.shape)) if values.ndim == 2 else values.transpose(2, 0, 1)
    return torch.from_numpy(np.divide(values, 255, dtype=np.float32, order="C"))  # 10 times faster than in torch
