"""lecture_lib.proposals.rpn: the whole network against torchvision's, and by hand where one cell is hot."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork as TorchvisionRPN
from torchvision.models.detection.rpn import RPNHead

from lecture_lib.boxes import BoxCoder, clip, iou
from lecture_lib.proposals import Anchors, ProposalRule, RegionProposalNetwork, ScoredAnchors, anchor_grid
from lecture_lib.proposals import choose_proposals as choose
from lecture_lib.structures import FeatureMap, Proposals

CHANNELS = 6
FINE = Anchors(sides=(8, 20), ratios=(0.25, 1.0, 4.0), stride=4)  # half widths and heights are whole, as torchvision's
COARSE = Anchors(sides=(24, 40), ratios=(0.25, 1.0, 4.0), stride=8)
SIZE = (40, 56)


def random_map(anchors: Anchors, generator: torch.Generator) -> FeatureMap:
    step = anchors.stride
    tensor = torch.randn(CHANNELS, SIZE[0] // step, SIZE[1] // step, generator=generator)
    return FeatureMap(tensor, (float(step), float(step)), SIZE)


def random_network(anchors: tuple[Anchors, ...], rule: ProposalRule, generator: torch.Generator):
    """As a trained one: scores between 0 and 1, boxes that move, and biases that are not zero."""
    network = RegionProposalNetwork(CHANNELS, anchors, rule, generator=generator)
    for layer, std in ((network.window, 0.2), (network.objectness, 0.5), (network.deltas, 0.15)):
        nn.init.normal_(layer.weight, std=std, generator=generator)
        nn.init.normal_(layer.bias, std=std, generator=generator)
    return network.eval()


def torchvisions(network: RegionProposalNetwork) -> TorchvisionRPN:
    """Its network with our weights and parameters."""
    head = RPNHead(CHANNELS, len(network.anchors[0]))
    layers = ((head.conv[0][0], network.window), (head.cls_logits, network.objectness))
    for theirs, ours in (*layers, (head.bbox_pred, network.deltas)):
        theirs.load_state_dict(ours.state_dict())
    generator = AnchorGenerator(tuple(a.sides for a in network.anchors), tuple(a.ratios for a in network.anchors))
    rule = network.rule
    before, after = {"testing": rule.before_nms}, {"testing": rule.count}
    return TorchvisionRPN(generator, head, 0.7, 0.3, 256, 0.5, before, after, rule.nms_threshold).eval()


def one_anchor_a_channel(anchors: Anchors, deltas: Tensor) -> RegionProposalNetwork:
    """A network without a window's overlap: channel a of the map is the logit of anchor a, which moves by row a."""
    network, k = RegionProposalNetwork(len(anchors), (anchors,)), len(anchors)
    with torch.no_grad():
        network.window.weight.zero_()
        network.window.weight[:, :, 1, 1] = torch.eye(k)
        network.objectness.weight.copy_(torch.eye(k)[:, :, None, None])
        network.deltas.weight.zero_()
        for a in range(k):
            network.deltas.weight[4 * a : 4 * a + 4, a, 0, 0] = deltas[a]
    return network


def scored_of(boxes: list, logits: list[float], size: tuple[int, int] = (100, 100)) -> ScoredAnchors:
    anchors = Proposals(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), None, size)
    return ScoredAnchors(anchors, torch.tensor(logits), torch.zeros(len(boxes), 4))


def test_no_anchor_no_proposal(device):
    none = scored_of([], [])
    none = ScoredAnchors(none.anchors.to(device), none.logits.to(device), none.deltas.to(device))
    found = choose([none], ProposalRule())
    assert (len(found), found.scores.shape, found.image_size) == (0, (0,), (100, 100))
    one_cell = FeatureMap(torch.zeros(CHANNELS, 1, 1, device=device), (4.0, 4.0), (1, 1))
    proposals = RegionProposalNetwork(CHANNELS, (FINE,)).to(device)(torch.zeros(3, 1, 1, device=device), (one_cell,))
    assert proposals.boxes.tolist() == [[0, 0, 1, 1]]  # all its anchors, cut at the border


@pytest.mark.parametrize("levels", [(FINE,), (FINE, COARSE)], ids=["one map", "two maps"])
@pytest.mark.parametrize(
    "rule",
    [ProposalRule(10_000, 10_000, 0.7), ProposalRule(30, 200, 0.5), ProposalRule(300, 40, 0.3)],
    ids=["all", "the best 30", "40 of each map"],
)
def test_equals_torchvision(levels, rule, generator, device):
    network = random_network(levels, rule, generator).to(device)
    maps = tuple(random_map(level, generator).to(device) for level in levels)
    theirs, filtered = torchvisions(network).to(device), []
    plain = theirs.filter_proposals
    theirs.filter_proposals = lambda *about: filtered.append(plain(*about)) or filtered[0]  # keeps the scores
    images = ImageList(torch.zeros(1, 3, *SIZE, device=device), [SIZE])
    with torch.no_grad():
        theirs(images, {str(i): m.tensor[None] for i, m in enumerate(maps)})
    (boxes,), (scores,) = filtered[0]
    found = network(torch.zeros(3, *SIZE, device=device), maps)
    assert len(found) > 20
    assert found.scores.std() > 0.005
    assert found.boxes.min() == 0  # some are clipped
    torch.testing.assert_close(found.scores, scores)
    torch.testing.assert_close(found.boxes, boxes, atol=1e-3, rtol=1e-4)


def test_sister_layers_are_fully_connected_ones_on_a_window(generator, device):
    """The lecture's picture: a 3x3 window becomes a vector, two fully connected layers judge it, cell after cell."""
    network, feature_map = random_network((FINE,), ProposalRule(), generator).to(device), random_map(FINE, generator)
    feature_map, k = feature_map.to(device), len(FINE)
    (scored,) = network.score((feature_map,))
    padded = nn.functional.pad(feature_map.tensor, (1, 1, 1, 1))
    cells, (rows, columns) = [], feature_map.tensor.shape[1:]
    for y in range(rows):
        for x in range(columns):
            window = padded[:, y : y + 3, x : x + 3].flatten()
            hidden = (network.window.weight.flatten(1) @ window + network.window.bias).relu()
            logits = network.objectness.weight.flatten(1) @ hidden + network.objectness.bias
            deltas = network.deltas.weight.flatten(1) @ hidden + network.deltas.bias
            cells.append((logits, deltas.view(k, 4)))
    torch.testing.assert_close(scored.logits, torch.cat([logits for logits, _ in cells]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(scored.deltas, torch.cat([deltas for _, deltas in cells]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("y", "x", "a"), [(0, 0, 0), (0, 13, 5), (9, 0, 3), (4, 7, 4), (2, 9, 1)])
def test_one_hot_cell_proposes_the_anchor_about_it(y, x, a, device):
    """Scores, deltas and anchors of a cell belong together, though their layers are in another order of dimensions."""
    deltas = torch.arange(4.0 * len(FINE)).view(-1, 4) / 100 - 0.1
    network = one_anchor_a_channel(FINE, deltas).to(device)
    tensor = torch.zeros(len(FINE), 10, 14, device=device)
    tensor[a, y, x] = 1.0
    feature_map = FeatureMap(tensor, (4.0, 5.0), (40, 70))
    (scored,) = network.score((feature_map,))
    row = (y * 14 + x) * len(FINE) + a
    assert scored.logits.nonzero().flatten().tolist() == [row]
    assert scored.deltas.any(dim=1).nonzero().flatten().tolist() == [row]
    torch.testing.assert_close(scored.deltas[row].cpu(), deltas[a])
    anchor = anchor_grid(feature_map, FINE)[row : row + 1]
    centre = (anchor[0, :2] + anchor[0, 2:]) / 2
    assert centre.tolist() == [x * 5.0, y * 4.0]
    found = network(torch.zeros(3, 40, 70, device=device), (feature_map,))
    moved = clip(BoxCoder().decode(anchor, deltas[a : a + 1].to(device)), (40, 70))
    torch.testing.assert_close(found.boxes[:1], moved)
    assert float(found.scores[0]) == pytest.approx(1 / (1 + 2.718281828**-1))
    assert not torch.allclose(moved, clip(anchor, (40, 70)))


def test_choice_by_hand():
    """Best first; a double is dropped, a box outside the image too, and what lies over the border is cut."""
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 120, 80], [-30, 0, -5, 9], [20, 20, 40, 40], [0, 0, 10, 5.5]]
    scored = scored_of(boxes, [1.0, 2.0, -9.0, 5.0, 0.0, 1.5])
    found = choose([scored], ProposalRule())
    kept = torch.tensor([boxes[1], boxes[5], boxes[4], [50, 50, 100, 80]])  # IoU of the first two is 0.61
    assert torch.equal(found.boxes, kept)
    torch.testing.assert_close(found.scores, torch.tensor([2.0, 1.5, 0.0, -9.0]).sigmoid())
    assert torch.equal(choose([scored], ProposalRule(count=2)).boxes, kept[:2])
    assert torch.equal(choose([scored], ProposalRule(nms_threshold=0.6)).boxes, kept[[0, 2, 3]])
    assert torch.equal(choose([scored], ProposalRule(before_nms=2)).boxes, kept[:1])  # the best lies outside


def test_doubles_are_suppressed_within_a_map_and_the_best_of_all_maps_are_kept():
    one, other = scored_of([[0, 0, 9, 9], [20, 0, 29, 9]], [1.0, 0.2]), scored_of([[0, 0, 9, 9]], [3.0])
    found = choose([one, other], ProposalRule(count=2))
    assert found.boxes.tolist() == [[0, 0, 9, 9], [0, 0, 9, 9]]
    torch.testing.assert_close(found.scores, torch.tensor([3.0, 1.0]).sigmoid())


def test_of_equal_scores_the_first_anchors_come_first():
    boxes = [[10 * i, 0, 10 * i + 9, 9] for i in range(9)]
    assert choose([scored_of(boxes, [0.5] * 9)], ProposalRule(count=4)).boxes.tolist() == boxes[:4]
    assert choose([scored_of(boxes, [0.5] * 9)], ProposalRule(before_nms=3)).boxes.tolist() == boxes[:3]


def test_untrained_network_proposes_anchors_and_is_the_same_by_the_same_generator():
    made = [RegionProposalNetwork(64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    weights = [torch.cat([layer.flatten() for layer in network.parameters()]) for network in made]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    for layer in (made[0].window, made[0].objectness, made[0].deltas):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)  # section 3.1.3
        assert not layer.bias.any()
    assert [made[0].window.out_channels, made[0].objectness.out_channels, made[0].deltas.out_channels] == [64, 9, 36]
    image = torch.zeros(3, 480, 640)
    found = made[0](image, (FeatureMap(torch.zeros(64, 30, 40), (16.0, 16.0), (480, 640)),))
    grid = clip(anchor_grid(FeatureMap(torch.zeros(1, 30, 40), (16.0, 16.0), (480, 640)), Anchors()), (480, 640))
    assert 100 < len(found) <= 300
    assert found.scores.unique().tolist() == [0.5]
    assert iou(found.boxes, grid).max(dim=1).values.min() > 0.999


def test_proposals_carry_no_gradient_but_the_scores_do(generator):
    network = random_network((FINE,), ProposalRule(), generator)
    maps = (random_map(FINE, generator),)
    (scored,) = network.score(maps)
    assert scored.logits.requires_grad
    assert scored.deltas.requires_grad
    assert not scored.anchors.boxes.requires_grad
    for found in (network(torch.zeros(3, *SIZE), maps), choose([scored], network.rule)):
        assert not found.boxes.requires_grad
        assert not found.scores.requires_grad


def test_other_number_of_maps_or_of_anchors_is_a_clear_error(generator):
    network = RegionProposalNetwork(CHANNELS, (FINE, COARSE))
    with pytest.raises(ValueError, match="anchors for 2 maps, but the image has 1"):
        network(torch.zeros(3, *SIZE), (random_map(FINE, generator),))
    with pytest.raises(ValueError, match="as many anchors a cell"):
        RegionProposalNetwork(CHANNELS, (FINE, Anchors()))
    with pytest.raises(ValueError, match="as many anchors a cell"):
        RegionProposalNetwork(CHANNELS, ())


@pytest.mark.parametrize("spoilt", ["window", "objectness", "deltas"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_a_clear_error(spoilt, value, generator):
    """Without it a diverged network would propose nothing, and the detector find nothing, in silence."""
    network = random_network((FINE,), ProposalRule(), generator)
    nn.init.constant_(getattr(network, spoilt).bias, value)
    with pytest.raises(ValueError, match=r"RPN's scores or deltas are not finite.*NaN"):
        network(torch.zeros(3, *SIZE), (random_map(FINE, generator),))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"before_nms": 0}, {"nms_threshold": 1.5}, {"nms_threshold": -0.1}])
def test_impossible_rule_is_a_clear_error(wrong):
    with pytest.raises(ValueError, match="ProposalRule: counts must be at least 1 and the threshold an IoU"):
        ProposalRule(**wrong)
