"""Every kind of picture that a student may bring, and what is no picture."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from lecture_lib.images import read_image
from lecture_lib.structures import check_image

HEIGHT, WIDTH = 24, 36


@pytest.fixture
def photo() -> Image.Image:
    """A smooth RGB picture in which no two directions and no two channels are alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.stack([x * 7, y * 10, 255 - x * 3 - y], axis=-1).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def as_tensor(picture: Image.Image) -> torch.Tensor:
    return torch.tensor(np.array(picture.convert("RGB")) / 255, dtype=torch.float32).permute(2, 0, 1)


def test_empty_file_is_one_clear_error(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ValueError, match=r"empty\.jpg cannot be read as a picture.*save it again"):
        read_image(tmp_path / "empty.jpg")


def test_rgb_from_path_bytes_and_open_file(tmp_path, photo):
    path = tmp_path / "photo.png"
    photo.save(path)
    content = path.read_bytes()
    with path.open("rb") as file:
        sources = [path, str(path), content, bytearray(content), memoryview(content), io.BytesIO(content), file]
        images = [read_image(source) for source in sources]
    for image in images:
        check_image(image)
        assert image.dtype == torch.float32
        assert image.is_contiguous()
        assert torch.equal(image, as_tensor(photo))
    images[0].zero_()  # the tensor is its own memory, writable


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(photo, mode):
    picture = photo.convert(mode)
    image = read_image(encoded(picture, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"))
    assert (image - as_tensor(picture)).abs().max() <= 1 / 255


def test_cmyk_jpeg_keeps_its_colours(photo):
    image = read_image(encoded(photo.convert("CMYK"), "JPEG", quality=95))
    assert (image - as_tensor(photo)).abs().mean() < 0.02


def test_transparent_pixels_show_white(photo):
    photo.putalpha(Image.new("L", photo.size, 0))
    assert torch.equal(read_image(encoded(photo)), torch.ones(3, HEIGHT, WIDTH))
    photo.putalpha(Image.new("L", photo.size, 51))  # a fifth of the colour, four fifths of white
    expected = 0.2 * as_tensor(photo) + 0.8
    assert (read_image(encoded(photo)) - expected).abs().max() < 1.5 / 255


def test_transparent_palette_shows_white():
    picture = Image.new("P", (WIDTH, HEIGHT), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    assert torch.equal(read_image(encoded(picture, transparency=1)), torch.ones(3, HEIGHT, WIDTH))
    assert torch.equal(read_image(encoded(picture, transparency=0)), as_tensor(picture))


def test_16_bit_grey_is_scaled_and_keeps_its_precision():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = read_image(encoded(Image.fromarray(values)))
    assert (image - torch.tensor(values / 65535)).abs().max() < 1e-6
    assert torch.equal(image[0], image[2])
    small = read_image(encoded(Image.fromarray(values)), max_side=16)
    assert small.shape == (3, 16, 16)
    assert abs(small.mean() - 0.5) < 1e-3


def test_16_bit_colour():
    cv2 = pytest.importorskip("cv2")
    colour = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    image = read_image(cv2.imencode(".png", colour[..., ::-1])[1].tobytes())
    assert (image - torch.tensor(colour / 65535).permute(2, 0, 1)).abs().max() <= 1 / 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo, orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = photo.transpose(undo[orientation]) if orientation > 1 else photo
    exif = Image.Exif()
    exif[274] = orientation
    assert torch.equal(read_image(encoded(stored, exif=exif)), as_tensor(photo))


def test_max_side_shrinks_only(photo):
    assert read_image(encoded(photo), max_side=18).shape == (3, 12, 18)
    assert torch.equal(read_image(encoded(photo), max_side=WIDTH), as_tensor(photo))
    stripe = Image.new("RGB", (1000, 2), "red")
    assert read_image(encoded(stripe), max_side=10).shape == (3, 1, 10)
    with pytest.raises(ValueError, match="max_side is 0"):
        read_image(encoded(photo), max_side=0)


def test_shrinking_averages():
    fine = np.indices((64, 64)).sum(axis=0) % 2 * 255  # a checkerboard of single pixels must become grey
    image = read_image(encoded(Image.fromarray(fine.astype(np.uint8))), max_side=8)
    assert (image - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_truncated_picture_is_one_clear_error(tmp_path, kind, part):
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "half"
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ValueError, match=r"half cannot be read as a picture.*copy or download it anew"):
        read_image(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "notes.jpg").write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.jpg cannot be read as a picture"):
        read_image(tmp_path / "notes.jpg")
    with pytest.raises(ValueError, match="the uploaded picture cannot be read"):
        read_image(b"not a picture")
    with pytest.raises(FileNotFoundError, match=r"no picture .*missing\.jpg. Check its name"):
        read_image(tmp_path / "missing.jpg")
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path)
    with pytest.raises(ValueError, match="mode 'rb'"):
        read_image(io.StringIO("text"))
    floats = Image.fromarray(np.ones((4, 4), np.float32) * 3)
    with pytest.raises(ValueError, match="floating-point"):
        read_image(encoded(floats, "TIFF"))


def test_enormous_picture_is_one_clear_error(monkeypatch, photo):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"too large.*Shrink it"):
        read_image(encoded(photo))
