"""Our Selective Search beside OpenCV's, at the same recall, and beside two packages that pip offers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from unittest import mock

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lecture_lib import voc
from lecture_lib.evaluation import recall
from lecture_lib.proposals import SelectiveSearch, opencv_selective_search, selective_search
from lecture_lib.structures import Proposals, Target
from tests.benchmarks.speed.measure import Row, in_turn, is_installed, table

SIZES = ((320, 240), (600, 400), (500, 375))  # width, height
Search = Callable[[Float[Tensor, "3 h w"]], Proposals]
Picture = tuple[Float[Tensor, "3 h w"], Target]


@dataclass(frozen=True)
class Rival:
    """Another search: how its users call it, what it needs, and our settings that search as much."""

    name: str
    package: str
    search: Search
    setting: str
    ours: SelectiveSearch
    goal: float | None = None
    once: bool = False  # so slow that one round of one picture has to do


def by_selectivesearch(image: Float[Tensor, "3 h w"]) -> Proposals:
    """The boxes of selectivesearch, with the settings of its README."""
    import selectivesearch

    _, regions = selectivesearch.selective_search(_pixels(image), scale=500, sigma=0.9, min_size=10)
    rows = torch.tensor([region["rect"] for region in regions], dtype=torch.float32).view(-1, 4)
    return Proposals(torch.cat([rows[:, :2], rows[:, :2] + rows[:, 2:]], dim=1), None, tuple(image.shape[1:]))


def by_selective_search_package(image: Float[Tensor, "3 h w"]) -> Proposals:
    """The boxes of one strategy of selective-search; SciPy no longer takes the truth values that it hands over."""
    from scipy.ndimage import find_objects
    from selective_search import structure
    from selective_search.core import selective_search_one

    with mock.patch.object(structure, "find_objects", lambda mask: find_objects(mask.astype(int))):
        boxes, _ = selective_search_one(_pixels(image), "HSV", 100, "CTSF")
    return Proposals(torch.tensor(boxes, dtype=torch.float32).view(-1, 4), None, tuple(image.shape[1:]))


def _pixels(image: Float[Tensor, "3 h w"]) -> np.ndarray:
    return (image.permute(1, 2, 0) * 255).round().byte().contiguous().numpy()


RIVALS = (
    Rival("OpenCV", "cv2", opencv_selective_search, "8 strategies each", SelectiveSearch(), goal=1.0),
    Rival("selectivesearch", "selectivesearch", by_selectivesearch, "8 strategies, theirs 1", SelectiveSearch(),
          once=True),
    Rival("selective-search", "selective_search", by_selective_search_package, "1 strategy each",
          SelectiveSearch.single(), once=True),
)  # fmt: skip


def pictures(width: int, height: int) -> list[Picture]:
    """A bundled photograph and a bundled scene of that size, with their objects."""
    sets = (voc.photos(), voc.stamps("test"))
    return [resized(dataset.image(0), dataset.target(0), width, height) for dataset in sets]


def resized(image: Float[Tensor, "3 h w"], target: Target, width: int, height: int) -> Picture:
    """A picture of another size, its boxes with it."""
    scale = torch.tensor([width / image.shape[2], height / image.shape[1]] * 2)
    limits = torch.tensor([width, height] * 2, dtype=torch.float32)
    boxes = torch.minimum(target.boxes * scale, limits)
    smooth = torch.nn.functional.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    return smooth.clamp(0, 1), replace(target, boxes=boxes, masks=None, image_size=(height, width))


def rows(rounds: int = 3) -> list[Row]:
    """A row for every size and every search that is installed."""
    installed = [rival for rival in RIVALS if is_installed(rival.name, rival.package)]
    return [compared(rival, size, rounds) for rival in installed for size in SIZES]


def compared(rival: Rival, size: tuple[int, int], rounds: int) -> Row:
    """Seconds an image of both searches, and what they find."""
    shown = pictures(*size)[: 1 if rival.once else None]
    images, targets = [image for image, _ in shown], [target for _, target in shown]
    searches = {"ours": partial(selective_search, settings=rival.ours), "theirs": rival.search}
    found: dict[str, list[Proposals]] = {}

    def run(name: str) -> None:
        found[name] = [searches[name](image) for image in images]

    run("ours")  # compiles
    ways = {name: partial(run, name) for name in searches}
    seconds = in_turn(ways, 1 if rival.once else rounds, warm=0)
    ours, theirs = ([total / len(images) for total in seconds[name]] for name in ("ours", "theirs"))
    setting = f"{size[0]} x {size[1]} pixels, {rival.setting}"
    at_both = ", ".join(f"{name} {told_recall(found[name], targets)}" for name in searches)
    note = f"{rival.name} at {size[0]} x {size[1]}: {at_both}"
    return Row("Selective Search, an image", setting, ours, rival.name, theirs, rival.goal, note)


def told_recall(found: list[Proposals], targets: list[Target]) -> str:
    """Of how many objects some box reaches IoU 0.5, and how many boxes an image has."""
    objects = sum(int((~target.difficult).sum()) for target in targets)
    share = float(recall(found, targets, 0.5, (max(map(len, found)) or 1,))[0])
    boxes = sum(map(len, found)) / len(found)
    return f"{round(share * objects)} of {objects} objects at IoU 0.5 with {boxes:,.0f} boxes"


if __name__ == "__main__":
    print(table([row.record() for row in rows()]))
