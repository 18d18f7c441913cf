"""A training to be started by `torchrun`: writes the losses of all steps and the last weights, from process 0."""

import sys
from pathlib import Path

import torch
from torch import nn

from lecture_lib.backbones import Backbone, Stages
from lecture_lib.detectors import Detector, faster_rcnn
from lecture_lib.matching import SampleRule
from lecture_lib.training import distributed
from lecture_lib.training.end_to_end import EndToEnd, train_end_to_end
from lecture_lib.training.joint import JointTraining
from tests.training.squares import pixels, targets

SETTINGS = EndToEnd(regions=JointTraining(images=2, regions=SampleRule(16), steps=8, scales=(32, 40, 48), seed=1))


def build() -> Detector:
    """A small Faster R-CNN, the same in every process."""
    torch.manual_seed(0)
    trunk, tail = Stages(), Stages()
    trunk.add_module("conv1", nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU()))
    tail.add_module("flatten", nn.Flatten())
    tail.add_module("fc6", nn.Sequential(nn.Linear(16, 6), nn.ReLU(), nn.Dropout(0.5)))
    tail.add_module("fc7", nn.Sequential(nn.Linear(6, 5), nn.ReLU()))
    tail.add_module("classifier", nn.Linear(5, 10))
    backbone = Backbone(trunk, tail, stride=4, channels=4, first_cell=1.5, input_size=8, grid=(2, 2)).eval()
    return faster_rcnn(("red", "green"), backbone, torch.Generator().manual_seed(0), scales=(40,), sides=(8, 16))


def run(out: Path) -> None:
    """Train and write."""
    distributed.start()
    detector = build()
    losses = [record.loss for record in train_end_to_end(detector, pixels(), targets(), SETTINGS)]
    if distributed.rank() == 0:
        weights = nn.ModuleDict(detector.modules()).state_dict()
        torch.save({"losses": losses, "weights": weights, "processes": distributed.processes()}, out)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
