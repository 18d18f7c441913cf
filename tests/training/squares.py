"""Pictures with two squares and boxes about them: what a joint training learns from in the tests."""

import torch
from torch import Tensor

from lecture_lib.structures import Proposals, Target
from lecture_lib.training.regions import Pixels
from lecture_lib.voc import VOCDataset

SIZE = (40, 60)


def pictures() -> list[Tensor]:
    """Three noisy pictures with a red square (class 1) on the left and a taller green one (2) on the right."""
    made = 0.4 * torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    made[:, 0, 8:24, 6:22] += 0.5
    made[:, 1, 10:38, 32:50] += 0.5
    return list((made * 255).round() / 255)  # as pictures on disk are


class Pictures(VOCDataset):
    """The pictures in the place of a set on disk."""

    def __init__(self) -> None:
        self.pictures = pictures()

    def image(self, i: int) -> Tensor:
        return self.pictures[i]


def pixels() -> Pixels:
    return Pixels(Pictures())


def targets() -> list[Target]:
    boxes = torch.tensor([[6.0, 8, 22, 24], [32, 10, 50, 38]])
    return [Target(boxes, torch.tensor([1, 2]), torch.zeros(2, dtype=torch.bool), None, SIZE) for _ in range(3)]


def regions() -> list[Proposals]:
    """Boxes about the objects, most of them too far on the left and too small, and the objects' own."""
    made = []
    for i, target in enumerate(targets()):
        generator = torch.Generator().manual_seed(i)
        corner, side = target.boxes[:, :2], target.boxes[:, 2:] - target.boxes[:, :2]
        corner = corner.repeat(20, 1) + 3 * torch.randn(40, 2, generator=generator) - torch.tensor([2.0, 0])
        side = side.repeat(20, 1) * (0.7 + 0.4 * torch.rand(40, 2, generator=generator))
        boxes = torch.cat([torch.cat([corner, corner + side], dim=1).clamp(min=0), target.boxes])
        made.append(Proposals(boxes, None, SIZE))
    return made
