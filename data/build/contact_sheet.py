"""Draw `data/contact_sheet.jpg`: every cut-out by class, then scenes of the three splits with their boxes.

python data/build/contact_sheet.py [--packages FOLDER]   (after stamps.py)
"""

import argparse
import os
from pathlib import Path
from xml.etree import ElementTree

from cutouts import load_cutout
from PIL import Image, ImageDraw, ImageFont
from sources import Cutout, Packages, read_cutouts

DATA = Path(__file__).resolve().parents[1]
PAPER, INK = (250, 249, 246), (40, 44, 52)
CELL, COLUMNS, MARGIN = 70, 18, 20
WIDTH = MARGIN * 2 + CELL * COLUMNS
SCENES = {"train": 8, "val": 4, "test": 8}
COLOURS = ("#e4572e", "#f3a712", "#76b041", "#17a398", "#2e86ab", "#5b5f97", "#b56576", "#8d6a3f")


def cutout_rows(cutouts: list[Cutout], packages: Packages) -> list[Image.Image]:
    """One strip for each class: its name and all of its cut-outs."""
    strips = []
    for label, colour in zip(sorted({c.label for c in cutouts}), COLOURS, strict=True):
        members = [c for c in cutouts if c.label == label]
        strip = Image.new("RGB", (WIDTH, 26 + CELL * -(-len(members) // COLUMNS)), PAPER)
        draw = ImageDraw.Draw(strip)
        draw.text((MARGIN, 4), f"{label}  ({len(members)})", fill=colour, font=ImageFont.load_default(16))
        for index, cutout in enumerate(members):
            image = load_cutout(packages.file(cutout), cutout.cut_top)
            scale = (CELL - 8) / max(image.size)
            image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)
            x = MARGIN + CELL * (index % COLUMNS) + (CELL - image.width) // 2
            y = 26 + CELL * (index // COLUMNS) + (CELL - image.height) // 2
            strip.paste(image, (x, y), image)
        strips.append(strip)
    return strips


def boxed_scene(root: Path, image_id: str) -> Image.Image:
    """One scene with its boxes in the colours of the classes; "?" marks a difficult object."""
    image = Image.open(root / "JPEGImages" / f"{image_id}.jpg").convert("RGB")
    draw = ImageDraw.Draw(image)
    names = (root / "ImageSets/classes.txt").read_text().split()
    for item in ElementTree.parse(root / "Annotations" / f"{image_id}.xml").iter("object"):
        label, colour = item.findtext("name"), COLOURS[names.index(item.findtext("name"))]
        x1, y1, x2, y2 = (int(item.findtext(f"bndbox/{side}")) - 1 for side in ("xmin", "ymin", "xmax", "ymax"))
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=2)
        mark = label + ("?" if item.findtext("difficult") == "1" else "")
        top = y1 - 15 if y1 > 15 else y1
        draw.rectangle((x1, top, x1 + draw.textlength(mark, font_size=12) + 6, top + 15), fill=colour)
        draw.text((x1 + 3, top), mark, fill="white", font_size=12)
    return image


def scene_rows(root: Path) -> list[Image.Image]:
    """Strips of four scenes, taken at equal distances from each split."""
    strips = []
    for split, count in SCENES.items():
        ids = (root / "ImageSets/Main" / f"{split}.txt").read_text().split()
        chosen = [ids[i * len(ids) // count + 5] for i in range(count)]
        width = (WIDTH - 2 * MARGIN - 3 * 8) // 4
        height = width * 3 // 4
        strip = Image.new("RGB", (WIDTH, 30 + (height + 8) * (count // 4)), PAPER)
        ImageDraw.Draw(strip).text((MARGIN, 6), split, fill=INK, font=ImageFont.load_default(16))
        for index, image_id in enumerate(chosen):
            scene = boxed_scene(root, image_id).resize((width, height), Image.Resampling.LANCZOS)
            strip.paste(scene, (MARGIN + (width + 8) * (index % 4), 30 + (height + 8) * (index // 4)))
        strips.append(strip)
    return strips


def main() -> None:
    """Stack all strips on one sheet and write it beside, then rename."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="as for stamps.py")
    parser.add_argument("--cache", type=Path, default=DATA / "build/.cache", help="as for stamps.py")
    options = parser.parse_args()
    packages = Packages(options.packages, options.cache)
    strips = cutout_rows(read_cutouts(), packages) + scene_rows(DATA / "stamps")
    sheet = Image.new("RGB", (WIDTH, sum(s.height for s in strips) + 2 * MARGIN), PAPER)
    top = MARGIN
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    sheet.save(DATA / "contact_sheet.part.jpg", quality=85, optimize=True)
    os.replace(DATA / "contact_sheet.part.jpg", DATA / "contact_sheet.jpg")
    print(f"{DATA / 'contact_sheet.jpg'}: {sheet.size}")


if __name__ == "__main__":
    main()
