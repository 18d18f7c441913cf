"""The recipes of lecture_lib.detectors: each is the one before with just the slots changed that it claims."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lecture_lib import detectors
from lecture_lib.backbones import BACKBONES
from lecture_lib.decoding import DecodeRule
from lecture_lib.detectors import Detector, SearchImage, changed_slots, fast_rcnn, faster_rcnn, mask_rcnn, rcnn, sppnet
from lecture_lib.encoders import ConvTrunk, FeaturePyramid
from lecture_lib.heads import FCTail, JointHead, RegionHead
from lecture_lib.masks import MaskHead
from lecture_lib.pooling import RoIAlign, RoIPool, SpatialPyramid, WarpRegions
from lecture_lib.proposals import Anchors, RegionProposalNetwork, SelectiveSearch
from lecture_lib.structures import Proposals
from tests.tiny_pyramid import tiny_pyramid_backbone

SIZE = (60, 80)
QUICK = SelectiveSearch(color_spaces=("i",), ks=(50,), measures=("S",))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_proposals(count: int) -> Proposals:
    corner = torch.rand(count, 2, generator=seeded()) * torch.tensor([60.0, 40.0])
    side = 4 + torch.rand(count, 2, generator=seeded(1)) * 16
    return Proposals(torch.cat([corner, corner + side], dim=1), None, SIZE)


def with_random_head(detector: Detector) -> Detector:
    """The detector with weights in its head, which are zeros, or nearly, until it is trained."""
    generator = seeded(3)
    score, move = [layer for layer in detector.predict.modules() if isinstance(layer, nn.Linear)]
    for layer, std in ((score, 1.0), (move, 0.05)):
        nn.init.normal_(layer.weight, std=std / layer.in_features**0.5, generator=generator)
        nn.init.normal_(layer.bias, std=std, generator=generator)
    if not isinstance(detector.propose, RegionProposalNetwork):
        return replace(detector, propose=SearchImage(QUICK))
    for layer in (detector.propose.window, detector.propose.objectness, detector.propose.deltas):
        nn.init.normal_(layer.weight, std=0.05, generator=generator)
    return detector


def same(first: object, second: object) -> None:
    for name in first._rows:
        if getattr(first, name) is not None:
            torch.testing.assert_close(getattr(first, name), getattr(second, name), atol=1e-5, rtol=1e-4)


@pytest.fixture
def ladder(small_backbone: Callable) -> dict[str, Detector]:
    """The recipes in miniature, each on a backbone of its own with equal weights, with random weights in every head."""
    recipes = {"rcnn": rcnn, "sppnet": sppnet, "fast_rcnn": fast_rcnn, "faster_rcnn": faster_rcnn}
    made = {name: recipe(("red", "green"), small_backbone(), seeded()) for name, recipe in recipes.items()}
    return {name: with_random_head(detector) for name, detector in made.items()}


@pytest.fixture(params=["sppnet", "fast_rcnn", "faster_rcnn"])
def recipe(request: pytest.FixtureRequest) -> str:
    """A recipe that runs the convolutions once an image."""
    return request.param


def test_each_recipe_changes_exactly_the_slots_of_the_lecture(ladder: dict[str, Detector]) -> None:
    """The table of the design: what SPPnet, Fast R-CNN and Faster R-CNN are is what they change."""
    r_cnn, spp, fast, faster = ladder.values()
    assert changed_slots(r_cnn, spp) == ("encode", "pool", "embed")
    assert changed_slots(spp, fast) == ("pool", "predict")
    assert changed_slots(r_cnn, fast) == ("encode", "pool", "embed", "predict")
    assert changed_slots(fast, faster) == ("propose",)
    assert all(changed_slots(detector, detector) == () for detector in ladder.values())
    assert changed_slots(fast, replace(fast, decode=lambda *_: None, propose=lambda *_: None)) == ("propose", "decode")
    kinds = [tuple(type(getattr(d, slot)) for slot in ("encode", "pool", "embed", "predict")) for d in ladder.values()]
    assert kinds[0][3] is RegionHead
    assert kinds[1] == (ConvTrunk, SpatialPyramid, FCTail, RegionHead)
    assert kinds[2] == kinds[3] == (ConvTrunk, RoIPool, FCTail, JointHead)


def test_what_the_recipes_ask_of_their_slots(ladder: dict[str, Detector], small_backbone: Callable) -> None:
    _, spp, fast, faster = ladder.values()
    assert (spp.pool.levels, spp.pool.side) == ((6, 3, 2, 1), 4.0)  # 16 px of the network's input are 4 cells
    assert spp.embed.classifier.out_features == 3
    assert (spp.embed.pool5_width, spp.predict.regress.in_features) == (300, 300)
    assert (fast.pool.grid, fast.embed.pool5_width, fast.embed.classifier) == ((4, 4), 96, None)
    assert (spp.rule.score_threshold, fast.rule) == (-1.5, DecodeRule())
    other = fast_rcnn(("red",), small_backbone(), seeded(), scales=(32,), grid=(2, 3))
    assert (other.pool.grid, other.embed.pool5_width, other.encode.shorter_sides) == ((2, 3), 36, (32,))
    assert sppnet(("red",), small_backbone(), scales=(32, 48)).encode.shorter_sides == (32, 48)
    assert (faster.pool.grid, faster.embed.pool5_width, faster.rule) == ((4, 4), 96, DecodeRule())
    assert faster.propose.anchors == (
        Anchors((64, 96, 144), (0.5, 1.0, 2.0), stride=4),
    )  # the stride is the backbone's
    assert (faster.propose.rule.count, faster.propose.window.in_channels) == (300, 6)
    other = faster_rcnn(("red",), small_backbone(), seeded(), scales=(32,), grid=(2, 3), sides=(8, 24))
    assert (other.pool.grid, other.encode.shorter_sides, other.propose.anchors[0].sides) == ((2, 3), (32,), (8, 24))


def test_every_recipe_slot_by_slot(
    ladder: dict[str, Detector], recipe: str, image: Tensor, device: torch.device
) -> None:
    detector, image = replace(ladder[recipe].to(device), chunk=7), image.to(device)
    with torch.no_grad():
        maps = detector.encode(image)
        proposals = detector.propose(image, maps)
        predictions = detector.predict(detector.embed(detector.pool(maps, proposals)))
        detections = detector.decode(proposals, predictions, detector.rule)
    found = detector.detect(image)
    assert len(detections) > 3
    assert torch.equal(found.proposal_index, detections.proposal_index)
    same(found, detections)
    empty = detector.detect(image, Proposals.empty(SIZE))
    assert (len(empty), empty.boxes.device.type) == (0, device.type)


@pytest.mark.parametrize("size", [(61, 47), (4, 200), (200, 3), (1, 1)])
def test_images_of_any_size(ladder: dict[str, Detector], recipe: str, size: tuple[int, int]) -> None:
    height, width = size
    boxes = torch.tensor([[0.0, 0, width, height], [0, 0, 0.5, 0.5], [width / 3, height / 3, width / 2, height]])
    trace = ladder[recipe].trace(torch.rand(3, *size, generator=seeded()), Proposals(boxes, None, size))
    assert trace.features.pool5.shape == (3, ladder[recipe].embed.pool5_width)
    assert torch.isfinite(trace.predictions.scores).all()
    assert torch.isfinite(trace.predictions.deltas).all()
    assert trace.detections.image_size == size


def test_every_recipe_comes_back_from_its_file(
    ladder: dict[str, Detector],
    recipe: str,
    image: Tensor,
    small_backbone: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BACKBONES, "small", lambda weights: small_backbone(seed=1))
    before = ladder[recipe]
    detectors.save(before, recipe, "small", tmp_path / "saved.safetensors")
    after = detectors.load(tmp_path / "saved.safetensors")
    assert changed_slots(before, after) == ()
    assert (after.pool, after.rule, after.classes) == (before.pool, before.rule, before.classes)
    assert repr(after.encode) == repr(before.encode)
    for slot, module in before.modules().items():
        loaded = getattr(after, slot)
        assert not any(part.training for part in loaded.modules())
        for name, weights in module.state_dict().items():
            kept = weights if slot in ("predict", "propose") else weights.half().float()
            assert torch.equal(loaded.state_dict()[name], kept)
    traces = [detector.trace(image, random_proposals(6)) for detector in (before, after)]
    torch.testing.assert_close(traces[0].predictions.scores, traces[1].predictions.scores, atol=0.01, rtol=0.01)
    torch.testing.assert_close(traces[0].predictions.deltas, traces[1].predictions.deltas, atol=0.01, rtol=0.01)


def test_faster_rcnn_comes_back_with_its_anchors(
    small_backbone: Callable, image: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sides, scales and grid are in the file: with the same maps it proposes the same, bit by bit."""
    monkeypatch.setitem(BACKBONES, "small", lambda weights: small_backbone(seed=1))
    asked = {"scales": (48,), "grid": (2, 3), "sides": (8, 24)}
    before = with_random_head(faster_rcnn(("red", "green"), small_backbone(), seeded(), **asked))
    detectors.save(before, "faster_rcnn", "small", tmp_path / "saved.safetensors")
    after = detectors.load(tmp_path / "saved.safetensors")
    assert (after.encode.shorter_sides, after.pool.grid) == ((48,), (2, 3))
    assert after.propose.anchors == before.propose.anchors == (Anchors((8, 24), stride=4),)
    assert after.propose.rule == before.propose.rule
    ours, theirs = before.trace(image), replace(after, encode=before.encode).trace(image)
    assert len(ours.proposals) > 20
    assert torch.equal(ours.proposals.boxes, theirs.proposals.boxes)
    assert torch.equal(ours.proposals.scores, theirs.proposals.scores)


@pytest.mark.parametrize("size", [(61, 47), (4, 200), (200, 3), (1, 1)])
def test_faster_rcnn_proposes_on_images_of_any_size(ladder: dict[str, Detector], size: tuple[int, int]) -> None:
    trace = ladder["faster_rcnn"].trace(torch.rand(3, *size, generator=seeded()))
    boxes = trace.proposals.boxes
    assert 0 < len(boxes) <= 300
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= size[1]).all()
    assert (boxes[:, 3] <= size[0]).all()
    assert (trace.proposals.scores.diff() <= 0).all()


@pytest.mark.parametrize("name", ["alexnet", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_the_papers_networks_keep_fc6_where_the_grid_fits(name: str, image: Tensor) -> None:
    backbone = BACKBONES[name](weights=None)
    fc6, fc7 = backbone.tail.fc6, backbone.tail.fc7
    for detector, fits in (
        (fast_rcnn(("red", "green"), backbone, seeded(), scales=(64,)), True),
        (sppnet(("red", "green"), backbone, seeded(), scales=(64, 96)), False),  # 50 cells are not 36 or 49
    ):
        layers = detector.embed.layers
        kept = [torch.equal(a, b) for a, b in zip(layers.fc7.parameters(), fc7.parameters(), strict=True)]
        assert all(kept)
        if fits:
            assert all(torch.equal(a, b) for a, b in zip(layers.fc6.parameters(), fc6.parameters(), strict=True))
        assert (layers.fc6 in detector.embed.new_layers()) is not fits
        cells = backbone.grid[0] * backbone.grid[1] if fits else 50
        trace = detector.trace(image, random_proposals(3))
        assert trace.features.pool5.shape == (3, backbone.channels * cells)
        assert trace.features.fc7.shape == (3, 4096)
        assert torch.isfinite(trace.predictions.scores).all()


def test_fast_rcnn_of_the_same_layers_as_rcnn(small_backbone: Callable, image: Tensor) -> None:
    """One network cut in two places: a region that is the whole image, warped or pooled, gives the same cells."""
    backbone = small_backbone()
    image = image[:, :16, :16].contiguous()
    whole = Proposals(torch.tensor([[0.0, 0, 16, 16]]), None, (16, 16))
    warped = replace(rcnn(("red",), backbone), pool=WarpRegions(16, context=0.0)).trace(image, whole)
    pooled = fast_rcnn(("red",), backbone, scales=(16,)).trace(image, Proposals(whole.boxes * 0.75, None, (16, 16)))
    same(warped.features, pooled.features)


@pytest.fixture
def with_masks(monkeypatch: pytest.MonkeyPatch) -> Detector:
    """Mask R-CNN in miniature, with random weights in every head."""
    monkeypatch.setitem(BACKBONES, "tiny pyramid", lambda weights: tiny_pyramid_backbone(seed=1))
    made = mask_rcnn(("red", "green"), tiny_pyramid_backbone(), seeded(), (96,), sides=(16, 32, 64))
    return replace(with_random_head(made), rule=DecodeRule(max_detections=20))


def test_mask_rcnn_is_faster_rcnn_on_a_pyramid_with_a_slot_more(with_masks: Detector) -> None:
    """`changed_slots` compares the six; the maps' levels change the RPN's anchors, not its algorithm."""
    before = faster_rcnn(("red", "green"), tiny_pyramid_backbone(), seeded(), (96,))
    assert changed_slots(before, with_masks) == ("encode", "pool", "mask")
    assert (type(with_masks.encode), type(with_masks.pool)) == (FeaturePyramid, RoIAlign)
    assert (before.mask, type(with_masks.mask)) == (None, MaskHead)
    assert [(level.sides, level.stride) for level in with_masks.propose.anchors] == [
        ((16,), 8),
        ((32,), 16),
        ((64,), 32),
    ]
    assert (with_masks.pool.grid, with_masks.pool.side) == (before.pool.grid, 2.0)
    assert set(with_masks.modules()) == {"encode", "propose", "embed", "predict", "mask"}
    assert with_masks.mask.layers[-1].out_channels == 2


def test_mask_rcnn_slot_by_slot(with_masks: Detector, image: Tensor, device: torch.device) -> None:
    detector, image = replace(with_masks.to(device), chunk=7), image.to(device)
    with torch.no_grad():
        maps = detector.encode(image)
        proposals = detector.propose(image, maps)
        predictions = detector.predict(detector.embed(detector.pool(maps, proposals)))
        detections = detector.decode(proposals, predictions, detector.rule)
        shapes = detector.mask(maps, detections)
    trace = detector.trace(image)
    found = trace.detections
    assert len(detections) > 3
    assert detections.masks is None
    assert (found.masks.shape, found.masks.dtype) == ((len(detections), *SIZE), torch.bool)
    same(replace(found, masks=None), detections)
    assert torch.equal(found.masks, shapes.masks)
    assert list(trace.seconds) == ["encode", "propose", "pool", "embed", "predict", "decode", "mask"]
    whole = Proposals(torch.tensor([[0.0, 0, 80, 60]]), None, SIZE).to(device)
    none = replace(detector, rule=DecodeRule(score_threshold=1.0)).detect(image, whole)
    assert (len(none), none.masks.shape) == (0, (0, *SIZE))


@pytest.mark.parametrize("size", [(61, 47), (8, 200), (200, 9), (1, 1)])
def test_mask_rcnn_takes_images_of_any_size(with_masks: Detector, size: tuple[int, int]) -> None:
    found = with_masks.detect(torch.rand(3, *size, generator=seeded()))
    assert found.masks.shape == (len(found), *size)


def test_mask_rcnn_comes_back_from_its_file(with_masks: Detector, image: Tensor, tmp_path: Path) -> None:
    detectors.save(with_masks, "mask_rcnn", "tiny pyramid", tmp_path / "saved.safetensors")
    after = detectors.load(tmp_path / "saved.safetensors")
    assert changed_slots(with_masks, after) == ()
    assert (after.pool, after.classes, after.propose.anchors) == (
        with_masks.pool,
        with_masks.classes,
        with_masks.propose.anchors,
    )
    for slot, module in with_masks.modules().items():
        loaded = getattr(after, slot)
        assert not any(part.training for part in loaded.modules())
        for name, weights in module.state_dict().items():
            kept = weights.half().float() if slot in ("encode", "embed") else weights
            assert torch.equal(loaded.state_dict()[name], kept)
    regions = random_proposals(6)
    scores = [detector.trace(image, regions).predictions.scores for detector in (with_masks, after)]
    torch.testing.assert_close(*scores, atol=0.02, rtol=0.02)
    maps = [detector.encode(image) for detector in (with_masks, after)]
    masks = [d.mask.logits(m, regions).sigmoid() for d, m in zip((with_masks, after), maps, strict=True)]
    torch.testing.assert_close(*masks, atol=0.02, rtol=0.02)
