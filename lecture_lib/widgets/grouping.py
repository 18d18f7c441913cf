"""Segmentation and hierarchical grouping under a slider: every k, every merge."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from lecture_lib.plotting.regions import segment_picture
from lecture_lib.plotting.style import DETECTION, GROUND_TRUTH
from lecture_lib.proposals import MergeStep, boxes_after, felzenszwalb, labels_after
from lecture_lib.structures import Target, check_image
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

KS = (25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 500.0, 800.0, 1200.0)


def segmentation_explorer(image: Float[Tensor, "3 h w"], ks: Sequence[float | int] = KS) -> BrowserWidget:
    """A slider for k of the segmentation; all are computed at the start, so that the slider answers at once."""
    check_image(image)
    labels = [felzenszwalb(image, k, min_size=round(k)) for k in ks]
    pictures = [segment_picture(image, found) for found in labels]
    middle = len(ks) // 2
    inputs = {"size": list(image.shape[1:]), "ks": list(ks), "counts": [len(found.unique()) for found in labels]}
    return BrowserWidget(
        "segmentation",
        "The regions of a segmentation, for each k",
        Data(inputs, images={str(row): picture for row, picture in enumerate(pictures)}),
        {"step": middle},
        lambda: draw_still(pictures[middle], []),
    )


def grouping_explorer(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], steps: Sequence[MergeStep], target: Target
) -> BrowserWidget:
    """A slider from the first regions (0 merges) to one region that is the whole image.

    labels: 0..R-1, where the merges `steps` start from.
    Raises `ValueError` for an image, labels, steps and objects that do not belong together.
    """
    check_same_picture(image, target)
    regions = int(labels.max()) + 1
    if (
        labels.shape != image.shape[1:]
        or len(steps) >= regions
        or any(s.region != regions + i for i, s in enumerate(steps))
    ):
        raise ValueError(
            "grouping: give the labels and the steps of one grouping of this image, from its first merge on"
        )
    values, lengths = labels.flatten().unique_consecutive(return_counts=True)
    arrays = {
        "values": values.int(),
        "lengths": lengths.int(),
        "merges": torch.tensor([step.merged for step in steps], dtype=torch.int32).view(-1, 2),
        "boxes": boxes_after(labels, steps),
        "colors": region_colors(image, labels, steps),
        "parts": torch.tensor([[*step.parts, step.similarity] for step in steps]).view(-1, 5).float(),
        "objects": target.boxes,
    }
    middle = len(steps) // 2
    return BrowserWidget(
        "grouping",
        "Regions of a picture, merged one pair at a time into the whole",
        Data({"size": list(image.shape[1:]), "regions": regions}, arrays, {"picture": image}),
        {"merges": middle, "show": "colors", "all": False},
        lambda: _still(image, labels, steps[:middle], target),
    )


def region_colors(
    image: Float[Tensor, "3 h w"], labels: Int[Tensor, "h w"], steps: Sequence[MergeStep]
) -> Int[Tensor, "r 3"]:
    """The mean colour, 0..255, of every region: the first ones, then one for every merge."""
    flat, pixels = labels.flatten().long().cpu(), image.detach().cpu().flatten(1).T
    regions = int(flat.max()) + 1
    total = torch.zeros(regions + len(steps), 3).index_add_(0, flat, pixels)
    size = torch.zeros(len(total)).index_add_(0, flat, torch.ones(len(flat)))
    for step in steps:
        total[step.region], size[step.region] = total[list(step.merged)].sum(0), size[list(step.merged)].sum()
    return (255 * total / size[:, None]).round().int()


def _still(image: Tensor, labels: Tensor, done: Sequence[MergeStep], target: Target) -> Image.Image:
    newest = boxes_after(labels, done)[-1:] if done else torch.zeros(0, 4)
    layers = [Outlines(target.boxes.cpu(), GROUND_TRUTH), Outlines(newest, DETECTION)]
    return draw_still(segment_picture(image, labels_after(labels, done)), layers)
