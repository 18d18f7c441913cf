"""Every detection walked back to the pixels that it came from, for several detectors on the same pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lecture_lib.detectors import ALL_SLOTS, Detector, Trace
from lecture_lib.plotting.ratios import NAMES
from lecture_lib.plotting.style import class_color
from lecture_lib.pooling import SpatialPyramid, WarpRegions
from lecture_lib.structures import Detections
from lecture_lib.widgets.checks import check_same_picture
from lecture_lib.widgets.frame import BrowserWidget, Data
from lecture_lib.widgets.still import Outlines, draw_still

MOST = 10  # detections of a picture: each brings its pooled cells, or for R-CNN a picture of its own


def detection_browser(
    images: Sequence[Float[Tensor, "3 h w"]],
    detectors: Mapping[str, Detector],
    traces: Mapping[str, Sequence[Trace]],
    most: int = MOST,
) -> BrowserWidget:
    """Choose a picture, a detector and one of its detections: scores, pooled cells, region, pixels, and the seconds.

    detectors: of the same classes, by name; those of the course are shown by their full names.
    traces: for each of these names what the detector made of every image. most: detections of a picture, the surest.
    Raises `ValueError` for no image or detector, for other classes, and for traces of other images.
    """
    _check(images, detectors, traces)
    arrays, pictures, runs = {}, {f"picture {i}": image for i, image in enumerate(images)}, {}
    for name, detector in detectors.items():
        for i, trace in enumerate(traces[name]):
            key = f"{i} {name}"
            found = trace.detections[:most]
            run_arrays, warped = walk_back(detector, trace, found)
            arrays |= {f"{key} {field}": array for field, array in run_arrays.items()}
            pictures |= {f"{key} warped": warped} if warped is not None else {}
            runs[key] = _about(detector, trace)
    first = next(iter(detectors))
    inputs = {
        "names": list(detectors[first].classes),
        "sizes": [list(image.shape[1:]) for image in images],
        "detectors": [[name, NAMES.get(name, name)] for name in detectors],
        "slots": [slot for slot in ALL_SLOTS if any(slot in run["seconds"] for run in runs.values())],
        "runs": runs,
    }
    return BrowserWidget(
        "detection_browser",
        "Detections on a picture; one is walked back to its scores, its pooled cells, its region and its pixels",
        Data(inputs, arrays, pictures),
        {"picture": 0, "detector": first, "detection": 0},
        lambda: _still(images[0], traces[first][0], detectors[first].classes, most),
    )


@torch.no_grad()
def walk_back(detector: Detector, trace: Trace, found: Detections) -> tuple[dict[str, Tensor], Tensor | None]:
    """For each of the detections `found` what every slot had made of its region, and R-CNN's warped regions in a row.

    Pooled cells are averaged over the channels; those of a pyramid lie level after level.
    """
    rows = found.proposal_index
    regions = trace.proposals[rows]
    pooled = detector.pool(trace.maps, regions)
    arrays = {
        "boxes": found.boxes,
        "labels": found.labels,
        "rows": rows,
        "regions": regions.boxes,
        "scores": trace.predictions.scores[rows],
        "deltas": trace.predictions.deltas[rows, found.labels - 1],
    }
    if isinstance(detector.pool, WarpRegions):
        return arrays, (torch.cat(list(pooled), dim=2) if len(pooled) else None)
    return arrays | {"cells": _mean_of_channels(pooled, pool_levels(detector))}, None


def pool_levels(detector: Detector) -> list[tuple[int, int]]:
    """Rows and columns of the grids that a region becomes; none where it stays a picture."""
    if isinstance(detector.pool, WarpRegions):
        return []
    return [(n, n) for n in detector.pool.levels] if isinstance(detector.pool, SpatialPyramid) else [detector.pool.grid]


def _mean_of_channels(pooled: Float[Tensor, "r *d"], levels: Sequence[tuple[int, int]]) -> Float[Tensor, "r cells"]:
    flat = pooled.flatten(1)
    channels = flat.shape[1] // sum(rows * columns for rows, columns in levels)
    parts = flat.split([channels * rows * columns for rows, columns in levels], dim=1)
    return torch.cat([part.unflatten(1, (channels, -1)).mean(1) for part in parts], dim=1)


def _about(detector: Detector, trace: Trace) -> dict[str, Any]:
    scores = trace.predictions.scores
    low, high = (float(end) for end in (scores.min(), scores.max())) if scores.numel() else (0.0, 1.0)
    return {
        "seconds": trace.seconds,
        "regions": len(trace.proposals),
        "levels": [list(level) for level in pool_levels(detector)],
        "width": trace.features.fc7.shape[1],
        "range": [min(low, 0.0), max(high, 1.0)],
    }


def _check(images: Sequence[Tensor], detectors: Mapping[str, Detector], traces: Mapping[str, Sequence[Trace]]) -> None:
    if not len(images) or not detectors:
        raise ValueError("detection_browser: at least one image and one detector are needed")
    if len({detector.classes for detector in detectors.values()}) > 1:
        raise ValueError("detection_browser: the detectors have different classes; take those of one training set")
    for name in detectors:
        if len(traces.get(name, ())) != len(images):
            raise ValueError(
                f"detection_browser: traces[{name!r}] needs one trace for each of {len(images)} images, in their order"
            )
        for image, trace in zip(images, traces[name], strict=True):
            check_same_picture(image, trace.proposals)


def _still(image: Tensor, trace: Trace, classes: Sequence[str], most: int) -> Image.Image:
    """The detections, the surest on top."""
    found = trace.detections[:most]
    layers = []
    for row in reversed(range(len(found))):
        label = int(found.labels[row])
        name = f"{classes[label - 1]} {float(found.scores[row]):.2f}"
        layers.append(Outlines(found.boxes[row : row + 1].cpu(), class_color(label), names=(name,)))
    return draw_still(image, layers)
