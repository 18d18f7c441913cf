"""One notebook cell for every widget: the browser tests show it and move it, the benchmark times it."""

from dataclasses import dataclass

SETUP = """
import torch
from lecture_lib import voc, widgets
from lecture_lib.structures import Detections, Predictions, Proposals, RegionFeatures, Target

image, target = voc.stamps("test")[7]
classes = voc.stamps("test").classes
height, width = image.shape[1:]
generator = torch.Generator().manual_seed(0)


def random_proposals(count):
    corners = torch.rand(count, 2, generator=generator) * torch.tensor([0.7 * width, 0.7 * height])
    sides = torch.rand(count, 2, generator=generator) * torch.tensor([0.4 * width, 0.4 * height]) + 8
    near = target.boxes[torch.arange(count) % len(target)] + 12 * torch.randn(count, 4, generator=generator)
    boxes = torch.where(torch.arange(count)[:, None] % 3 == 0, near, torch.cat([corners, corners + sides], 1))
    boxes = boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    return Proposals(boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)], None, (height, width))
"""


@dataclass(frozen=True)
class Case:
    """A widget: its cell, with {count} boxes; the control that a key moves, and which key; what the mouse drags."""

    cell: str
    moves: str
    key: str = "ArrowRight"
    drags: str | None = None


CASES = {
    "iou": Case("from lecture_lib.widgets.iou import iou_explorer\niou_explorer(image)", moves="a", drags="b"),
    "suppression": Case(
        """
from lecture_lib.decoding import DecodeRule
from lecture_lib.detectors import Trace
from lecture_lib.widgets.suppression import suppression_explorer
proposals = random_proposals({count})
shape = len(proposals), len(classes)
predictions = Predictions(torch.rand(shape, generator=generator) ** 8, torch.zeros(*shape, 4))
nothing = RegionFeatures.empty(1, 1), Detections.empty((height, width))
trace = Trace((), proposals, nothing[0], predictions, nothing[1], {{}})
suppression_explorer(image, trace, classes, DecodeRule(0.05))""",
        moves="score",
        drags="threshold",
    ),
    "labelling": Case(
        """
from lecture_lib.widgets.labelling import labelling_explorer
labelling_explorer(image, random_proposals({count}), target, classes)""",
        moves="foreground",
        drags="high",
    ),
    "deltas": Case(
        """
from lecture_lib.widgets.deltas import deltas_explorer
box = target.boxes[:1]
deltas_explorer(image, box + torch.tensor([20.0, 10.0, 4.0, -12.0]), box)""",
        moves="done",
        drags="proposal",
    ),
    "sliding_window": Case(
        "from lecture_lib.widgets.sliding_window import window_explorer\nwindow_explorer(image, 0.012)",
        moves="size",
        drags="along",
    ),
    "detection_browser": Case(
        """
from lecture_lib import detectors
from lecture_lib.widgets.detection_browser import detection_browser
fast = detectors.load("fast_rcnn")
detection_browser([image], {{"fast_rcnn": fast}}, {{"fast_rcnn": [fast.trace(image, random_proposals({count}))]}})""",
        moves="detection",
    ),
    "proposals": Case(
        """
from lecture_lib.widgets.proposals import proposals_explorer
proposals_explorer(image, random_proposals({count}), target)""",
        moves="step",
        drags="threshold",
    ),
    "anchors": Case(
        """
from lecture_lib import detectors
from lecture_lib.widgets.anchors import anchors_explorer
faster = detectors.load("faster_rcnn")
with torch.no_grad():
    (map_of_image,) = faster.encode(image)
    (scored,) = faster.propose.score((map_of_image,))
anchors_explorer(image, map_of_image, faster.propose.anchors[0], scored, target)""",
        moves="cell",
    ),
    "pyramid": Case(
        """
from lecture_lib.structures import FeatureMap
from lecture_lib.widgets.pyramid import pyramid_explorer
noise = FeatureMap(torch.rand(8, 18, 24, generator=generator), (height / 18, width / 24), (height, width))
pyramid_explorer(image, noise, random_proposals({count}))""",
        moves="box",
        drags="box",
    ),
    "alignment": Case(
        """
from lecture_lib.structures import FeatureMap
from lecture_lib.widgets.alignment import alignment_explorer
noise = FeatureMap(torch.rand(8, 18, 24, generator=generator), (height / 18, width / 24), (height, width))
alignment_explorer(image, noise, target.boxes[0])""",
        moves="right",
        drags="down",
    ),
    "segmentation": Case(
        """
from lecture_lib.widgets.grouping import segmentation_explorer
segmentation_explorer(image, ks=(50.0, 100.0, 200.0, 400.0, 800.0))""",
        moves="step",
        drags="step",
    ),
    "grouping": Case(
        """
from lecture_lib import proposals
from lecture_lib.widgets.grouping import grouping_explorer
strategy = proposals.Strategy(k=150.0)
steps = list(proposals.hierarchical_grouping(image, strategy))
grouping_explorer(image, proposals.first_regions(image, strategy), steps, target)""",
        moves="merges",
        drags="merges",
    ),
    "warping": Case(
        """
from lecture_lib.pooling import WarpRegions
from lecture_lib.widgets.warping import warping_explorer
proposals, names = random_proposals({count}), ["red", "green", "blue"]
warping_explorer(image, proposals, WarpRegions(112, 8.0), 0, lambda square: square.mean((0, 2, 3)), names)""",
        moves="context",
        drags="region",
    ),
    "cost": Case(
        """
from lecture_lib.widgets.cost import TimeModel, cost_explorer
cost_explorer(TimeModel(torch.tensor([0.02, 0.1, 0.3]), 0.1))""",
        moves="width",
        key="ArrowLeft",
        drags="side",
    ),
    "reward": Case(
        """
from lecture_lib.widgets.cost import reward_explorer
reward_explorer(dict(small=60.0, middle=68.0, large=72.0), dict(small=6.0, middle=15.0, large=40.0))""",
        moves="target",
        drags="weight",
    ),
    "truncated_svd": Case(
        """
from lecture_lib import detectors
from lecture_lib.widgets.truncated_svd import svd_explorer
fast = detectors.load("fast_rcnn")
svd_explorer(image, fast, fast.trace(image, random_proposals({count})))""",
        moves="row",
        key="ArrowLeft",
        drags="row",
    ),
    "predict": Case('widgets.Predict("How many windows?", lambda: 1234, "windows")', moves="reveal", key="Enter"),
}


def show(name: str, count: int = 300) -> str:
    """The source of a widget's cell."""
    return CASES[name].cell.format(count=count).strip()
