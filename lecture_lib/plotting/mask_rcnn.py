"""Figures of the eighth notebook: levels of a pyramid, masks from 28 x 28 to the picture, their AP."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from lecture_lib.detectors import Maps
from lecture_lib.encoders import FeaturePyramid
from lecture_lib.masks import MaskHead, crop_masks, paste_masks
from lecture_lib.plotting.fast_rcnn_training import LiveParts, part_curves
from lecture_lib.plotting.pictures import draw_boxes, overlay_mask, show_image
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.sppnet import shade
from lecture_lib.plotting.style import CYCLE, GREEN, INK, MUTED, ORANGE, as_text, class_color
from lecture_lib.structures import Detections, FeatureMap, Proposals, Target
from lecture_lib.training.loop import Step

DRAWN = 40  # boxes of a level; more would hide the picture


def show_levels(maps: Maps, image: Float[Tensor, "3 h w"]) -> Figure:
    """A picture and the maps of a pyramid, in grey, each in the picture's size: cells grow from level to level."""
    panels = row_of_pictures([image] * (1 + len(maps)), width=14.0)
    panels[0].set_title(f"{image.shape[2]} × {image.shape[1]} pixels", fontsize=10)
    for axes, level in zip(panels[1:], maps, strict=True):
        (rows, columns), (y, x) = level.tensor.shape[1:], level.stride
        axes.images[0].set_data(shade(level)[0].expand(3, -1, -1).permute(1, 2, 0).cpu().numpy())
        axes.images[0].set_extent(((0 - 0.5) * x, (columns - 0.5) * x, (rows - 0.5) * y, (0 - 0.5) * y))
        axes.set(xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))  # cells at the border reach beyond it
        axes.set_title(f"{columns} × {rows} cells of {x:.0f} pixels", fontsize=10)
    return panels[0].figure


def show_chosen_levels(
    image: Float[Tensor, "3 h w"], maps: Maps, boxes: Float[Tensor, "r 4"], chosen: Int[Tensor, " r"]
) -> Figure:
    """The boxes of each level on the picture, some of them where there are many: how many, and how large they are."""
    panels = row_of_pictures([image] * len(maps), width=13.0)
    side = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()
    for number, (axes, level) in enumerate(zip(panels, maps, strict=True)):
        here = chosen == number
        some = boxes[here]
        draw_boxes(axes, some[:: max(1, -(-len(some) // DRAWN))], CYCLE[number], width=1.4)
        size = f", √area {side[here].min():.0f} to {side[here].max():.0f} px" if here.any() else ""
        axes.set_title(
            f"cells of {level.stride[1]:.0f} px: {len(some)} boxes{size}", color=as_text(CYCLE[number]), fontsize=10
        )
    return panels[0].figure


@torch.no_grad()
def top_down(encode: FeaturePyramid, image: Float[Tensor, "3 h w"]) -> dict[str, FeatureMap]:
    """The finest level of a pyramid in parts: its own stage, what comes from above, and their sum after smoothing."""
    seen = {}
    hooks = [
        encode.lateral[0].register_forward_hook(lambda layer, given, made: seen.update(own=made[0])),
        encode.smooth[0].register_forward_hook(lambda layer, given, made: seen.update(sum=given[0][0])),
    ]
    finest = encode(image)[0]
    for hook in hooks:
        hook.remove()
    above = replace(finest, tensor=seen["sum"] - seen["own"])
    return {"its own stage": replace(finest, tensor=seen["own"]), "from above, enlarged": above, "the level": finest}


def show_top_down(parts: Mapping[str, FeatureMap], channel: int) -> Figure:
    """One channel of the finest level and of what it is made of."""
    grey = [shade(replace(part, tensor=part.tensor[channel : channel + 1])) for part in parts.values()]
    panels = row_of_pictures(grey, width=13.0)
    for axes, (name, part) in zip(panels, parts.items(), strict=True):
        axes.set_title(f"{name} (deviation {part.tensor[channel].std():.2f})", fontsize=10.5)
    return panels[0].figure


def show_masks(images: Sequence[Float[Tensor, "3 h w"]], found: Sequence[Detections], classes: Sequence[str]) -> Figure:
    """Pictures with their detections: every shape in its class's colour, its box, class and score."""
    painted = []
    for image, detections in zip(images, found, strict=True):
        for mask, label in zip(detections.masks, detections.labels.tolist(), strict=True):
            image = overlay_mask(image, mask, class_color(label))
        painted.append(image)
    panels = row_of_pictures(painted, width=13.0 if len(images) > 1 else 8.0)
    for axes, detections in zip(panels, found, strict=True):
        labels = detections.labels.tolist()
        names = [f"{classes[label - 1]} {s:.2f}" for label, s in zip(labels, detections.scores.tolist(), strict=True)]
        draw_boxes(axes, detections.boxes, [class_color(label) for label in labels], names, width=1.6)
    return panels[0].figure


def show_class_masks(probabilities: Float[Tensor, "k 28 28"], classes: Sequence[str], label: int) -> Figure:
    """The mask of every class for one region; the one of the box's class, which alone counts, is framed."""
    panels = row_of_pictures([p[None] for p in probabilities], width=13.5)
    for number, (axes, name) in enumerate(zip(panels, classes, strict=True), start=1):
        own = number == label
        axes.set_title(name, loc="center", fontsize=10, color=as_text(ORANGE) if own else MUTED)
        size = probabilities.shape[-1]
        if own:
            draw_boxes(axes, torch.tensor([[0.0, 0, size, size]]), ORANGE, width=4.0)
    return panels[0].figure


def show_paste(
    image: Float[Tensor, "3 h w"], probability: Float[Tensor, "28 28"], box: Float[Tensor, "4"], color: str = ORANGE
) -> Figure:
    """A region, the small mask that was drawn for it, and that mask stretched over its box and cut off at a half."""
    (mask,) = paste_masks(probability[None], box[None], (image.shape[1], image.shape[2]))
    x1, y1, x2, y2 = box.tolist()
    panels = row_of_pictures([image[:, :1, :1], probability[None], image[:, :1, :1]], width=11.0)  # three squares
    for axes, picture in ((panels[0], image), (panels[2], overlay_mask(image, mask, color))):
        axes.clear()
        show_image(picture, axes=axes)
        draw_boxes(axes, box[None], color, width=2.4)
        axes.set(xlim=(x1 - 12, x2 + 12), ylim=(y2 + 12, y1 - 12), aspect="auto")
    panels[1].set_aspect("auto")  # stretched over the box, as it will be
    titles = (f"a region of {x2 - x1:.0f} × {y2 - y1:.0f} pixels", "28 × 28", f"pasted: {int(mask.sum()):,} pixels")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10.5)
    return panels[0].figure


def overlap(first: Bool[Tensor, "d h w"], second: Bool[Tensor, "d h w"]) -> Float[Tensor, " d"]:
    """IoU of masks, row by row; 0 where both are empty."""
    either = (first | second).sum((1, 2))
    return (first & second).sum((1, 2)) / either.clamp(min=1)


def drawn_and_pasted(target: Target) -> Bool[Tensor, "g h w"]:
    """The masks of a target as 28 x 28 cells can keep them: what a head without any error would give."""
    goals = crop_masks(target.masks, torch.arange(len(target), device=target.boxes.device), target.boxes)
    return paste_masks(goals, target.boxes, target.image_size)


class LiveMasks(LiveParts):
    """Runs the training of a mask head, draws its loss, and keeps the masks that it draws for one picture.

    at: after which steps the masks are kept; `stages` has them [G, 28, 28] by name, from "before" on.
    """

    def __init__(self, head: MaskHead, maps: Maps, target: Target, at: Sequence[int] = ()) -> None:
        super().__init__()
        self.head, self.maps, self.target, self.at = head, maps, target, tuple(at)
        self.stages = {"before": self.masks()}

    def follow(self, records: Iterable[Step]) -> None:
        """Run the training to its end, or to an interruption."""
        super().follow(self._watched(records))

    @torch.no_grad()
    def masks(self) -> Float[Tensor, "g 28 28"]:
        """What the head draws now in the boxes of the picture's objects, each for its own class."""
        logits = self.head.logits(self.maps, Proposals(self.target.boxes, None, self.target.image_size))
        return logits[torch.arange(len(self.target)), self.target.labels - 1].sigmoid()

    def _watched(self, records: Iterable[Step]) -> Iterator[Step]:
        for record in records:
            if record.step in self.at:
                self.stages[f"after {record.step}"] = self.masks()
            yield record

    def _draw(self, screen: Any, total: int) -> None:
        figure = part_curves(self.parts, total)
        screen.update(figure)
        plt.close(figure)  # else it would be shown a second time at the end of the cell


def mask_film(image: Float[Tensor, "3 h w"], stages: Mapping[str, Float[Tensor, "g 28 28"]], target: Target) -> Figure:
    """The masks of a picture's objects, drawn by a head as it learned, with their mean IoU; last the true ones."""
    size, painted, titles = target.image_size, [], []
    kept = {name: paste_masks(masks, target.boxes, size) for name, masks in stages.items()}
    for name, masks in (kept | {"the true masks": target.masks}).items():
        picture = image
        for mask, label in zip(masks, target.labels.tolist(), strict=True):
            picture = overlay_mask(picture, mask, class_color(label))
        painted.append(picture)
        said = f": IoU {overlap(masks, target.masks).mean():.2f}" if name in kept and len(target) else ""
        titles.append(name + said)
    panels = row_of_pictures(painted, width=14.0)
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10)
    return panels[0].figure


def precision_groups(deals: Sequence[Mapping[str, Any]]) -> Figure:
    """AP50 and AP of boxes, of masks, and of filled boxes taken for masks: the mean and deviation over the deals."""
    kinds = {"boxes": MUTED, "masks": GREEN, "filled boxes": ORANGE}
    figure, row = plt.subplots(1, 2, figsize=(11, 2.4), sharey=True)
    for axes, (key, title) in zip(row, (("ap50", "AP at IoU 0.5"), ("ap", "AP, mean of IoU 0.5 to 0.95")), strict=True):
        for y, (kind, color) in enumerate(kinds.items()):
            values = [deal[kind][key] for deal in deals]
            spread = stdev(values) if len(values) > 1 else 0.0
            axes.barh(y, mean(values), 0.62, color=color, xerr=spread or None, ecolor=INK, capsize=4)
            axes.text(mean(values) + spread + 0.015, y, f"{mean(values):.3f}", va="center", weight="bold")
        axes.set(xlim=(0, 1.1), ylim=(len(kinds) - 0.5, -0.5), title=title)
        axes.set_yticks(range(len(kinds)), list(kinds))
        axes.grid(visible=False)
    return figure
