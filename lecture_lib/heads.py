"""What stands behind pooling: the network that embeds regions, and the layers that score them and move their boxes."""

from collections import OrderedDict
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.backbones import Backbone, Stages
from lecture_lib.boxes import BoxCoder
from lecture_lib.structures import Predictions, RegionFeatures


class WholeCNN(nn.Module):
    """The `embed` of R-CNN: every warped region goes through the whole network, but for its classifier."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, regions: Float[Tensor, "r 3 s s"]) -> RegionFeatures:
        """Features of warped regions in 0..1."""
        return self.backbone.region_features(regions)

    def logits(self, regions: Float[Tensor, "r 3 s s"]) -> Float[Tensor, "r k_1"]:
        """What the classifier says, which is for fine-tuning and thrown away after it."""
        return self.backbone(regions)

    @property
    def classifier(self) -> nn.Linear:
        """The layer of K + 1 logits."""
        return self.backbone.tail.classifier

    def new_layers(self) -> list[nn.Module]:
        """The layers that ImageNet has not trained: the classifier, and the FC tail where it is ours."""
        return [self.backbone.tail] if self.backbone.fresh_tail else [self.classifier]


class FCTail(nn.Module):
    """The `embed` of SPPnet and of all that follow: the fully connected layers alone, on pooled cells of the map.

    cells: bins of the pooling, 50 for the pyramid. fc6 keeps ImageNet's weights where they are for as many cells, and
        is drawn anew where not.
    classes: outputs of a classifier for fine-tuning, as in R-CNN; None for a network that learns with its own head, in
        one stage. A tail that ImageNet has not trained then starts from small weights and has no dropout.
    Raises `ValueError` for a backbone whose tail has no such layers.
    """

    def __init__(
        self, backbone: Backbone, cells: int, classes: int | None = None, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if not hasattr(backbone.tail, "fc6"):
            raise ValueError(
                f"FCTail: this backbone, of stages {list(backbone.stages())}, has no fully connected layers fc6 and "
                "fc7 to put on pooled regions; take efficientnet_lite0_fc(), alexnet() or vgg16()"
            )
        tail = deepcopy(backbone.tail)
        self._new: list[str] = ["fc6", "fc7"] if backbone.fresh_tail else []
        position = next(i for i, layer in enumerate(tail.fc6) if isinstance(layer, nn.Linear))
        if tail.fc6[position].in_features != backbone.channels * cells:
            tail.fc6[position] = _fresh(backbone.channels * cells, tail.fc6[position].out_features, generator)
            self._new = sorted({*self._new, "fc6"})
        if classes is None and backbone.fresh_tail:
            _start_small(tail, generator)
        self.layers = Stages(OrderedDict(list(tail.named_children())[:-1]))
        self.pool5_width, self.fc7_width = tail.fc6[position].in_features, tail.classifier.in_features
        self.classifier = None
        if classes is not None:
            self.classifier = nn.Linear(self.fc7_width, classes)
            _draw_normal(self.classifier, 0.01, generator)
            self._new.append("classifier")
        self.to(backbone.mean.device).eval()

    def forward(self, pooled: Float[Tensor, "r *grid"]) -> RegionFeatures:
        """Features of pooled regions, of any shape that flattens to the width of fc6."""
        return RegionFeatures(pooled.flatten(1), self.layers(pooled))

    def logits(self, pooled: Float[Tensor, "r *grid"]) -> Float[Tensor, "r k_1"]:
        """What the classifier says, which is for fine-tuning and thrown away after it."""
        return self.classifier(self.layers(pooled))

    def new_layers(self) -> list[nn.Module]:
        """The layers that ImageNet has not trained."""
        return [self.classifier if name == "classifier" else getattr(self.layers, name) for name in self._new]


class ForegroundSoftmax(nn.Module):
    """Softmax over K + 1 logits, of which column 0 is the background; only the K foreground columns come out."""

    def forward(self, logits: Float[Tensor, "r k_1"]) -> Float[Tensor, "r k"]:
        """Probabilities of the foreground classes."""
        return logits.softmax(dim=1)[:, 1:]


class RegionHead(nn.Module):
    """The `predict` of R-CNN and SPPnet: one model scores a region, another, trained apart from it, moves its box.

    score: features -> [R, K], for R-CNN K linear SVMs, which are one `nn.Linear`.
    regress: pool5 features -> [R, 4 K], for R-CNN ridge regressors, one `nn.Linear` too; None leaves the boxes.
    score_reads: "fc7" as in the paper, or "pool5", for a network whose fc7 has learned nothing yet.
    Raises `ValueError` for another `score_reads`.
    """

    def __init__(self, score: nn.Module, regress: nn.Linear | None, score_reads: str = "fc7") -> None:
        super().__init__()
        if score_reads not in ("fc7", "pool5"):
            raise ValueError(f"RegionHead: score_reads is 'fc7' or 'pool5', got {score_reads!r}")
        self.score, self.regress, self.score_reads = score, regress, score_reads

    def forward(self, features: RegionFeatures) -> Predictions:
        """Scores and deltas of every region and class."""
        scores = self.score(getattr(features, self.score_reads))
        if self.regress is None:
            return Predictions(scores, scores.new_zeros(*scores.shape, 4))
        return Predictions(scores, self.regress(features.pool5).unflatten(1, (-1, 4)))


def svm_and_ridge(pool5: int, fc7: int, classes: int) -> RegionHead:
    """An untrained R-CNN head: for each of K classes an SVM on fc7 and a regressor of four deltas on pool5.

    All weights are zero, so that it scores everything 0 and moves nothing until it is fitted.
    """
    score, regress = nn.Linear(fc7, classes), nn.Linear(pool5, 4 * classes)
    for layer in (score, regress):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return RegionHead(score, regress)


class JointHead(nn.Module):
    """The `predict` of Fast R-CNN: two sister layers on fc7, trained with all that is below them (section 2.2).

    classify: softmax over K + 1 classes, column 0 the background. move: four deltas for each of the K classes.
    """

    def __init__(self, fc7: int, classes: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.classify, self.move = nn.Linear(fc7, classes + 1), nn.Linear(fc7, 4 * classes)
        _draw_normal(self.classify, 0.01, generator)  # section 2.3
        _draw_normal(self.move, 0.001, generator)

    def joint(self, features: RegionFeatures) -> tuple[Float[Tensor, "r k_1"], Float[Tensor, "r k 4"]]:
        """Logits and deltas, as the multi-task loss wants them."""
        return self.classify(features.fc7), self.move(features.fc7).unflatten(1, (-1, 4))

    def forward(self, features: RegionFeatures) -> Predictions:
        """Probabilities and deltas of the foreground classes."""
        logits, deltas = self.joint(features)
        return Predictions(ForegroundSoftmax()(logits), deltas)

    def denormalised(self, coder: BoxCoder) -> "JointHead":
        """A head that was trained on targets normalised by `coder`, made to give plain deltas: t = t' std + mean.

        As in the authors' release, so that a detector needs no statistics of its training set.
        """
        head = deepcopy(self)
        with torch.no_grad():
            std, mean = (self.move.bias.new_tensor(v).repeat(len(self.move.bias) // 4) for v in (coder.std, coder.mean))
            head.move.weight.mul_(std[:, None])
            head.move.bias.mul_(std).add_(mean)
        return head


def truncated_svd(layer: nn.Linear, rank: int) -> nn.Sequential:
    """Two thin layers instead of a wide one: W = U S V^T is cut off after `rank` values (Fast R-CNN, section 3.1).

    The first has the weights S_t V^T and no bias, the second U_t and the bias: rank (u + v) numbers instead of u v.
    Raises `ValueError` for a rank that is not in 1 .. min(u, v).
    """
    u_size, v_size = layer.weight.shape
    if not 1 <= rank <= min(u_size, v_size):
        raise ValueError(
            f"truncated_svd: a layer {v_size} -> {u_size} has ranks 1 to {min(u_size, v_size)}, not {rank}"
        )
    u, s, vt = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
    first, second = nn.Linear(v_size, rank, bias=False), nn.Linear(rank, u_size)
    with torch.no_grad():
        first.weight.copy_(s[:rank, None] * vt[:rank])
        second.weight.copy_(u[:, :rank])
        second.bias.copy_(layer.bias)
    return nn.Sequential(first, second).to(layer.weight.device)


def compressed(tail: FCTail, fc6: int | None = None, fc7: int | None = None) -> FCTail:
    """A copy of the tail with fc6 and fc7 cut to these ranks; None leaves a layer as it is."""
    small = deepcopy(tail)
    for stage, rank in ((small.layers.fc6, fc6), (small.layers.fc7, fc7)):
        for position, layer in enumerate(stage):
            if rank is not None and isinstance(layer, nn.Linear):
                stage[position] = truncated_svd(layer, rank)
    return small


def _fresh(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _start_small(tail: nn.Module, generator: torch.Generator | None) -> None:
    """Draw all linear layers as PyTorch does by default, of 0.4 the spread of `_fresh`, and turn dropout off.

    Trained in one stage, where trunk, head and proposals learn at once, both help the accuracy.
    """
    for layer in tail.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def _draw_normal(layer: nn.Linear, std: float, generator: torch.Generator | None) -> None:
    nn.init.normal_(layer.weight, std=std, generator=generator)
    nn.init.zeros_(layer.bias)
