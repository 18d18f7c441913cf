"""Figures of how Faster R-CNN is trained: labels of anchors, a training and its proposals drawn live, four steps."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.detectors import Detector
from lecture_lib.matching import Labels
from lecture_lib.plotting.fast_rcnn_training import LiveParts
from lecture_lib.plotting.faster_rcnn import draw_covering
from lecture_lib.plotting.pictures import draw_boxes, show_image
from lecture_lib.plotting.rcnn_training import bare
from lecture_lib.plotting.search import row_of_pictures
from lecture_lib.plotting.style import (
    BLUE,
    GREEN,
    GRID,
    GROUND_TRUTH,
    IGNORED,
    INK,
    MUTED,
    NEGATIVE,
    ORANGE,
    PAPER,
    POSITIVE,
    PURPLE,
    as_text,
    ink_on,
)
from lecture_lib.proposals import inside
from lecture_lib.structures import Proposals, Target
from lecture_lib.training.four_step import Turn
from lecture_lib.training.loop import Step

TERM_COLORS = {"objectness": GREEN, "anchor deltas": PURPLE, "classification": BLUE, "localisation": ORANGE}
DRAWN = 60  # boxes of a kind; more would hide the picture


def anchor_kinds(anchors: Proposals, labels: Labels, enough: float = 0.7) -> dict[str, Bool[Tensor, " n"]]:
    """Which anchors are what, every anchor once; "best only": positive without reaching the IoU that is `enough`."""
    whole, positive = inside(anchors.boxes, anchors.image_size), labels.labels > 0
    return {
        "positive": positive & (labels.iou >= enough),
        "positive, best only": positive & (labels.iou < enough),
        "negative": labels.labels == 0,
        "ignored, between": (labels.labels < 0) & whole,
        "ignored, crossing": (labels.labels < 0) & ~whole,
    }


def show_anchor_labels(image: Float[Tensor, "3 h w"], anchors: Proposals, labels: Labels, target: Target) -> Figure:
    """What the anchors of a picture are examples of, a panel for each kind; of many boxes only some are drawn."""
    kinds = anchor_kinds(anchors, labels)
    best = kinds.pop("positive, best only")
    panels = row_of_pictures([image] * len(kinds), width=14.0)
    colors = (POSITIVE, NEGATIVE, IGNORED, INK)
    for axes, (name, mask), color in zip(panels, kinds.items(), colors, strict=True):
        some = anchors.boxes[mask]
        draw_boxes(axes, some[:: max(1, -(-len(some) // DRAWN))], color, width=1.6 if color == POSITIVE else 0.9)
        axes.set_title(f"{name}: {int(mask.sum()):,}", color=color, fontsize=10.5)
    first, height, width = panels[0], *image.shape[1:]
    panels[-1].set(xlim=(-0.4 * width, 1.4 * width), ylim=(1.4 * height, -0.4 * height))  # what crosses lies beyond it
    draw_boxes(first, target.boxes, GROUND_TRUTH, width=2.6)
    draw_boxes(first, anchors.boxes[best], PURPLE, width=1.6)
    said = f"positive: {int(kinds['positive'].sum())} + {int(best.sum())} best only"
    first.set_title(said, color=POSITIVE, fontsize=10.5)
    return first.figure


def show_sample(
    images: Sequence[Float[Tensor, "3 h w"]],
    boxes: Sequence[Float[Tensor, "_ 4"]],
    labels: Sequence[Int[Tensor, " _"]],
) -> Figure:
    """The anchors of a mini-batch in their pictures: positive ones as blue boxes, negative ones as red centres."""
    panels = row_of_pictures(images)
    for axes, image, some, kinds in zip(panels, images, boxes, labels, strict=True):
        negative = some[kinds == 0]
        centers = (negative[:, :2] + negative[:, 2:]) / 2
        axes.scatter(*centers.T, s=20, color=NEGATIVE, ec=PAPER, lw=0.5)
        draw_boxes(axes, some[kinds > 0], POSITIVE, width=1.8)
        axes.set(xlim=(0, image.shape[2]), ylim=(image.shape[1], 0))  # the dots would leave a margin
        axes.set_title(f"{int((kinds > 0).sum())} positive, {len(negative)} negative", fontsize=10.5)
    return panels[0].figure


class LiveProposals(LiveParts):
    """Runs a training and draws the terms of its loss, and beside them what the RPN proposes for one picture.

    at: after which steps the proposals are kept; `stages` has them by name, from "before" on. Interrupting the kernel
    ends the training and nothing else.
    """

    def __init__(
        self,
        detector: Detector,
        image: Float[Tensor, "3 h w"],
        target: Target,
        at: Collection[int] = (),
        count: int = 20,
    ) -> None:
        super().__init__()
        self.detector, self.image, self.target = detector, image, target
        self.at, self.count = at, count
        self.stages = {"before": self.proposals()}

    def follow(self, records: Iterable[Step]) -> None:
        """Run the training to its end, or to an interruption."""
        super().follow(self._watched(records))

    def proposals(self) -> Proposals:
        """What the detector proposes for the picture now; its state of training is left as it is."""
        with torch.no_grad():
            return self.detector.propose(self.image, self.detector.encode(self.image))

    def _watched(self, records: Iterable[Step]) -> Iterator[Step]:
        for record in records:
            if record.step in self.at:
                self.stages[f"after {record.step} steps"] = self.proposals()
            yield record

    def _draw(self, screen: Any, total: int) -> None:
        figure = training_view(self.parts, total, self.image, self.target, self.proposals(), self.count)
        screen.update(figure)
        plt.close(figure)  # else it would be shown a second time at the end of the cell


def training_view(
    parts: Mapping[str, Sequence[float]],
    total: int,
    image: Float[Tensor, "3 h w"],
    target: Target,
    proposals: Proposals,
    count: int = 20,
) -> Figure:
    """The terms of a loss by step, and the first `count` proposals of a picture."""
    figure = plt.figure(figsize=(12.5, 4.6))
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.75))
    for place, (name, values) in enumerate(list(parts.items())[:4]):
        axes, color, steps = figure.add_subplot(grid[place // 2, place % 2]), TERM_COLORS.get(name, INK), len(values)
        trend = [mean(values[max(0, i - 10) : i]) for i in range(1, steps + 1)]
        axes.plot(range(1, steps + 1), values, color=color, lw=0.8, alpha=0.5)
        axes.plot(range(1, steps + 1), trend, color=color, lw=2.4)
        axes.set(xlim=(1, max(total, 2)), ylim=(0, 1.05 * max(max(values), 1e-9)))
        axes.set_title(f"{name}: {trend[-1]:.3g}", color=as_text(color), fontsize=10)
        axes.set_xlabel("step" if place >= 2 else "")
    right = show_image(image, axes=figure.add_subplot(grid[:, 2]))
    done = max((len(values) for values in parts.values()), default=0)
    draw_covering(right, proposals, target, count, f"step {done} of {total}")
    return figure


def turn_states(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """For each step of a training by turns, what happens to the trunk, the RPN and Fast R-CNN's own layers.

    "learns", "fixed" (it was trained before and stays), or "not used": it was not trained yet, and nothing runs it.
    """
    slots = {"CNN": "encode", "RPN": "propose", "Fast R-CNN": "predict"}
    states, trained = [], set()
    for turn in turns:
        row = {}
        for name, slot in slots.items():
            learns = slot in turn.learns
            row[name] = "learns" if learns else "fixed" if slot in trained else "not used"
        row["CNN"] += f", from {turn.trunk}" if row["CNN"] == "learns" else f", as after {turn.trunk}"
        states.append(row)
        trained |= set(turn.learns)
    return states


def turns_chart(turns: Sequence[Turn]) -> Figure:
    """The table of what learns (orange), what is fixed (grey) and what is not used in each step, from the code."""
    states = turn_states(turns)
    figure, axes = plt.subplots(figsize=(10.5, 0.7 + 0.55 * len(turns)))
    for y, (turn, row) in enumerate(zip(turns, states, strict=True)):
        axes.text(-0.06, y + 0.5, f"{y + 1}. {turn.name}", ha="right", va="center", weight="bold")
        for x, state in enumerate(row.values()):
            learns, unused = state.startswith("learns"), state.startswith("not")
            color, text = (ORANGE, ink_on(ORANGE)) if learns else (PAPER, MUTED) if unused else (GRID, INK)
            axes.add_patch(Rectangle((x + 0.03, y + 0.08), 0.94, 0.84, fc=color, ec=GRID))
            axes.text(x + 0.5, y + 0.5, state, ha="center", va="center", color=text, weight="bold" if learns else None)
    for x, name in enumerate(states[0]):
        axes.text(x + 0.5, -0.05, name, ha="center", va="bottom", weight="bold", color=BLUE)
    axes.set(xlim=(-1.15, len(states[0])), ylim=(len(turns), -0.4))
    bare(axes)
    axes.set_axis_off()
    return figure
