"""Several processes, one a GPU, on one training: PyTorch's own `torchrun` and DistributedDataParallel.

`torchrun --nproc-per-node 2 -m lecture_lib.training.faster_rcnn ...` shares the images of every step among the
processes; the sum over them is the same as in one process with all of the step's images.
"""

import os
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import lecture_lib

Loss = Callable[[tuple[int, int]], dict[str, Tensor]]


def processes() -> int:
    """How many processes share the training; 1 without `torchrun`."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number; 0 is the one that writes files and shows progress."""
    return int(os.environ.get("RANK", "0"))


def start() -> None:
    """Join the other processes, each with a GPU of its own where there are any; nothing happens without `torchrun`."""
    if processes() == 1 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # from now on it is this process's "cuda"
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def share(images: list[int]) -> list[int]:
    """This process's images of a step. Raises `ValueError` where there are fewer images than processes."""
    if len(images) < processes():
        raise ValueError(f"a step has {len(images)} images for {processes()} processes; give --images {processes()}")
    return images[rank() :: processes()]


class SharedLoss:
    """The loss of this process's images of a step, whose gradients are averaged with those of the other processes.

    A loss is the image's share of the whole step's; since averaging divides by the number of processes, each one's is
    multiplied by it. Calls return sums over the process's images: (step, images) -> terms.
    """

    def __init__(self, loss: Loss, network: nn.Module) -> None:
        self.module = DistributedDataParallel(_LossOfImages(loss, network))

    def __call__(self, batch: tuple[int, list[int]]) -> dict[str, Tensor]:
        """All terms; every process must call it in every step."""
        step, images = batch
        terms = self.module(step, share(images))
        return {name: term * processes() for name, term in terms.items()}


class _LossOfImages(nn.Module):
    def __init__(self, loss: Loss, network: nn.Module) -> None:
        super().__init__()
        self.loss, self.network = loss, network

    def forward(self, step: int, images: list[int]) -> dict[str, Tensor]:
        """The sum over the images, term by term."""
        every = [self.loss((step, i)) for i in images]
        return {name: sum(terms[name] for terms in every) for name in every[0]}


def mean_over_processes(value: float) -> float:
    """The mean of a number over all processes."""
    if processes() == 1:
        return value
    total = torch.tensor(value, dtype=torch.double, device=lecture_lib.device())
    dist.all_reduce(total)
    return float(total) / processes()
