"""Which cut-outs and backgrounds belong to which split, and what each scene will contain."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from sources import Background, Cutout

SPLITS = {"train": 500, "val": 100, "test": 200}  # images
FIRST_ID = {"train": 1, "val": 1001, "test": 2001}  # file names 000001.jpg, 001001.jpg, 002001.jpg, ...
OBJECTS = {1: 0.2, 2: 0.3, 3: 0.25, 4: 0.15, 5: 0.1}  # objects in a scene and how often
FAMILY = 0.4  # part of the scenes whose objects are all of one class, as in a herd or a fruit bowl


@dataclass(frozen=True)
class Scene:
    """The ingredients of one image; `stream` is the key of its own random stream."""

    image_id: str
    background: Background
    cutouts: tuple[Cutout, ...]
    stream: tuple[int, int]


def split_cutouts(cutouts: list[Cutout], seed: int) -> dict[str, list[Cutout]]:
    """A fifth of each class (at least 4 groups, 3 of a small class) to test, a tenth (at least 2) to val."""
    rng = np.random.default_rng([seed, 0])
    result = {split: [] for split in SPLITS}
    for label in sorted({c.label for c in cutouts}):
        groups = defaultdict(list)
        for cutout in cutouts:
            if cutout.label == label:
                groups[cutout.group].append(cutout)
        n_test, n_val = max(4 if len(groups) >= 14 else 3, len(groups) // 5), max(2, len(groups) // 10)
        shuffled = [list(groups.values())[index] for index in rng.permutation(len(groups))]
        for split, chosen in (
            ("test", shuffled[:n_test]),
            ("val", shuffled[n_test : n_test + n_val]),
            ("train", shuffled[n_test + n_val :]),
        ):
            result[split] += [cutout for group in chosen for cutout in group]
    return result


def split_backgrounds(backgrounds: list[Background], seed: int) -> dict[str, list[Background]]:
    """A quarter of each kind of background to test, a sixth to val, at least one of the larger kinds."""
    rng = np.random.default_rng([seed, 1])
    result = {split: [] for split in SPLITS}
    for kind in sorted({b.kind for b in backgrounds}):
        members = [b for b in backgrounds if b.kind == kind]
        members = [members[i] for i in rng.permutation(len(members))]
        n_test, n_val = max(1, len(members) // 4), max(1, len(members) // 6)
        result["test"] += members[:n_test]
        result["val"] += members[n_test : n_test + n_val]
        result["train"] += members[n_test + n_val :]
    return result


def plan_scenes(cutouts: list[Cutout], backgrounds: list[Background], seed: int) -> dict[str, list[Scene]]:
    """Every scene of the three splits; classes, cut-outs and backgrounds are used equally often."""
    by_split, grounds = split_cutouts(cutouts, seed), split_backgrounds(backgrounds, seed)
    return {split: _plan_split(by_split[split], grounds[split], split, seed) for split in SPLITS}


def _plan_split(cutouts: list[Cutout], grounds: list[Background], split: str, seed: int) -> list[Scene]:
    code = list(SPLITS).index(split)
    rng = np.random.default_rng([seed, 2, code])
    decks = {
        label: _deck([c for c in cutouts if c.label == label], rng) for label in sorted({c.label for c in cutouts})
    }
    ground = _deck(grounds, rng)
    used = dict.fromkeys(decks, 0)
    scenes = []
    for index in range(SPLITS[split]):
        count = int(rng.choice(list(OBJECTS), p=list(OBJECTS.values())))
        labels = _draw_labels(used, count, rng)
        chosen = tuple(next(decks[label]) for label in labels)
        image_id = f"{FIRST_ID[split] + index:06d}"
        scenes.append(Scene(image_id, next(ground), chosen, (code, index)))
    return scenes


def _draw_labels(used: dict[str, int], count: int, rng: np.random.Generator) -> list[str]:
    """Draw the classes of one scene, the seldom used ones more often; `used` is brought up to date."""
    one_class = rng.random() < FAMILY
    labels = []
    for _ in range(count):
        if not labels or not one_class:
            rarity = np.exp(min(used.values()) - np.array(list(used.values()), dtype=float))
            label = str(rng.choice(list(used), p=rarity / rarity.sum()))
        labels.append(label)
        used[label] += 1
    return labels


def _deck(items: list, rng: np.random.Generator):
    """Yield the items in random order, all of them before any comes again."""
    while True:
        for index in rng.permutation(len(items)):
            yield items[index]
