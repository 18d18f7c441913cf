"""A mask head by itself: it learns on maps that stay as they are, in the objects' own boxes (Mask R-CNN, section 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lecture_lib.masks import MaskHead, crop_masks, mask_loss
from lecture_lib.structures import Maps, Proposals, Target
from lecture_lib.training.loop import Step, train


@dataclass(frozen=True)
class MaskTraining:
    """How a mask head is trained alone, which takes seconds; in a Mask R-CNN it learns with the rest."""

    steps: int = 120
    images: int = 2  # of a step
    learning_rate: float = 2e-3
    seed: int = 0


def train_masks(
    head: MaskHead, maps: Sequence[Maps], targets: Sequence[Target], settings: MaskTraining
) -> Iterator[Step]:
    """Train a head on the objects of some images, whose maps were made before; a record a step.

    Raises `ValueError` where there is no object to learn from, or one without a mask.
    """
    rows = [i for i, target in enumerate(targets) if len(target)]
    if not rows or any(targets[i].masks is None for i in rows):
        raise ValueError("train_masks: objects with masks are needed; take a set with masks, such as stamps")
    generator = torch.Generator().manual_seed(settings.seed)
    drawn = torch.randint(len(rows), (settings.steps, settings.images), generator=generator).tolist()
    optimizer = torch.optim.Adam(head.parameters(), settings.learning_rate)

    def losses(batch: list[int]) -> dict[str, Tensor]:
        terms = [_object_loss(head, maps[rows[i]], targets[rows[i]]) for i in batch]
        return {"masks": torch.stack(terms).mean()}

    return train(losses, drawn, optimizer)


def _object_loss(head: MaskHead, maps: Maps, target: Target) -> Tensor:
    """The mean loss of the masks of an image's objects, in their own boxes."""
    goals = crop_masks(target.masks, torch.arange(len(target), device=target.boxes.device), target.boxes)
    logits = head.logits(maps, Proposals(target.boxes, None, target.image_size))
    return mask_loss(logits, target.labels, goals) / len(target)
