"""The region proposal network: objects are proposed from the feature map itself (Faster R-CNN, section 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.proposals.anchors import Anchors, anchor_grid
from lecture_lib.structures import FeatureMap, Maps, Predictions, Proposals, concatenate


@dataclass(frozen=True)
class ProposalRule:
    """Which anchors become proposals. Raises `ValueError` for counts below 1 and for a threshold that is no IoU."""

    count: int = 300  # proposals of an image at test (section 3.3; 2,000 in training there)
    before_nms: int = 1000  # best anchors of each map that are looked at; 6,000 in the authors' release
    nms_threshold: float = 0.7  # IoU (section 3.3)

    def __post_init__(self) -> None:
        if min(self.count, self.before_nms) < 1 or not 0 <= self.nms_threshold <= 1:
            raise ValueError(f"ProposalRule: counts must be at least 1 and the threshold an IoU in 0..1, got {self}")


@dataclass(frozen=True)
class ScoredAnchors:
    """What the network says of the n anchors of one map; row r is anchor r of `anchor_grid`."""

    anchors: Proposals
    logits: Float[Tensor, " n"]  # of being an object
    deltas: Float[Tensor, "n 4"]


class RegionProposalNetwork(nn.Module):
    """The `propose` of Faster R-CNN: a 3x3 window slides over the map and judges k anchors at each position.

    The two sister layers are the lecture's fully connected ones: over all positions at once they are 1x1 convolutions.
    One logit an anchor stands for the paper's two (its footnote 3: "logistic regression to produce k scores").

    channels: of the map. width: of the 3x3 convolution, by default as many, as in the paper (256 for ZF, 512 for
    VGG16). On several maps, as a feature pyramid gives them, each has its own anchors, as many a cell, and all share
    the layers.
    Raises `ValueError` for maps with different numbers of anchors a cell.
    """

    def __init__(
        self,
        channels: int,
        anchors: Sequence[Anchors] = (Anchors(),),
        rule: ProposalRule | None = None,
        width: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if len({len(level) for level in anchors}) != 1:
            raise ValueError(f"RegionProposalNetwork: every map needs as many anchors a cell, got {tuple(anchors)}")
        self.anchors, self.rule = tuple(anchors), rule or ProposalRule()
        width = width or channels
        self.window = nn.Conv2d(channels, width, 3, padding=1)
        self.objectness = nn.Conv2d(width, len(anchors[0]), 1)
        self.deltas = nn.Conv2d(width, 4 * len(anchors[0]), 1)
        for layer in (self.window, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)  # section 3.1.3
            nn.init.zeros_(layer.bias)

    def forward(self, image: Float[Tensor, "3 h w"], maps: Maps) -> Proposals:
        """The proposals of an image from its maps, best first; the image's pixels are not looked at.

        Raises `ValueError` for another number of maps than of anchors, and where scores or deltas are not finite.
        """
        with torch.no_grad():
            scored = self.score(maps)
        if not torch.stack([t.isfinite().all() for level in scored for t in (level.logits, level.deltas)]).all():
            raise ValueError("the RPN's scores or deltas are not finite; look for NaN in its weights or in the image")
        return choose_proposals(scored, self.rule)

    def score(self, maps: Maps) -> list[ScoredAnchors]:
        """Logits and deltas of all anchors, map by map. Raises `ValueError` for another number of maps."""
        if len(maps) != len(self.anchors):
            raise ValueError(f"the RPN has anchors for {len(self.anchors)} maps, but the image has {len(maps)}")
        return [self._score_map(*pair) for pair in zip(maps, self.anchors, strict=True)]

    def _score_map(self, feature_map: FeatureMap, anchors: Anchors) -> ScoredAnchors:
        hidden = self.window(feature_map.tensor).relu()
        logits = self.objectness(hidden).permute(1, 2, 0)  # [k, h, w] -> [h, w, k], the order of `anchor_grid`
        deltas = self.deltas(hidden).unflatten(0, (-1, 4)).permute(2, 3, 0, 1)  # [k, 4, h, w] -> [h, w, k, 4]
        boxes = Proposals(anchor_grid(feature_map, anchors), None, feature_map.image_size)
        return ScoredAnchors(boxes, logits.flatten().float(), deltas.reshape(-1, 4).float())


@torch.no_grad()
def choose_proposals(scored: Sequence[ScoredAnchors], rule: ProposalRule) -> Proposals:
    """The best anchors, moved by their deltas, clipped, without doubles: `decode` with one class, the object."""
    every = concatenate([choose_anchors(level, rule)[1] for level in scored])
    return every[every.scores.sort(descending=True, stable=True).indices[: rule.count]]


@torch.no_grad()
def choose_anchors(scored: ScoredAnchors, rule: ProposalRule) -> tuple[Int[Tensor, " p"], Proposals]:
    """Which anchors of one map become proposals, best first, and what they become."""
    best = scored.logits.sort(descending=True, stable=True).indices[: rule.before_nms]
    predictions = Predictions(scored.logits[best].sigmoid()[:, None], scored.deltas[best][:, None])
    every = DecodeRule(score_threshold=-1.0, nms_threshold=rule.nms_threshold, max_detections=rule.count)
    found = decode(scored.anchors[best], predictions, every)
    return best[found.proposal_index], Proposals(found.boxes, found.scores, found.image_size)
