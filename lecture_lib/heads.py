"""What stands behind pooling: the network that embeds regions, and the layers that score them and move their boxes."""

from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib.backbones import Backbone
from lecture_lib.structures import Predictions, RegionFeatures


class WholeCNN(nn.Module):
    """The `embed` of R-CNN: every warped region goes through the whole network, but for its classifier."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, regions: Float[Tensor, "r 3 s s"]) -> RegionFeatures:
        """Features of warped regions in 0..1."""
        return self.backbone.region_features(regions)


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
