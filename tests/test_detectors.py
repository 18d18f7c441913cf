"""lecture_lib.detectors: the six slots one after the other are the detector, and a saved one comes back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lecture_lib import backbones, checkpoints, detectors
from lecture_lib.backbones import BACKBONES, efficientnet_lite0, efficientnet_lite0_fc
from lecture_lib.decoding import DecodeRule
from lecture_lib.detectors import SLOTS, Detector, SearchImage, WholeImage, rcnn
from lecture_lib.pooling import WarpRegions
from lecture_lib.proposals import SelectiveSearch, selective_search
from lecture_lib.structures import FeatureMap, Proposals, RegionFeatures
from tests.rounded import as_loaded

SIZE = (60, 80)
QUICK = SelectiveSearch(color_spaces=("i",), ks=(50,), measures=("S",))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_random_head(detector: Detector) -> Detector:
    """The detector with weights in its head, which are zeros until it is trained."""
    generator = seeded(3)
    for layer, std in ((detector.predict.score, 1.0), (detector.predict.regress, 0.02)):
        nn.init.normal_(layer.weight, std=std / layer.in_features**0.5, generator=generator)
        nn.init.normal_(layer.bias, std=std, generator=generator)
    return detector


def random_proposals(count: int) -> Proposals:
    corner = torch.rand(count, 2, generator=seeded()) * torch.tensor([60.0, 40.0])
    side = 4 + torch.rand(count, 2, generator=seeded(1)) * 16
    return Proposals(torch.cat([corner, corner + side], dim=1), None, SIZE)


@pytest.fixture
def detector(small_backbone: Callable) -> Detector:
    """R-CNN in miniature, with random weights everywhere."""
    small = with_random_head(rcnn(("red", "green"), small_backbone(), seeded()))
    return replace(small, propose=SearchImage(QUICK))


def same(first: object, second: object, rows: Tensor | slice = slice(None)) -> None:
    """Check that two records agree, the second one in some order of its rows."""
    for name in first._rows:
        if getattr(first, name) is not None:
            torch.testing.assert_close(getattr(first, name)[rows], getattr(second, name), atol=1e-5, rtol=1e-4)


def test_no_proposal_no_detection(detector: Detector, image: Tensor, device: torch.device) -> None:
    trace = detector.to(device).trace(image.to(device), Proposals.empty(SIZE))
    assert len(trace.detections) == len(trace.features) == len(trace.predictions) == 0
    assert (trace.features.pool5.shape, trace.features.fc7.shape) == ((0, 96), (0, 10))
    assert trace.detections.boxes.device.type == device.type
    assert trace.detections.image_size == SIZE


def test_slot_by_slot_is_the_detector(detector: Detector, image: Tensor, device: torch.device) -> None:
    detector, image = replace(detector.to(device), chunk=1000), image.to(device)
    with torch.no_grad():
        maps = detector.encode(image)
        proposals = detector.propose(image, maps)
        features = detector.embed(detector.pool(maps, proposals))
        predictions = detector.predict(features)
        detections = detector.decode(proposals, predictions, detector.rule)
    trace = detector.trace(image)
    assert len(detections) > 3
    for made, kept in (
        (proposals, trace.proposals),
        (features, trace.features),
        (predictions, trace.predictions),
        (detections, trace.detections),
        (detections, detector.detect(image)),
    ):
        for name in made._rows:
            assert getattr(made, name) is getattr(kept, name) is None or torch.equal(
                getattr(made, name), getattr(kept, name)
            )
    assert torch.equal(trace.maps[0].tensor, image)
    assert not trace.features.fc7.requires_grad


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 64])
def test_chunks_change_nothing(detector: Detector, image: Tensor, chunk: int) -> None:
    proposals, passes = random_proposals(10), []
    detector.embed.register_forward_hook(lambda *call: passes.append(len(call[1][0])))
    whole = replace(detector, chunk=1000).trace(image, proposals)
    passes.clear()
    trace = replace(detector, chunk=chunk).trace(image, proposals)
    assert passes == [min(chunk, 10 - start) for start in range(0, 10, chunk)]
    same(whole.features, trace.features)
    same(whole.predictions, trace.predictions)
    same(whole.detections, trace.detections)


def test_row_r_is_one_region_all_the_way(detector: Detector, image: Tensor) -> None:
    proposals, order = random_proposals(10), torch.randperm(10, generator=seeded())
    trace, permuted = detector.trace(image, proposals), detector.trace(image, proposals[order])
    same(trace.features, permuted.features, order)
    same(trace.predictions, permuted.predictions, order)
    assert torch.equal(trace.detections.labels, permuted.detections.labels)
    assert torch.equal(trace.detections.proposal_index, order[permuted.detections.proposal_index])
    for r in range(10):  # as the docstring of Trace promises
        with torch.no_grad():
            alone = detector.embed(detector.pool(trace.maps, trace.proposals[r : r + 1]))
        same(trace.features, alone, slice(r, r + 1))


def test_given_proposals_are_not_searched_again(detector: Detector, image: Tensor) -> None:
    def refuse(image: Tensor, maps: tuple[FeatureMap, ...]) -> Proposals:
        raise AssertionError("propose was called")

    proposals = random_proposals(5)
    trace = replace(detector, propose=refuse).trace(image, proposals)
    assert torch.equal(trace.proposals.boxes, proposals.boxes)
    assert list(trace.seconds) == [slot for slot in SLOTS if slot != "propose"]


def test_every_slot_takes_time(detector: Detector, image: Tensor) -> None:
    trace = detector.trace(image)
    assert list(trace.seconds) == list(SLOTS)
    assert all(seconds > 0 for seconds in trace.seconds.values())


def test_a_spoilt_head_is_a_clear_error(detector: Detector, image: Tensor) -> None:
    with torch.no_grad():
        detector.predict.score.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN; its training has diverged"):
        detector.detect(image)


def test_search_is_selective_search(image: Tensor, device: torch.device) -> None:
    found = SearchImage(QUICK)(image.to(device), ())
    assert torch.equal(found.boxes.cpu(), selective_search(image, QUICK).boxes)
    assert found.boxes.device.type == device.type


def test_the_map_of_the_whole_image_is_the_image(image: Tensor) -> None:
    (only,) = WholeImage()(image)
    assert only.tensor is image
    assert (only.stride, only.image_size) == ((1.0, 1.0), SIZE)


@pytest.mark.parametrize("bad", [torch.zeros(3, 8, 8, dtype=torch.uint8), torch.full((3, 8, 8), 255.0)])
def test_bytes_are_refused_before_anything_is_computed(detector: Detector, bad: Tensor, as_user: None) -> None:
    with pytest.raises(ValueError, match="divide by 255"):
        replace(detector, encode=lambda image: 1 / 0).detect(bad)


def test_recipe_is_the_papers(small_backbone: Callable) -> None:
    backbone = small_backbone()
    detector = rcnn(["red", "green", "blue"], backbone, seeded())
    assert detector.classes == ("red", "green", "blue")
    assert backbone.tail.classifier.out_features == 4
    assert detector.pool.size == 16
    assert detector.pool.context == pytest.approx(16 / 227 * 16)
    assert detector.pool.fill == pytest.approx((0.485, 0.456, 0.406))  # 0 after the backbone's normalisation
    assert detector.rule.nms_threshold == 0.3
    assert set(detector.modules()) == {"embed", "predict"}


@pytest.mark.parametrize(
    ("name", "size", "pool5", "fc7"),
    [("alexnet", 227, 9216, 4096), ("vgg16", 224, 25088, 4096), ("efficientnet_lite0", 224, 112 * 14 * 14, 1280)],
)
def test_same_recipe_with_another_backbone(name: str, size: int, pool5: int, fc7: int, image: Tensor) -> None:
    detector = rcnn(("red", "green"), getattr(backbones, name)(weights=None))
    assert detector.pool.size == size
    trace = detector.trace(image, random_proposals(2))
    assert (trace.features.pool5.shape, trace.features.fc7.shape) == ((2, pool5), (2, fc7))
    assert torch.isfinite(trace.features.fc7).all()
    assert len(trace.detections) > 0  # all scores are 0, above the threshold
    assert detector.embed.backbone(torch.zeros(1, 3, size, size)).shape == (1, 3)


@pytest.mark.parametrize("size", [12, 20])
def test_regions_of_another_size_break_the_fully_connected_layers(detector: Detector, image: Tensor, size: int) -> None:
    broken = replace(detector, pool=WarpRegions(size, 1.0))
    with pytest.raises(RuntimeError, match=r"same reduction dim|cannot be multiplied"):
        broken.detect(image, random_proposals(2))


def test_new_layers_come_from_the_generator() -> None:
    def state(seed: int) -> dict[str, Tensor]:
        torch.rand(seed + 1)  # the global generator must not matter
        detector = rcnn(("red", "green"), generator=seeded(seed))
        return {f"{slot}.{n}": t for slot, m in detector.modules().items() for n, t in m.state_dict().items()}

    first, again, other = state(0), state(0), state(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = {name for name in first if not torch.equal(first[name], other[name])}
    assert drawn == {f"embed.backbone.tail.{name}.weight" for name in ("fc6.0", "fc7.0", "classifier")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, Path]:
    """R-CNN with its default backbone, and the file that it was saved to."""
    detector = with_random_head(rcnn(("red", "green"), generator=seeded()))
    path = tmp_path_factory.mktemp("saved") / "rcnn.safetensors"
    detectors.save(detector, "rcnn", "lite0", path)
    return detector, path


def test_saved_detector_comes_back(saved: tuple[Detector, Path], image: Tensor) -> None:
    before, after = saved[0], detectors.load(saved[1])
    assert after.classes == before.classes
    for name, weights in before.predict.state_dict().items():
        assert torch.equal(weights, after.predict.state_dict()[name])
    for name, weights in as_loaded(before.embed).state_dict().items():
        assert torch.equal(weights, after.embed.state_dict()[name])
    assert not any(isinstance(part, nn.BatchNorm2d) for part in after.embed.modules())
    assert not any(part.training for module in after.modules().values() for part in module.modules())
    keep_all = DecodeRule(score_threshold=-1e9, nms_threshold=None)
    traces = [replace(d, rule=keep_all).trace(image, random_proposals(6)) for d in (before, after)]
    largest = float(traces[0].predictions.scores.abs().max())
    found, expected = (trace.detections for trace in traces)
    assert len(found) == len(expected) == 12
    by_row = [(d.labels * 100 + d.proposal_index).argsort() for d in (found, expected)]
    found, expected = found[by_row[0]], expected[by_row[1]]
    assert torch.equal(found.proposal_index, expected.proposal_index)
    torch.testing.assert_close(found.scores, expected.scores, atol=0.01 * largest, rtol=0)
    torch.testing.assert_close(found.boxes, expected.boxes, atol=0.5, rtol=0)


def test_what_was_loaded_is_saved_and_comes_back(saved: tuple[Detector, Path], tmp_path: Path, image: Tensor) -> None:
    loaded = detectors.load(saved[1])
    detectors.save(loaded, "rcnn", "lite0", tmp_path / "again.safetensors")
    again, proposals = detectors.load(tmp_path / "again.safetensors"), random_proposals(6)
    scores = [d.trace(image, proposals).predictions.scores for d in (loaded, again)]
    torch.testing.assert_close(scores[1], scores[0], atol=0.01 * float(scores[0].abs().max()), rtol=0)


def test_saved_detector_comes_back_on_its_own_backbone(
    detector: Detector, small_backbone: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other shapes and other weights than the default's; a class's name may hold a comma."""
    monkeypatch.setitem(BACKBONES, "small", lambda weights: small_backbone(seed=1))
    detector = replace(detector, classes=("cup, red", "grün"))
    detectors.save(detector, "rcnn", "small", tmp_path / "small.safetensors")
    after = detectors.load(tmp_path / "small.safetensors")
    assert after.classes == detector.classes
    assert after.pool == detector.pool
    for name, weights in detector.embed.state_dict().items():
        assert torch.equal(weights.half().float(), after.embed.state_dict()[name])


def test_saved_detector_comes_with_the_course_by_name(
    saved: tuple[Detector, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LECTURE_LIB_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"no checkpoint 'rcnn'; the course has \[\]"):
        detectors.load("rcnn")
    path = checkpoints.bundle("rcnn", saved[1], "python -m lecture_lib.training.rcnn")
    assert detectors.load("rcnn").classes == ("red", "green")
    path.write_bytes(saved[1].read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"damaged.*train it again: python -m lecture_lib\.training\.rcnn"):
        detectors.load("rcnn")


def test_missing_and_damaged_files_are_clear_errors(saved: tuple[Detector, Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        detectors.load(tmp_path / "nowhere.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(saved[1].read_bytes()[:5000])
    with pytest.raises(ValueError, match="no whole checkpoint"):
        detectors.load(tmp_path / "cut.safetensors")


@pytest.mark.parametrize("recipe", [None, "yolo", "rcnn"])
def test_a_checkpoint_of_something_else_is_a_clear_error(tmp_path: Path, recipe: str | None) -> None:
    about = {"recipe": recipe, "backbone": "lite0", "classes": '["a"]'} if recipe else {}
    checkpoints.write_checkpoint(tmp_path / "other.safetensors", {"weight": torch.zeros(3)}, about)
    with pytest.raises(ValueError, match=r"other\.safetensors"):
        detectors.load(tmp_path / "other.safetensors")


def test_modules_move_together(detector: Detector, image: Tensor, device: torch.device) -> None:
    on_cpu = detector.detect(image, random_proposals(8))
    moved = detector.to(device)
    assert moved is detector
    found = moved.detect(image.to(device), random_proposals(8))
    assert {p.device.type for module in moved.modules().values() for p in module.parameters()} == {device.type}
    same(on_cpu, found.to("cpu"))


def test_features_of_the_default_backbone_are_on_a_7_by_7_grid(image: Tensor) -> None:
    detector = rcnn(("red",), efficientnet_lite0_fc(weights=None, width=64))
    found = detector.trace(image, random_proposals(1)).features
    assert isinstance(found, RegionFeatures)
    assert (found.pool5.shape, found.fc7.shape) == ((1, 112 * 7 * 7), (1, 64))
    assert efficientnet_lite0(None).input_size == 224
