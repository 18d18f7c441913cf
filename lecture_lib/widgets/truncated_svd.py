"""A rank under a slider: what truncated SVD makes of the fully connected layers' weights, time and detections."""

from collections.abc import Sequence
from copy import deepcopy
from html import escape
from statistics import median
from time import perf_counter

import ipywidgets
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.boxes import iou
from lecture_lib.detectors import Detector, Trace
from lecture_lib.heads import FCTail, truncated_svd
from lecture_lib.plotting.style import INK, RED, class_color
from lecture_lib.plotting.transfer import short_number
from lecture_lib.structures import Detections, RegionFeatures
from lecture_lib.widgets.explorer import Explorer, picture
from lecture_lib.widgets.outline import outlined
from lecture_lib.widgets.still import jpeg_uri

FULL = "not cut"
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
    layer = next(layer for layer in stage if isinstance(layer, nn.Linear))
    return truncated_svd(layer, min(layer.weight.shape))


def _first_values(first: nn.Linear, second: nn.Linear, rank: int) -> nn.Sequential:
    """The two thin layers with the first `rank` of their singular values alone."""
    a, b = nn.Linear(first.in_features, rank, bias=False), nn.Linear(rank, second.out_features)
    with torch.no_grad():
        a.weight.copy_(first.weight[:rank])
        b.weight.copy_(second.weight[:, :rank])
        b.bias.copy_(second.bias)
    return nn.Sequential(a, b).to(first.weight.device)


@torch.no_grad()
def timed(tail: FCTail, pooled: Float[Tensor, "r *grid"], repeats: int = 3) -> tuple[RegionFeatures, float]:
    """What a tail makes of pooled regions, and the median of the milliseconds that it takes."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        features = tail(pooled)
        times.append(1000 * (perf_counter() - start))
    return features, median(times)


def svd_explorer(
    image: Float[Tensor, "3 h w"], detector: Detector, trace: Trace, ranks: Ranks | None = None
) -> Explorer:
    """Sliders for the ranks of fc6 and of fc7, and what the detector then finds in the picture of `trace`.

    ranks: the detector's tail taken apart before; without it that takes some seconds.
    """
    ranks, uri = ranks or Ranks(detector.embed), jpeg_uri(image)
    with torch.no_grad():
        pooled = detector.pool(trace.maps, trace.proposals)
    whole = timed(detector.embed, pooled)[1]

    def render(fc6: int, fc7: int) -> str:
        return render_cut(uri, detector, trace, pooled, ranks.cut(fc6 or None, fc7 or None), whole)

    sliders = {
        name: ipywidgets.SelectionSlider(
            options=[*_choices(getattr(detector.embed.layers, name)), (FULL, 0)],  # None would be no choice at all
            value=0,
            description=f"rank of {name}",
            continuous_update=False,
        )
        for name in ("fc6", "fc7")
    }
    return Explorer(render, **sliders)


def _choices(stage: nn.Sequential) -> list[tuple[str, int]]:
    """Powers of two below the largest rank of a stage's layer."""
    layer = next(layer for layer in stage if isinstance(layer, nn.Linear))
    largest = min(layer.weight.shape)
    return [(str(2**i), 2**i) for i in range(largest.bit_length()) if 2**i < largest]


@torch.no_grad()
def render_cut(
    uri: str, detector: Detector, trace: Trace, pooled: Float[Tensor, "r *grid"], tail: FCTail, whole: float
) -> str:
    """The picture with what another tail finds; red and dashed what is lost. `whole`: milliseconds of the old tail."""
    features, milliseconds = timed(tail, pooled)
    found = detector.decode(trace.proposals, detector.predict(features), detector.rule)
    kept, lost = compare_detections(trace.detections, found)
    overlay = outlined(trace.detections.boxes[lost], RED).replace('fill="none"', 'fill="none" stroke-dasharray="6 4"')
    for row in reversed(range(len(found))):  # the surest last, on top
        overlay += outlined(found.boxes[row : row + 1], class_color(int(found.labels[row])))
    overlay += _names(found, detector.classes)
    weights, before = (sum(p.numel() for p in part.parameters()) for part in (tail, detector.embed))
    caption = (
        f"{short_number(weights)} weights of {short_number(before)} ({weights / before:.0%}) · "
        f"{milliseconds:.1f} ms, not cut {whole:.1f} ms · of {len(trace.detections)} detections "
        f"{int(kept.sum())} are left, {len(found) - int(kept.sum())} are new"
    )
    return picture(uri, trace.proposals.image_size, overlay, caption)


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


def _names(found: Detections, classes: Sequence[str], most: int = 12) -> str:
    """SVG of class and score in the upper left corner of the surest boxes."""
    height = found.image_size[0] / 22
    style = f'font-size="{height:.1f}" font-family="system-ui,sans-serif" font-weight="700" fill="{INK}"'
    halo = f'stroke="white" stroke-width="{height / 4:.1f}" paint-order="stroke"'
    parts = []
    for row in range(min(most, len(found))):
        x, y = found.boxes[row, :2].tolist()
        text = escape(f"{classes[int(found.labels[row]) - 1]} {float(found.scores[row]):.2f}")
        parts.append(f'<text x="{x + 2:.1f}" y="{y + height:.1f}" {style} {halo}>{text}</text>')
    return "".join(parts)
