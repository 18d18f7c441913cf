import pytest
import torch

from lecture_lib.boxes import clip
from lecture_lib.detectors import fast_rcnn, rcnn, sppnet
from lecture_lib.structures import Proposals
from lecture_lib.widgets.detection_browser import detection_browser, pool_levels, walk_back
from tests.tiny import tiny_backbone

SIZE = (60, 80)
CLASSES = ("red", "green")


@pytest.fixture
def proposals():
    return Proposals(torch.tensor([[10.0, 10, 30, 30], [45, 30, 75, 55], [0, 20, 60, 40]]), None, SIZE)


def detector_of(recipe):
    """Untrained, but for heads that are drawn at random, so that regions differ."""
    torch.manual_seed(0)
    made = recipe(CLASSES, tiny_backbone(), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in made.predict.parameters():
            parameter.normal_(std=0.1)
    return made


@pytest.fixture
def detectors():
    one_scale = {"sppnet": sppnet, "fast_rcnn": fast_rcnn}
    return {"rcnn": detector_of(rcnn)} | {
        name: detector_of(lambda *given, recipe=recipe: recipe(*given, scales=(60,)))
        for name, recipe in one_scale.items()
    }


@pytest.fixture
def traces(detectors, image, proposals):
    return {name: [made.trace(image, proposals)] for name, made in detectors.items()}


def test_nothing_detected_is_no_error(image, detectors):
    empty = {name: [made.trace(image, Proposals.empty(SIZE))] for name, made in detectors.items()}
    widget = detection_browser([image], detectors, empty)
    assert widget.state()["arrays"]["0 fast_rcnn labels"]["shape"] == [0]
    widget.html()


@pytest.mark.parametrize("name", ["rcnn", "sppnet", "fast_rcnn"])
def test_a_detection_leads_back_to_its_region(detectors, traces, name):
    made, trace = detectors[name], traces[name][0]
    found = trace.detections
    arrays, _ = walk_back(made, trace, found)
    assert len(found) > 1
    decoded = made.rule.coder.decode(arrays["regions"], arrays["deltas"])
    assert torch.allclose(clip(decoded, SIZE), found.boxes, atol=1e-4)
    assert torch.equal(arrays["scores"].gather(1, found.labels[:, None] - 1)[:, 0], found.scores)
    assert torch.equal(arrays["regions"], trace.proposals.boxes[arrays["rows"]])


def test_pooled_cells_are_the_mean_of_the_channels_level_by_level(detectors, traces):
    for name in ("sppnet", "fast_rcnn"):
        made, trace = detectors[name], traces[name][0]
        arrays, warped = walk_back(made, trace, trace.detections)
        assert warped is None
        pooled = made.pool(trace.maps, trace.proposals[trace.detections.proposal_index])
        start, wanted = 0, []
        for rows, columns in pool_levels(made):
            part = pooled.flatten(1)[:, start : start + 2 * rows * columns]
            wanted.append(part.view(len(pooled), 2, rows * columns).mean(1))
            start += 2 * rows * columns
        assert torch.allclose(arrays["cells"], torch.cat(wanted, 1))
    assert pool_levels(detectors["sppnet"]) == [(6, 6), (3, 3), (2, 2), (1, 1)]
    assert pool_levels(detectors["rcnn"]) == []


def test_warped_regions_of_rcnn_lie_in_a_row(detectors, traces):
    made, trace = detectors["rcnn"], traces["rcnn"][0]
    arrays, warped = walk_back(made, trace, trace.detections)
    size = made.pool.size
    assert "cells" not in arrays
    assert warped.shape == (3, size, size * len(trace.detections))
    second = made.pool(trace.maps, trace.proposals[trace.detections.proposal_index[1:2]])[0]
    assert torch.equal(warped[:, :, size : 2 * size], second)


def test_the_surest_are_shown_and_the_seconds_are_those_of_the_trace(image, detectors, traces):
    widget = detection_browser([image], detectors, traces, most=1)
    state = widget.state()
    assert state["arrays"]["0 rcnn labels"]["shape"] == [1]
    assert state["inputs"]["runs"]["0 sppnet"]["seconds"] == traces["sppnet"][0].seconds
    assert state["inputs"]["slots"] == ["encode", "pool", "embed", "predict", "decode"]
    assert widget.values == {"picture": 0, "detector": "rcnn", "detection": 0}


def test_what_does_not_belong_together_is_refused(as_user, image, detectors, traces):
    with pytest.raises(ValueError, match="at least one image and one detector"):
        detection_browser([], detectors, traces)
    with pytest.raises(ValueError, match=r"traces\['rcnn'\] needs one trace for each of 2 images"):
        detection_browser([image, image], detectors, traces)
    with pytest.raises(ValueError, match="40 x 30 pixels, but the proposals are of one with 80 x 60"):
        detection_browser([torch.zeros(3, 30, 40)], detectors, traces)
    other = fast_rcnn(("red", "blue"), tiny_backbone(), scales=(60,))
    with pytest.raises(ValueError, match="different classes"):
        detection_browser([image], detectors | {"fast_rcnn": other}, traces)
