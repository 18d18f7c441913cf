"""The page of the course: every detector is six slots, and each recipe is an edit of the one before.

encode   image -> feature maps              what is computed once for the whole image
propose  image, maps -> proposals           where objects might be
pool     maps, proposals -> fixed size      one grid a region, whatever the region's size
embed    pooled regions -> features         what is computed for every region
predict  features -> scores and deltas      which class, and how to move the box
decode   all of it -> detections            clip, threshold, suppress doubles

Mask R-CNN has one more, after them: mask, maps and detections -> detections with their shapes.
"""

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lecture_lib import checkpoints
from lecture_lib.backbones import BACKBONES, Backbone, efficientnet_lite0_fc, fold_batch_norm
from lecture_lib.decoding import DecodeRule, decode
from lecture_lib.encoders import ConvTrunk, FeaturePyramid, WholeImage
from lecture_lib.heads import FCTail, JointHead, WholeCNN, svm_and_ridge
from lecture_lib.masks import MaskHead
from lecture_lib.pooling import SPP_LEVELS, RoIAlign, RoIPool, SpatialPyramid, WarpRegions
from lecture_lib.proposals import Anchors, RegionProposalNetwork, SearchImage
from lecture_lib.stopwatch import Stopwatch
from lecture_lib.structures import Detections, Maps, Predictions, Proposals, RegionFeatures, check_image, concatenate

SLOTS = ("encode", "propose", "pool", "embed", "predict", "decode")
ALL_SLOTS = (*SLOTS, "mask")


@dataclass(frozen=True)
class Trace:
    """What every slot made of one image, and the seconds that each took; row r is one region all the way.

    Pooled regions are not kept (2,000 of 224 px are 1.2 GB): `detector.pool(trace.maps, trace.proposals[r : r + 1])`
    makes those of row r again.
    """

    maps: Maps
    proposals: Proposals
    features: RegionFeatures
    predictions: Predictions
    detections: Detections
    seconds: dict[str, float]


@dataclass(frozen=True)
class Detector:
    """A two-stage object detector; the fields are its slots, in the order in which they run."""

    encode: Callable[[Tensor], Maps]
    propose: Callable[[Tensor, Maps], Proposals]
    pool: Callable[[Maps, Proposals], Tensor]
    embed: Callable[[Tensor], RegionFeatures]
    predict: Callable[[RegionFeatures], Predictions]
    classes: tuple[str, ...]  # label k is named classes[k - 1]
    rule: DecodeRule = field(default_factory=DecodeRule)
    decode: Callable[[Proposals, Predictions, DecodeRule], Detections] = decode
    mask: Callable[[Maps, Detections], Detections] | None = None
    chunk: int = 32  # regions pooled and embedded at once; on two cores 128 take a third longer each, on a GPU raise it

    @torch.no_grad()
    def trace(self, image: Float[Tensor, "3 h w"], proposals: Proposals | None = None) -> Trace:
        """Run all slots on an image in 0..1 and keep what each of them made.

        proposals: computed before, for example by `precompute`; `propose` is then left out and takes no time.
        Raises `ValueError` for an image that is none, and where the head's answers are not numbers.
        """
        check_image(image)
        watch = Stopwatch(image.device)
        maps = watch("encode", self.encode, image)
        if proposals is None:
            proposals = watch("propose", self.propose, image, maps)
        proposals = proposals.to(image.device)
        features = self.features(maps, proposals, watch)
        predictions = watch("predict", self.predict, features)
        if (predictions.scores.isnan().any() | predictions.deltas.isnan().any()).item():
            raise ValueError("the head's scores or deltas are NaN; its training has diverged, or its file is damaged")
        detections = watch("decode", self.decode, proposals, predictions, self.rule)
        if self.mask is not None:
            detections = watch("mask", self.mask, maps, detections)
        return Trace(maps, proposals, features, predictions, detections, watch.seconds)

    def detect(self, image: Float[Tensor, "3 h w"], proposals: Proposals | None = None) -> Detections:
        """The detections of an image in 0..1, best first."""
        return self.trace(image, proposals).detections

    def features(self, maps: Maps, proposals: Proposals, watch: Stopwatch | None = None) -> RegionFeatures:
        """Pool and embed all proposals, `chunk` regions at a time."""
        watch = watch or Stopwatch(maps[0].tensor.device)
        starts = range(0, max(len(proposals), 1), self.chunk)  # no proposal is one empty chunk
        chunks = (proposals[start : start + self.chunk] for start in starts)
        return concatenate([watch("embed", self.embed, watch("pool", self.pool, maps, part)) for part in chunks])

    def modules(self) -> dict[str, nn.Module]:
        """The slots that have weights, by name."""
        slots = {name: getattr(self, name) for name in ALL_SLOTS}
        return {name: slot for name, slot in slots.items() if isinstance(slot, nn.Module)}

    def to(self, device: torch.device | str) -> "Detector":
        """Move all weights to `device` and return the detector itself; images are to be moved there too."""
        for module in self.modules().values():
            module.to(device)
        return self


def rcnn(
    classes: Sequence[str], backbone: Backbone | None = None, generator: torch.Generator | None = None
) -> Detector:
    """R-CNN (Girshick et al., CVPR 2014), untrained but for its backbone: warp every proposal, run the CNN on each.

    backbone: by default EfficientNet-Lite0 on regions of 112 px; `alexnet()` is the lecture's, on 227 px. It gets a
    new head of K + 1 classes, which fine-tuning trains and the SVMs replace. `generator` draws all new layers.
    """
    backbone = backbone or efficientnet_lite0_fc(generator=generator)
    backbone.new_head(1 + len(classes), generator)
    size = backbone.input_size
    with torch.no_grad():
        widths = backbone.region_features(torch.zeros(1, 3, size, size, device=backbone.mean.device))
    return Detector(
        encode=WholeImage(),
        propose=SearchImage(),
        pool=WarpRegions(size, context=size * 16 / 227, fill=tuple(backbone.mean.flatten().tolist())),
        embed=WholeCNN(backbone),
        predict=svm_and_ridge(widths.pool5.shape[1], widths.fc7.shape[1], len(classes)).to(backbone.mean.device),
        classes=tuple(classes),
        rule=DecodeRule(score_threshold=-1.5),  # an SVM's margin: below -1 it is sure of the background
    )


def sppnet(
    classes: Sequence[str],
    backbone: Backbone | None = None,
    generator: torch.Generator | None = None,
    scales: tuple[int, ...] = (240, 320, 480),
) -> Detector:
    """SPPnet (He et al., ECCV 2014): R-CNN, but the convolutions run once, and regions are cut out of their map.

    scales: shorter sides in pixels to which the image is resized; each region is pooled from the scale at which it is
    nearest in size to the network's own input (section 4.1). One scale is faster and here less accurate.
    """
    backbone = backbone or efficientnet_lite0_fc(generator=generator)
    before = rcnn(classes, backbone, generator)
    cells = sum(n * n for n in SPP_LEVELS)
    embed = FCTail(backbone, cells, 1 + len(classes), generator)
    head = svm_and_ridge(embed.pool5_width, embed.fc7_width, len(classes))  # the same, for other widths
    return replace(
        before,
        encode=ConvTrunk(backbone, scales),
        pool=SpatialPyramid(SPP_LEVELS, side=backbone.input_size / backbone.stride),
        embed=embed,
        predict=head.to(backbone.mean.device),
        chunk=512,
    )


def fast_rcnn(
    classes: Sequence[str],
    backbone: Backbone | None = None,
    generator: torch.Generator | None = None,
    scales: tuple[int, ...] = (320,),
    grid: tuple[int, int] | None = None,
) -> Detector:
    """Fast R-CNN (Girshick, ICCV 2015): SPPnet with one grid for its pyramid, and a head that is trained with it.

    scales: one shorter side in pixels: the trunk is trained, and learns what pyramids of images give SPPnet.
    grid: rows and columns of the RoI pooling; by default those for which the backbone's fc6 was made.
    """
    backbone = backbone or efficientnet_lite0_fc(generator=generator)
    before = sppnet(classes, backbone, generator, scales)
    grid = grid or backbone.grid
    embed = FCTail(backbone, grid[0] * grid[1], generator=generator)
    return replace(
        before,
        pool=RoIPool(grid),
        embed=embed,  # the same layers; fc6 is as wide as the grid
        predict=JointHead(embed.fc7_width, len(classes), generator).to(backbone.mean.device),
        rule=DecodeRule(),  # scores are probabilities again
    )


def faster_rcnn(
    classes: Sequence[str],
    backbone: Backbone | None = None,
    generator: torch.Generator | None = None,
    scales: tuple[int, ...] = (320,),
    grid: tuple[int, int] | None = None,
    sides: tuple[int, ...] = (64, 96, 144),
) -> Detector:
    """Faster R-CNN (Ren et al., NIPS 2015): Fast R-CNN whose proposals come from the map that it has already.

    sides: of the anchors, in pixels of the resized image; each has three shapes. The paper's (128, 256, 512) are for
    600 pixels; the default is where the middle half of the objects of `stamps` lies.
    """
    backbone = backbone or efficientnet_lite0_fc(generator=generator)
    before = fast_rcnn(classes, backbone, generator, scales, grid)
    anchors = Anchors(tuple(sides), stride=backbone.stride)
    network = RegionProposalNetwork(backbone.channels, (anchors,), generator=generator)
    return replace(before, propose=network.to(backbone.mean.device))


def mask_rcnn(
    classes: Sequence[str],
    backbone: Backbone | None = None,
    generator: torch.Generator | None = None,
    scales: tuple[int, ...] = (320,),
    grid: tuple[int, int] | None = None,
    sides: tuple[int, ...] = (48, 96, 192),
) -> Detector:
    """Mask R-CNN on a feature pyramid (He et al., ICCV 2017; Lin et al., CVPR 2017): Faster R-CNN, and a shape each.

    sides: of the anchors, one for each of the three maps, of stride 8, 16 and 32.
    """
    backbone = backbone or efficientnet_lite0_fc(generator=generator)
    before, device = faster_rcnn(classes, backbone, generator, scales, grid), backbone.mean.device
    strides = (backbone.stride // 2, backbone.stride, backbone.stride * 2)
    anchors = [Anchors((side,), stride=stride) for side, stride in zip(sides, strides, strict=True)]
    return replace(
        before,
        encode=FeaturePyramid(backbone, scales, generator=generator),
        propose=RegionProposalNetwork(backbone.channels, anchors, generator=generator).to(device),
        pool=RoIAlign(before.pool.grid, side=backbone.input_size / backbone.stride),
        mask=MaskHead(backbone.channels, len(classes), generator=generator).to(device),
    )


LADDER = ("rcnn", "sppnet", "fast_rcnn", "faster_rcnn")  # the four of the lecture, in their order
RECIPES: dict[str, Callable[..., Detector]] = {
    "rcnn": rcnn,
    "sppnet": sppnet,
    "fast_rcnn": fast_rcnn,
    "faster_rcnn": faster_rcnn,
    "mask_rcnn": mask_rcnn,
}


def changed_slots(before: Detector, after: Detector) -> tuple[str, ...]:
    """The slots in which two detectors have another algorithm, in their order; other weights are no other algorithm."""

    def algorithm(slot: object) -> object:
        return slot if inspect.isfunction(slot) else type(slot)

    return tuple(name for name in ALL_SLOTS if algorithm(getattr(before, name)) != algorithm(getattr(after, name)))


def save(detector: Detector, recipe: str, backbone: str, path: Path) -> None:
    """Write a trained detector: its backbone in half precision, the small heads in single precision.

    recipe: the function of this page that built it. backbone: the name in `BACKBONES` of what it was built on.
    """
    tensors = {f"{slot}.{name}": t for slot, m in detector.modules().items() for name, t in m.state_dict().items()}
    about = {"recipe": recipe, "backbone": backbone, "classes": json.dumps(detector.classes)}
    about["options"] = json.dumps(_options(detector))
    checkpoints.write_checkpoint(path, tensors, about, half=("encode.", "embed."))


def _options(detector: Detector) -> dict[str, tuple[int, ...]]:
    """What a recipe was asked for beside classes and backbone."""
    options = {}
    if isinstance(detector.encode, ConvTrunk):
        options["scales"] = detector.encode.shorter_sides
    if isinstance(detector.pool, RoIPool | RoIAlign):
        options["grid"] = detector.pool.grid
    if isinstance(detector.propose, RegionProposalNetwork):
        options["sides"] = tuple(side for level in detector.propose.anchors for side in level.sides)
    return options


def load(name: str | Path) -> Detector:
    """A trained detector: one that comes with the course, by name ("rcnn"), or a file that `save` wrote.

    Its BatchNorms are folded into their convolutions. It may be trained further, and saved.
    Raises `ValueError` or FileNotFoundError, with what to do, if there is none or it is damaged.
    """
    path = name if isinstance(name, Path) else checkpoints.bundled_path(name)
    tensors, about = checkpoints.read_checkpoint(path)
    try:
        backbone = BACKBONES[about["backbone"]](weights=None)
        options = {key: tuple(value) for key, value in json.loads(about.get("options", "{}")).items()}
        detector = RECIPES[about["recipe"]](json.loads(about["classes"]), backbone, **options)
        folded = not any(key.endswith(".running_mean") for key in tensors)
        for slot, module in detector.modules().items():
            if folded:
                fold_batch_norm(module)
            prefix = f"{slot}."
            own = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
            module.load_state_dict(own)  # strict: every name must be there
            fold_batch_norm(module.eval())
    except (KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path} holds no detector of this course ({error!r}); take a file that save() wrote"
        ) from error
    return detector
