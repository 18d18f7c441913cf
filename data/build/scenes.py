"""Compose one scene: cut-outs on a background crop, seen through one camera, with exact instance masks."""

from dataclasses import dataclass

import numpy as np
from cutouts import islands
from PIL import Image, ImageFilter
from plan import Scene
from sources import Cutout

WIDTH, HEIGHT = 320, 240
LETTERED = {"coin", "sign", "measuring_tape"}  # mirrored writing would look wrong
STANDING = {"hoofed", "vehicle"}  # not often seen in the sky


@dataclass(frozen=True)
class Look:
    """How scenes are made; lengths in pixels, the rest are parts of one."""

    smallest: tuple[float, ...] = (75, 60, 50, 44, 40)  # longer side of an object, in scenes of 1 to 5 objects
    largest: tuple[float, ...] = (190, 170, 145, 125, 110)
    enlargement: float = 1.7  # at most, of a cut-out's own pixels
    tilt: float = 12  # degrees
    cut_by_border: float = 0.12  # of the objects reach over the border
    overlapping: float = 0.3  # of the objects touch another one if there is one
    harmony: float = 0.22  # how far an object's colours move towards the background's
    noise: float = 2.0  # grey levels of camera noise
    least_visible: float = 0.25  # an object less visible than this is left out
    difficult_visible: float = 0.4  # below: <difficult>
    whole: float = 0.85  # below: <truncated>
    difficult_area: int = 350  # visible pixels; below: <difficult>


@dataclass(frozen=True)
class Placed:
    """A transformed cut-out at its place: colour [240,320,3] in 0..255, alpha [240,320], all of its area."""

    label: str
    colour: np.ndarray
    alpha: np.ndarray
    area: float


@dataclass(frozen=True)
class SceneObject:
    """One annotated object: class, box of the visible mask (half-open x1, y1, x2, y2), VOC flags."""

    label: str
    box: tuple[int, int, int, int]
    truncated: bool
    difficult: bool


def compose(
    scene: Scene, ground: Image.Image, cutouts: list[Image.Image], rng: np.random.Generator, look: Look = Look()
) -> tuple[Image.Image, np.ndarray, list[SceneObject]]:
    """The image, its instance mask (uint8, 0 = background, n = n-th object) and the objects."""
    canvas = background_crop(ground, scene.background.rect, rng)
    placed = place_all(scene, cutouts, canvas, rng, look)
    shadow = rng.uniform(-5, 5), rng.uniform(2, 6), rng.uniform(0.25, 0.5)
    for item in placed:
        canvas = cast_shadow(canvas, item.alpha, *shadow)
        canvas += item.alpha[..., None] * (item.colour - canvas)
    mask, objects = annotate(placed, look)
    return camera(canvas, rng, look), mask, objects


def background_crop(photo: Image.Image, rect: tuple, rng: np.random.Generator) -> np.ndarray:
    """A random 4:3 crop of the usable part, flipped, lit and blurred at random: float32 [240,320,3]."""
    w, h = photo.size
    left, top, right, bottom = rect[0] * w, rect[1] * h, rect[2] * w, rect[3] * h
    widest = min(right - left, (bottom - top) * 4 / 3)
    width = widest * rng.uniform(min(1.0, max(0.45, 300 / widest)), 1)
    x, y = rng.uniform(left, right - width), rng.uniform(top, bottom - width * 3 / 4)
    box = (x, y, x + width, y + width * 3 / 4)
    crop = photo.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=box)
    if rng.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.6:  # a lens in focus on the objects
        crop = crop.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 2.2)))
    pixels = 255 * (np.asarray(crop, dtype=np.float32) / 255) ** rng.uniform(0.7, 1.2)
    return pixels * rng.uniform(0.85, 1.1) * rng.uniform(0.95, 1.05, 3).astype(np.float32)


def place_all(scene: Scene, cutouts: list[Image.Image], canvas: np.ndarray, rng, look: Look) -> list[Placed]:
    """Place the cut-outs from back to front; what would be hardly visible is left out."""
    placed, taken = [], np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    for cutout, image in zip(scene.cutouts, cutouts, strict=True):
        piece = vary(cutout, image, len(cutouts), rng, look)
        spot = find_spot(cutout.label, piece, taken, rng, look)
        item = paste(cutout.label, piece, spot)
        item = Placed(item.label, harmonise(item, canvas, rng, look), item.alpha, item.area)
        placed.append(item)
        taken = np.maximum(taken, item.alpha)
    # What stands lower in the picture is nearer: it is painted later and covers the others.
    placed.sort(key=lambda item: int(np.flatnonzero((item.alpha > 0.5).any(axis=1)).max(initial=0)))
    while any(share < look.least_visible for share in visible_shares(placed)):
        del placed[int(np.argmin(visible_shares(placed)))]
    return placed


def vary(cutout: Cutout, image: Image.Image, count: int, rng: np.random.Generator, look: Look) -> Image.Image:
    """Scale, flip and tilt one of `count` cut-outs, with a soft edge."""
    # A thin object needs more length to be as easy to see.
    smallest = look.smallest[count - 1] * (max(image.size) / min(image.size)) ** 0.3
    largest = min(look.largest[count - 1], look.enlargement * max(image.size))
    length = np.exp(rng.uniform(np.log(min(smallest, largest)), np.log(largest)))
    size = [max(3, round(side * length / max(image.size))) for side in image.size]
    if not LETTERED & {cutout.label, cutout.name} and rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.resize(size, Image.Resampling.LANCZOS)
    framed = Image.new("RGBA", (size[0] + 8, size[1] + 8))
    framed.paste(image, (4, 4))
    angle = float(np.clip(rng.normal(0, look.tilt / 2), -look.tilt, look.tilt))
    framed = framed.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    return framed.crop(framed.getchannel("A").point(lambda value: 255 * (value > 8)).getbbox())


def find_spot(
    label: str, piece: Image.Image, taken: np.ndarray, rng: np.random.Generator, look: Look
) -> tuple[int, int]:
    """The top left corner: of twelve random places the freest, or one that covers a quarter of the piece."""
    w, h = piece.size
    wanted = 0.25 * w * h if rng.random() < look.overlapping else 0.0
    # Things stand rather in the lower part of a picture, heavy ones even more so.
    upper, lower = (3.0, 1.1) if label in STANDING else (1.5, 1.2)
    spots = [(round(rng.uniform(0, WIDTH - w)), round(rng.beta(upper, lower) * (HEIGHT - h))) for _ in range(12)]
    best = min(spots, key=lambda at: abs(taken[at[1] : at[1] + h, at[0] : at[0] + w].sum() - wanted))
    # The first object stays whole, so that no scene is empty.
    if taken.any() and rng.random() < look.cut_by_border:
        over = rng.uniform(0.15, 0.5)
        sides = [(-over * w, best[1]), (WIDTH - w + over * w, best[1]), (best[0], HEIGHT - h + over * h)]
        x, y = sides[rng.integers(3)]
        return round(x), round(y)
    return best


def paste(label: str, piece: Image.Image, spot: tuple[int, int]) -> Placed:
    """Put the piece on an empty canvas of the scene's size."""
    canvas = Image.new("RGBA", (WIDTH, HEIGHT))
    canvas.paste(piece, spot)
    pixels = np.asarray(canvas, dtype=np.float32)
    area = float((np.asarray(piece.getchannel("A")) > 127).sum())
    return Placed(label, pixels[..., :3], pixels[..., 3] / 255, area)


def harmonise(item: Placed, canvas: np.ndarray, rng: np.random.Generator, look: Look) -> np.ndarray:
    """Move the object's light and tint a little towards its surroundings; shade it from one side."""
    weight = item.alpha[..., None]
    own = (item.colour * weight).sum((0, 1)) / max(float(weight.sum()), 1.0) + 1
    around = canvas.mean((0, 1)) + 1
    tint = (around / around.mean()) ** look.harmony
    light = float(np.clip((around.mean() / own.mean()) ** look.harmony, 0.75, 1.2)) * rng.uniform(0.88, 1.12)
    ramp = np.linspace(-1, 1, WIDTH, dtype=np.float32) * rng.uniform(-0.12, 0.12)
    return (item.colour * tint.astype(np.float32) * light * (1 + ramp[None, :, None])).clip(0, 255)


def cast_shadow(canvas: np.ndarray, alpha: np.ndarray, dx: float, dy: float, depth: float) -> np.ndarray:
    """Darken the canvas below and beside an object with its own blurred outline."""
    outline = Image.fromarray(np.round(alpha * 255).astype(np.uint8))
    shifted = outline.transform(outline.size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))
    soft = np.asarray(shifted.filter(ImageFilter.GaussianBlur(4)), dtype=np.float32) / 255
    return canvas * (1 - depth * soft[..., None])


def camera(canvas: np.ndarray, rng: np.random.Generator, look: Look) -> Image.Image:
    """One lens and one sensor for objects and background: the same slight blur and noise everywhere."""
    image = Image.fromarray(np.round(canvas.clip(0, 255)).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.55)))
    grain = rng.normal(0, look.noise * rng.uniform(0.5, 1.2), (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.round((np.asarray(image) + grain).clip(0, 255)).astype(np.uint8))


def instance_mask(placed: list[Placed]) -> np.ndarray:
    """Number of the front-most object with alpha above one half, 0 where there is none: uint8 [240,320]."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for number, item in enumerate(placed, start=1):
        mask[item.alpha > 0.5] = number
    return mask


def visible_shares(placed: list[Placed]) -> list[float]:
    """The visible part of each object's whole area, what lies beyond the border included."""
    mask = instance_mask(placed)
    return [float((mask == n).sum()) / max(item.area, 1) for n, item in enumerate(placed, start=1)]


def annotate(placed: list[Placed], look: Look) -> tuple[np.ndarray, list[SceneObject]]:
    """The instance mask without stray pixels, and each object's box and flags read from it."""
    shares, mask, objects = visible_shares(placed), instance_mask(placed), []
    for number, (item, share) in enumerate(zip(placed, shares, strict=True), start=1):
        labels, sizes = islands(mask == number)
        # A few pixels beyond a covering object would stretch the box over it.
        stray = np.flatnonzero(sizes < max(6, 0.02 * sizes.sum())) + 1
        mask[np.isin(labels, stray)] = 0
        rows, columns = np.nonzero(mask == number)
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        difficult = share < look.difficult_visible or rows.size < look.difficult_area
        objects.append(SceneObject(item.label, box, share < look.whole, difficult))
    return mask, objects
