"""lecture_lib.training.region_softmax: regions meet their labels, and an interruption changes no bit."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lecture_lib.detectors import Detector, rcnn, sppnet
from lecture_lib.matching import SampleRule, sample
from lecture_lib.pooling import warp_regions
from lecture_lib.structures import Proposals
from lecture_lib.training.region_softmax import FineTuning, fine_tune
from lecture_lib.training.regions import EncodedImages, LabelledRegions, Pixels
from lecture_lib.training.resume import SAVE_EVERY
from lecture_lib.voc import VOCDataset

QUICK = FineTuning(batch=SampleRule(12, 0.5), steps=40, learning_rate=0.02, part=5)
STILL = replace(QUICK, flip=False, steps=1, weight_decay=0.0)


class Pictures(VOCDataset):
    """Three noisy pictures of 40 x 60 pixels: the left third is red, the middle green, the right is noise alone."""

    def __init__(self) -> None:
        self.pictures = 0.4 * torch.rand(3, 3, 40, 60, generator=torch.Generator().manual_seed(0))
        self.pictures[:, 0, :, :20] += 0.5
        self.pictures[:, 1, :, 20:40] += 0.5
        self.pictures = (self.pictures * 255).round() / 255  # as pictures on disk are

    def image(self, i: int) -> Tensor:
        return self.pictures[i]


def labelled() -> LabelledRegions:
    """Fifteen regions in each third of each picture; red is class 1, green 2, the rest background, some are ignored."""
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(135, 2, generator=generator) * torch.tensor([8.0, 28.0])
    third = torch.arange(135) % 3
    corner[:, 0] += 20 * third
    image = torch.arange(135) // 45
    labels = torch.tensor([1, 2, 0])[third]
    labels[::10] = -1
    return LabelledRegions(torch.cat([corner, corner + torch.tensor([12.0, 12.0])], dim=1), labels, image)


@pytest.fixture
def build(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained detector of two classes on a small backbone."""

    def build(seed: int = 0, **backbone: object) -> Detector:
        generator = torch.Generator().manual_seed(seed)
        return rcnn(("red", "green"), small_backbone(seed=seed, **backbone), generator)

    return build


def tune(detector: Detector, settings: FineTuning, state: Path | None = None) -> list[float]:
    """Fine-tune to the end; the losses."""
    return [step.loss for step in fine_tune(detector, labelled(), Pixels(Pictures()), settings, state)]


def weights(detector: Detector) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in detector.embed.backbone.state_dict().items()}


def test_no_steps_leave_the_network_alone(build: Callable) -> None:
    detector = build()
    before = weights(detector)
    assert tune(detector, replace(QUICK, steps=0)) == []
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(detector).items())


def test_loss_falls_and_colours_are_learned(build: Callable, device: torch.device) -> None:
    detector, regions = build(seed=1).to(device), labelled()
    losses = tune(detector, replace(QUICK, batch=SampleRule(24, 0.6), learning_rate=0.05))
    assert losses[0] == pytest.approx(1.1, abs=0.1)  # log 3: the new head knows nothing
    assert sum(losses[-5:]) / 5 < 0.05
    assert not detector.embed.backbone.training
    pictures = Pictures()
    for i in range(3):
        here = (regions.image == i) & (regions.labels >= 0)
        warped = warp_regions(pictures.image(i), regions.boxes[here], 16, 16 * 16 / 227).to(device)
        answers = detector.embed.backbone(warped).argmax(1).cpu()
        assert (answers == regions.labels[here]).float().mean() > 0.95


@pytest.mark.parametrize("flip", [True, False])
def test_every_region_meets_its_label_half_of_them_mirrored(build: Callable, flip: bool) -> None:
    detector, regions, pictures, seen = build(), labelled(), Pictures(), []
    detector.embed.backbone.register_forward_hook(lambda _, given, logits: seen.append((given[0], logits.detach())))
    settings = replace(STILL, flip=flip, seed=3, batch=SampleRule(60, 0.5), part=7)
    (record,) = fine_tune(detector, regions, Pixels(pictures), settings)
    rows = sample(regions.labels, settings.batch, torch.Generator().manual_seed(3))
    assert [len(given) for given, _ in seen] == [7] * 8 + [4]
    given, logits = (torch.cat(parts) for parts in zip(*seen, strict=True))
    mirrored = 0
    for row, warped in zip(rows.tolist(), given, strict=True):
        image, fill = pictures.image(int(regions.image[row])), (0.485, 0.456, 0.406)
        (region,) = warp_regions(image, regions.boxes[row : row + 1], 16, 16 * 16 / 227, fill)
        mirrored += not torch.allclose(warped, region, atol=1e-2)
        assert torch.allclose(warped, region, atol=1e-2) or torch.allclose(warped, region.flip(2), atol=1e-2)
    assert 15 < mirrored < 45 if flip else mirrored == 0
    expected = F.cross_entropy(logits, regions.labels[rows])
    assert record.loss == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("stopped", [1, 20, 23, 25])
def test_interrupted_training_ends_bit_by_bit_where_the_whole_one_does(
    build: Callable, tmp_path: Path, stopped: int
) -> None:
    settings, state, whole = replace(QUICK, steps=25), tmp_path / "tuning.pt", build(dropout=0.5)
    losses = tune(whole, settings)
    steps = fine_tune(build(dropout=0.5), labelled(), Pixels(Pictures()), settings, state)
    assert [step.loss for step in itertools.islice(steps, stopped)] == losses[:stopped]
    steps.close()
    torch.rand(99)  # the global generator must not matter
    done = 25 if stopped == 25 else stopped // SAVE_EVERY * SAVE_EVERY
    resumed = build(dropout=0.5, seed=1 if done else 0)  # another start shows that the weights come from the file
    assert tune(resumed, settings, state) == losses[done:]
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name])
    assert not resumed.embed.backbone.training
    assert [file.name for file in tmp_path.iterdir()] == ["tuning.pt"]


def test_state_of_other_settings_or_damaged_is_refused(build: Callable, tmp_path: Path) -> None:
    state = tmp_path / "tuning.pt"
    tune(build(), replace(QUICK, steps=2), state)
    for other in (replace(QUICK, steps=3), replace(QUICK, steps=2, seed=1)):
        with pytest.raises(ValueError, match=r"tuning\.pt is of a training with other settings.*Delete it"):
            tune(build(), other, state)
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"(?s)tuning\.pt is no whole training state.*Delete it"):
        tune(build(), replace(QUICK, steps=2), state)


@pytest.mark.parametrize("fresh", [False, True])
def test_what_imagenet_trained_learns_at_a_tenth(build: Callable, fresh: bool) -> None:
    """AdamW's first step moves every weight that has a gradient by the learning rate, up or down."""
    detector = build()
    detector.embed.backbone.fresh_tail = fresh
    before = weights(detector)
    (record,) = fine_tune(detector, labelled(), Pixels(Pictures()), replace(STILL, steps=1))
    new = ("tail.classifier", *(("tail.fc6", "tail.fc7") if fresh else ()))
    for name, tensor in weights(detector).items():
        rate = record.learning_rate if name.startswith(new) else record.learning_rate / 10
        assert float((tensor - before[name]).abs().max()) == pytest.approx(rate, rel=0.02)


def test_rate_rises_and_falls(build: Callable) -> None:
    steps = fine_tune(build(), labelled(), Pixels(Pictures()), replace(QUICK, steps=20))
    rates = [step.learning_rate for step in steps]
    assert max(rates) == pytest.approx(0.02)
    assert rates.index(max(rates)) in (1, 2)
    assert rates[-1] < 0.001 * max(rates)


def test_batch_norm_does_not_drift(build: Callable) -> None:
    detector = build(batch_norm=True)
    before = weights(detector)
    tune(detector, replace(QUICK, steps=5))
    moved = {name for name, tensor in weights(detector).items() if not torch.equal(tensor, before[name])}
    norms = {name for name, layer in detector.embed.backbone.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    assert len(norms) == 2
    assert not {name for name in moved if name.rpartition(".")[0] in norms}
    assert {"trunk.conv1.0.weight", "trunk.conv2.0.weight", "tail.classifier.weight"} <= moved


def test_parts_add_up_to_the_batch(build: Callable) -> None:
    detectors = [build() for _ in range(4)]
    losses = [tune(d, replace(STILL, part=part)) for d, part in zip(detectors, (100, 1, 5, 12), strict=True)]
    whole = dict(detectors[0].embed.backbone.named_parameters())
    for detector, loss in zip(detectors, losses, strict=True):
        assert loss == pytest.approx(losses[0], rel=1e-5)
        for name, parameter in detector.embed.backbone.named_parameters():
            torch.testing.assert_close(parameter.grad, whole[name].grad, atol=1e-6, rtol=1e-3)


def test_same_seed_same_weights_and_the_global_generator_stays(build: Callable) -> None:
    settings, found = replace(QUICK, steps=4), []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        detector = build(dropout=0.5)
        torch.manual_seed(global_seed)
        tune(detector, replace(settings, seed=seed))
        after = torch.rand(1)
        torch.manual_seed(global_seed)
        assert torch.equal(after, torch.rand(1))
        found.append(weights(detector))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert not torch.equal(found[0]["tail.classifier.weight"], found[2]["tail.classifier.weight"])


@pytest.fixture
def spp(small_backbone: Callable) -> Callable[..., Detector]:
    """Builds an untrained SPPnet of two classes on a small backbone."""

    def spp(seed: int = 0, **backbone: object) -> Detector:
        return sppnet(
            ("red", "green"), small_backbone(seed=seed, **backbone), torch.Generator().manual_seed(seed), scales=(80,)
        )

    return spp


def test_sppnet_learns_on_a_trunk_that_stays(spp: Callable, device: torch.device) -> None:
    detector, regions = spp(seed=1, batch_norm=True).to(device), labelled()
    trunk = {name: tensor.clone() for name, tensor in detector.encode.state_dict().items()}
    losses = tune(detector, replace(QUICK, batch=SampleRule(24, 0.6), learning_rate=0.03, steps=60, part=24))
    assert losses[0] == pytest.approx(1.1, abs=0.1)
    assert sum(losses[-5:]) / 5 < 0.1
    assert all(torch.equal(tensor, trunk[name]) for name, tensor in detector.encode.state_dict().items())
    with torch.no_grad():
        for i in range(3):
            here = (regions.image == i) & (regions.labels >= 0)
            maps = detector.encode(Pictures().image(i).to(device))
            pooled = detector.pool(maps, Proposals(regions.boxes[here].to(device), None, (40, 60)))
            answers = detector.embed.logits(pooled).argmax(1).cpu()
            assert (answers == regions.labels[here]).float().mean() > 0.95


@pytest.mark.parametrize("flip", [False, True])
def test_sppnets_regions_meet_their_labels(spp: Callable, flip: bool) -> None:
    """Each pooled row is that of its own image and box, mirrored with both or not at all."""
    detector, regions, seen = spp(), labelled(), []
    logits, pictures = detector.embed.logits, Pictures()
    detector.embed.logits = lambda pooled: seen.append(pooled) or logits(pooled)
    settings = replace(STILL, flip=flip, seed=3, batch=SampleRule(40, 0.5), part=7)
    list(fine_tune(detector, regions, Pixels(pictures), settings))
    rows, mirrored = sample(regions.labels, settings.batch, torch.Generator().manual_seed(3)), 0
    for row, pooled in zip(rows.tolist(), torch.cat(seen), strict=True):
        image, (x1, y1, x2, y2) = pictures.image(int(regions.image[row])), regions.boxes[row].tolist()
        ways = []
        for picture, box in ((image, [x1, y1, x2, y2]), (image.flip(2), [60 - x2, y1, 60 - x1, y2])):
            with torch.no_grad():
                ways.append(detector.pool(detector.encode(picture), Proposals(torch.tensor([box]), None, (40, 60)))[0])
        near = [torch.allclose(pooled, way, atol=2e-3, rtol=2e-3) for way in ways]
        assert any(near)
        mirrored += not near[0]
    assert 10 < mirrored < 30 if flip else mirrored == 0


def test_maps_that_were_made_before_are_used(spp: Callable) -> None:
    whole, again, settings = spp(), spp(), replace(QUICK, steps=8)
    losses = tune(whole, settings)
    encoded = EncodedImages(again, Pixels(Pictures()))
    for i, flip in itertools.product(range(3), (False, True)):
        encoded(i, torch.device("cpu"), flip)
    again.encode.trunk.register_forward_pre_hook(lambda *_: pytest.fail("the trunk ran again"))
    assert [step.loss for step in fine_tune(again, labelled(), encoded, settings)] == losses
