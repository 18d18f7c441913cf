"""Cut-out photographs: cleaned alpha, colours without the halo of the old background, and a look-alike check."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

SPECK = 0.004  # an island of alpha smaller than this part of the cut-out is dirt
LARGEST = 400  # pixels: no scene shows a cut-out larger than half of this


def load_cutout(path: Path, cut_top: float = 0.0) -> Image.Image:
    """An RGBA picture cropped to its object: no soft shadow, no specks, no foreign colour along the edge."""
    image = Image.open(path).convert("RGBA")
    image = image.crop((0, round(cut_top * image.height), *image.size))
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    # Soft shadows are half transparent over a wide area: alpha below 0.4 goes, above 0.8 is solid.
    alpha = np.clip((alpha - 0.4) / 0.4, 0, 1)
    alpha = np.where(without_specks(alpha > 0.5), alpha, 0)
    colours = edge_colours(np.asarray(image)[..., :3], alpha)
    clean = Image.fromarray(np.dstack([colours, np.round(alpha * 255).astype(np.uint8)]))
    return clean.crop(clean.getchannel("A").point(lambda value: 255 * (value > 127)).getbbox())


def without_specks(mask: np.ndarray) -> np.ndarray:
    """The mask grown by one pixel, without islands smaller than SPECK of its area."""
    labels, sizes = islands(mask)
    keep = np.flatnonzero(sizes >= max(4, SPECK * mask.sum()))
    kept = np.isin(labels, keep + 1)
    return np.asarray(Image.fromarray(kept).convert("L").filter(ImageFilter.MaxFilter(3))) > 0


def islands(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """8-connected components of a boolean mask: labels 1..n (0 outside) and the n areas."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        padded = np.pad(labels, 1)
        h, w = mask.shape
        spread = np.max([padded[y : y + h, x : x + w] for y in range(3) for x in range(3)], axis=0)
        spread = np.where(mask, spread, 0)
        # Pointer jumping: a label names a pixel, whose own label may be larger already.
        flat = np.concatenate([[0], spread.ravel()])
        spread = flat[spread]
        if np.array_equal(spread, labels):
            break
        labels = spread
    _, dense = np.unique(labels, return_inverse=True)
    dense = dense.reshape(mask.shape) + (0 if (~mask).any() else 1)
    return dense, np.bincount(dense.ravel())[1:]


def edge_colours(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Replace the colours of the outermost pixels by those just inside: they still show the old background."""
    solid = Image.fromarray(alpha > 0.9).convert("L")
    core = np.asarray(solid.filter(ImageFilter.MinFilter(3))) > 0
    weight, total = _blurred(core[..., None].astype(np.float32)), _blurred(rgb * core[..., None])
    inside = total / np.maximum(weight, 1e-4)
    usable = ~core[..., None] & (weight > 0.02)
    return np.round(np.where(usable, inside, rgb)).clip(0, 255).astype(np.uint8)


def _blurred(values: np.ndarray) -> np.ndarray:
    """A 3x3 mean taken twice, zero outside."""
    for _ in range(2):
        padded = np.pad(values.astype(np.float32), ((1, 1), (1, 1), (0, 0)))
        h, w = values.shape[:2]
        values = sum(padded[y : y + h, x : x + w] for y in range(3) for x in range(3)) / 9
    return values


def fingerprint(image: Image.Image) -> np.ndarray:
    """A difference hash of the grey cut-out on mid grey: 2 x 256 bits, alike for recoloured and rescaled copies."""
    canvas = Image.new("RGBA", image.size, (128, 128, 128, 255))
    canvas.alpha_composite(image)
    grey = canvas.convert("L")
    across = np.asarray(grey.resize((17, 16), Image.Resampling.LANCZOS), dtype=np.int16)
    down = np.asarray(grey.resize((16, 17), Image.Resampling.LANCZOS), dtype=np.int16)
    return np.concatenate([(across[:, 1:] > across[:, :-1]).ravel(), (down[1:] > down[:-1]).ravel()])


def look_alikes(images: dict[str, Image.Image], limit: float = 0.2) -> list[tuple[float, str, str, bool]]:
    """Pairs whose fingerprints differ in less than `limit` of the bits: (distance, name, name, mirrored)."""
    plain = {name: fingerprint(image) for name, image in images.items()}
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    mirrored = {name: fingerprint(image.transpose(flip)) for name, image in images.items()}
    names, pairs = list(images), []
    for i, first in enumerate(names):
        for second in names[:i]:
            for other, is_mirrored in ((plain, False), (mirrored, True)):
                distance = float((plain[first] != other[second]).mean())
                if distance < limit:
                    pairs.append((distance, second, first, is_mirrored))
    return sorted(pairs)
