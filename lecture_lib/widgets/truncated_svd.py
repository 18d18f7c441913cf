"""A rank under a slider: what truncated SVD makes of the fully connected layers' weights, time and detections."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from statistics import median
from time import perf_counter
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from lecture_lib.boxes import iou
from lecture_lib.detectors import Detector, Trace
from lecture_lib.heads import FCTail, truncated_svd
from lecture_lib.plotting.style import class_color
from lecture_lib.structures import Detections, RegionFeatures
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

NAMED = 12  # more names would hide the picture
SAME = 0.5  # IoU from which two detections of a class are the same object


class Ranks:
    """A tail whose fc6 and fc7 can be cut to any rank at once: each layer is taken apart only when this is made."""

    def __init__(self, tail: FCTail) -> None:
        self.tail = tail
        self._thin = {name: _full_rank(getattr(tail.layers, name)) for name in ("fc6", "fc7")}

    def cut(self, fc6: int | None, fc7: int | None) -> FCTail:
        """The same as `heads.compressed`; None leaves a layer as it is. Raises ValueError for a rank it cannot have."""
        small = deepcopy(self.tail)
        for name, rank in (("fc6", fc6), ("fc7", fc7)):
            if rank is not None:
                stage, (first, second) = getattr(small.layers, name), self._thin[name]
                if not 1 <= rank <= len(first.weight):
                    raise ValueError(f"{name} has ranks 1 to {len(first.weight)}, not {rank}")
                position = next(i for i, layer in enumerate(stage) if isinstance(layer, nn.Linear))
                stage[position] = _first_values(first, second, rank)
        return small


def _full_rank(stage: nn.Sequential) -> nn.Sequential:
    layer = _linear(stage)
    return truncated_svd(layer, min(layer.weight.shape))


def _linear(stage: nn.Sequential) -> nn.Linear:
    return next(layer for layer in stage if isinstance(layer, nn.Linear))


def _first_values(first: nn.Linear, second: nn.Linear, rank: int) -> nn.Sequential:
    """The two thin layers with the first `rank` of their singular values alone."""
    a, b = nn.Linear(first.in_features, rank, bias=False), nn.Linear(rank, second.out_features)
    with torch.no_grad():
        a.weight.copy_(first.weight[:rank])
        b.weight.copy_(second.weight[:, :rank])
        b.bias.copy_(second.bias)
    return nn.Sequential(a, b).to(first.weight.device)


@torch.no_grad()
def timed(tail: FCTail, pooled: Float[Tensor, "r *grid"]) -> tuple[RegionFeatures, float]:
    """What a tail makes of pooled regions, and the median of the milliseconds that it takes."""
    times = []
    for _ in range(3):
        start = perf_counter()
        features = tail(pooled)
        times.append(1000 * (perf_counter() - start))
    return features, median(times)


def svd_explorer(
    image: Float[Tensor, "3 h w"],
    detector: Detector,
    trace: Trace,
    ranks: Ranks | None = None,
    stored: Sequence[Mapping[str, Any]] = (),
) -> BrowserWidget:
    """A slider for the rank of fc6, of fc7 a quarter of it: weights, milliseconds, and what is found in the picture.

    Every rank is tried once, now. ranks: the detector's tail taken apart before; without it that takes some seconds.
    stored: rows of "rank" (of fc6, None is not cut) and "map", measured on a test set.
    Raises `ValueError` for an image that the trace is not of.
    """
    check_same_picture(image, trace.proposals)
    ranks = ranks or Ranks(detector.embed)
    known = {row["rank"]: row["map"] for row in stored}
    with torch.no_grad():
        pooled = detector.pool(trace.maps, trace.proposals)
    rows, arrays = [], {}
    for number, (fc6, fc7) in enumerate(rank_pairs(detector.embed)):
        about, found = _tried(detector, trace, pooled, ranks.cut(fc6, fc7))
        rows.append({"fc6": fc6, "fc7": fc7, "map": known.get(fc6)} | about)
        arrays |= {f"{number} {name}": array for name, array in found.items()}
    return BrowserWidget(
        "truncated_svd",
        "What truncated SVD of the fully connected layers makes of weights, time and detections",
        Data(
            {"names": list(detector.classes), "size": list(trace.proposals.image_size), "rows": rows},
            arrays,
            {"picture": image},
        ),
        {"row": len(rows) - 1},
        lambda: _still(image, trace, detector.classes),
    )


def rank_pairs(tail: FCTail) -> list[tuple[int | None, int | None]]:
    """Ranks of fc6 and fc7: powers of two, for fc7 a quarter as in the paper (1,024 and 256), and last both not cut."""
    largest = [min(_linear(getattr(tail.layers, name)).weight.shape) for name in ("fc6", "fc7")]
    powers = [2**i for i in range(largest[0].bit_length()) if 2**i < largest[0]]
    return [(rank, min(max(1, rank // 4), largest[1])) for rank in powers] + [(None, None)]


@torch.no_grad()
def _tried(
    detector: Detector, trace: Trace, pooled: Float[Tensor, "r *grid"], tail: FCTail
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Weights and milliseconds of a tail, and what the detector finds with it."""
    features, milliseconds = timed(tail, pooled)
    found = detector.decode(trace.proposals, detector.predict(features), detector.rule)
    kept, lost = compare_detections(trace.detections, found)
    arrays = {"boxes": found.boxes, "labels": found.labels, "scores": found.scores}
    return {"weights": sum(p.numel() for p in tail.parameters()), "ms": milliseconds}, arrays | {
        "kept": kept.int(),
        "lost": lost.int(),
    }


def compare_detections(before: Detections, after: Detections) -> tuple[Tensor, Tensor]:
    """Which detections of `after` were there before, and which rows of `before` are lost: two masks.

    The same detection has the same class and an IoU of at least 0.5; each of `before` is found again at most once.
    """
    same = iou(after.boxes, before.boxes) * (after.labels[:, None] == before.labels[None])
    kept, lost = torch.zeros(len(after), dtype=torch.bool), torch.ones(len(before), dtype=torch.bool)
    for row in range(len(after)):
        free = same[row] * lost
        if len(before) and free.max() >= SAME:
            kept[row], lost[free.argmax()] = True, False
    return kept, lost


def _still(image: Tensor, trace: Trace, classes: Sequence[str]) -> Image.Image:
    """What the whole layers find, the surest on top."""
    found, layers = trace.detections, []
    for row in reversed(range(len(found))):
        label = int(found.labels[row])
        names = (f"{classes[label - 1]} {float(found.scores[row]):.2f}",) if row < NAMED else ()
        layers.append(Outlines(found.boxes[row : row + 1].cpu(), class_color(label), names=names))
    return draw_still(image, layers)
