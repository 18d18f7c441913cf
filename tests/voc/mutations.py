"""What bad luck makes of a folder in VOC's layout: damaged annotations, pictures, masks, splits and COCO files."""

import io
import json
from copy import deepcopy
from random import Random

import numpy as np
from PIL import Image

from tests.voc.folders import HEIGHT, SIZE, WIDTH, an_object

NUMBERS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "-0.0", "1e308", "1e-400", "9" * 400, "1_0", "0x10", "١٢", "１２", "½",
    "²", "1,5", "1 2", "None", "\u200b3", "2147483648", "1e38", "16777217.5", "0.5", "40.0000001",
)  # fmt: skip
TAGS = (
    "annotation", "size", "width", "height", "object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "difficult",
)  # fmt: skip
BOMB = "<!DOCTYPE a [<!ENTITY a 'ha'>{}]>".format(
    "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)
PROLOGUES = (
    "<?xml version='1.0' encoding='utf-16'?>", "<?xml version='1.0' encoding='nonsense'?>", BOMB,
    "<?xml version='1.0' encoding='idna'?>", "<?xml version='1.0' encoding='utf-32'?>", "<?xml version='1.0'?>",
    "\ufeff", "<?xml version='1.0' encoding='shift_jis'?>", "<?xml version='1.0' encoding='rot13'?>",
    "<?xml version='1.0' encoding='unicode_escape'?>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>",
)  # fmt: skip
PIECES = (
    "&i;", "&amp;", "&#0;", "&#x110000;", "<![CDATA[3]]>", "<!-- -->", "<x:y>", "\x00", "\ud800", "<a xmlns='b'>",
    "]]>", "<part><name>head</name></part>", "<object/>", "<object><name>unicorn</name></object>", "<?pi?>",
    "<d>" * 300,
)  # fmt: skip
PERSON = an_object("person", (3.5, 5, 7, 9), "<difficult>1</difficult>")
SOUND = f"<annotation>{SIZE}{an_object()}{PERSON}</annotation>"


def annotation(random: Random) -> bytes:
    """An annotation file with one to four mistakes in it, or by chance with none that matters."""
    text = (
        f"<annotation>{SIZE}{an_object()}{an_object('person', (3.5, 5, 7, 9), '<difficult>1</difficult>')}</annotation>"
    )
    for _ in range(random.randint(1, 4)):
        text = random.choice(_XML)(text, random)
    return any_bytes(text.encode("utf-8", "surrogatepass"), random) if random.random() < 0.3 else _encoded(text, random)


def _encoded(text: str, random: Random) -> bytes:
    encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig", "latin-1"))
    return text.encode(encoding, "replace")


def _number(text: str, random: Random) -> str:
    starts = [i for i in range(len(text) - 1) if text[i] == ">" and text[i + 1].isdigit()]
    if not starts:
        return text
    start = random.choice(starts) + 1
    end = text.find("<", start) if "<" in text[start:] else len(text)
    return text[:start] + random.choice((*NUMBERS, str(random.uniform(-50, 90)))) + text[end:]


def _drop_tag(text: str, random: Random) -> str:
    tag = random.choice(TAGS)
    return text.replace(random.choice((f"<{tag}>", f"</{tag}>")), "", 1)


def _rename_tag(text: str, random: Random) -> str:
    old, new = random.choice(TAGS), random.choice((*TAGS, "Größe", "x:y", ""))
    count = random.choice((1, -1))
    return text.replace(f"<{old}>", f"<{new}>", count).replace(f"</{old}>", f"</{new}>", count)


def _copy_piece(text: str, random: Random) -> str:
    start, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
    at = random.randrange(len(text) + 1)
    return text[:at] + text[start:end] + text[at:]


def _element(text: str, random: Random) -> str:
    """Drop, double or move a whole element, so that the file stays well-formed."""
    tag = random.choice(TAGS[1:])
    start, end = text.find(f"<{tag}>"), text.find(f"</{tag}>") + len(tag) + 3
    if start < 0 or end <= start:
        return text
    piece, rest = text[start:end], text[:start] + text[end:]
    at = rest.find(f"<{random.choice(TAGS)}>")
    return random.choice((rest, text[:end] + piece + text[end:], rest[: max(at, 0)] + piece + rest[max(at, 0) :]))


def _insert(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(PIECES) + text[at:]


def _begin(text: str, random: Random) -> str:
    return random.choice(PROLOGUES) + text


def _nest(text: str, random: Random) -> str:
    return text.replace("<object>", "<object><object>").replace("</object>", "</object></object>")


def _name(text: str, random: Random) -> str:
    return text.replace("dog", random.choice(("unicorn", "", "Dog", " dog ", "dog\n", "犬", "d" * 999, "&i;")), 1)


_XML = (
    _number, _number, _number, _drop_tag, _rename_tag, _copy_piece, _element, _element, _insert, _begin, _nest, _name,
)  # fmt: skip


def any_bytes(content: bytes, random: Random) -> bytes:
    """Some bytes of a file flipped, set, cut off, doubled or put in."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.choice((0, 255, 0x7F, random.randrange(256)))
            case 2:
                del changed[at:]
            case 3:
                changed[at:at] = changed[at : at + random.randrange(40)]
            case _:
                changed[at:at] = random.randbytes(random.randrange(6))
    return bytes(changed)


def _saved(format: str, mode: str = "RGB", **options: object) -> bytes:
    ramp = np.add.outer(np.arange(HEIGHT), 2 * np.arange(WIDTH)).astype(np.uint8)
    picture = Image.fromarray(np.minimum(ramp // 50, 2) if mode == "P" else ramp).convert("RGB" if mode != "P" else "L")
    if mode == "P":
        picture.putpalette([37 * i % 256 for i in range(768)])
    else:
        picture = picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def _with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    return _saved("JPEG", exif=exif)


PICTURES = (
    _saved("JPEG"), _saved("JPEG", progressive=True), _saved("JPEG", "CMYK"), _with_exif(), _saved("PNG"),
    _saved("PNG", "RGBA"), _saved("PNG", "I;16"), _saved("PNG", "P"), _saved("GIF"), _saved("BMP"), _saved("TIFF"),
)  # fmt: skip
MASKS = _saved("PNG", "P")


def picture(random: Random) -> bytes:
    """A picture with some bytes wrong."""
    return any_bytes(random.choice(PICTURES), random)


def masks(random: Random) -> bytes:
    """A file of instance masks with some bytes wrong, or some other picture."""
    return picture(random) if random.random() < 0.1 else any_bytes(MASKS, random)


LINES = ("a", "b", "a 1", "b -1", "a  0", "", " ", "\ta", "c", "a 2", "../a", "a b", "ä", "a\x00")


def split(random: Random) -> bytes:
    """A file of a split's names, with flags, odd line ends, odd spaces and damaged bytes."""
    lines = random.choices(LINES, k=3)
    content = random.choice(("\n", "\r\n", "\r", "\u2028")).join(lines)
    encoding = random.choice(("utf-8", "utf-8-sig", "utf-16", "latin-1"))
    content = content.encode(encoding, "replace")
    return any_bytes(content, random) if random.random() < 0.3 else content


def coco(random: Random) -> bytes:
    """A COCO file in which values were exchanged for others, or bytes were."""
    data = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 0}],
        "categories": [{"id": 3, "name": "dog"}],
    }
    for _ in range(random.randint(0, 2)):
        _exchange(data, random)
    content = json.dumps(data).encode()
    return any_bytes(content, random) if random.random() < 0.3 else content


VALUES = (
    None, True, -1, 0, 1, 3, 1e400, float("nan"), 10**400, 0.5, "", "dog", "\x00", "../a.jpg", "a/b.jpg", "\ud800", [],
    [1], [1, 2, 3, 4], [None] * 4, ["1"] * 4, {}, {"id": 1}, [[]], [{}],
)  # fmt: skip


def _exchange(data: dict, random: Random) -> None:
    """Exchange one value, at any depth, or take it out."""
    while True:
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(data[key], dict | list) and random.random() < 0.8:
            data = data[key]
            continue
        if random.random() < 0.2:
            del data[key]
        else:
            data[key] = deepcopy(random.choice(VALUES))
        return
