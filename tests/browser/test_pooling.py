"""Windows, bins and pooled values in the browser, held equal to those of the library."""

import pytest
import torch

from lecture_lib.plotting.alignment import displacement
from lecture_lib.pooling import align_points, bins, covered_windows, pool_bins, roi_align, rounded_windows
from lecture_lib.structures import FeatureMap
from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER

STRIDES = [(16.0, 16.0), (8.0, 8.0), (15.7, 16.3)]
MAP = (9, 12)
GRIDS = [(1, 1), (2, 3), (7, 7)]
POOL = """({boxes, stride, map, grids, channel}) => boxes.map(box => ({
    covered: script.coveredWindow(box, stride, map),
    rounded: script.roundedWindow(box, stride),
    grids: grids.map(grid => {
        const both = script.pooledBoth(channel, map, box, stride, grid);
        return {...both, beside: script.beside(both, box, stride, grid)};
    }),
}))"""
GRIDS_OF = """({windows, levels}) => windows.map(window => {
    const [grid] = script.pooledGrids(window, {pooling: "grid", level: 3}, levels);
    const again = script.pooledAgain(window, grid[2]);
    return {grid, again, ordinary: script.pooledGrids(window, {pooling: "ordinary"}, levels)[0],
            pyramid: script.pooledGrids(window, {pooling: "pyramid"}, levels)};
})"""


def random_boxes(seed: int, stride: tuple[float, float]) -> torch.Tensor:
    """Boxes of quarters of pixels, some on the cells' centres and between them, thin, empty, or beyond the map."""
    generator = torch.Generator().manual_seed(seed)
    limit = torch.tensor([MAP[1] * stride[1], MAP[0] * stride[0]])
    corners = (torch.rand(24, 2, generator=generator) * limit * 4).round() / 4
    corners[::3] = (corners[::3] / 8).round() * 8
    sides = (torch.rand(24, 2, generator=generator) ** 2 * limit * 4).round() / 4
    sides[::4, 0], sides[::5, 1] = 0, 3
    return torch.cat([corners, corners + sides], 1)


def in_browser(evaluate, seed, stride):
    boxes = random_boxes(seed, stride)
    channel = torch.randn(MAP, generator=torch.Generator().manual_seed(seed + 100))
    data = {
        "boxes": boxes.tolist(),
        "stride": stride,
        "map": MAP,
        "grids": GRIDS,
        "channel": channel.flatten().tolist(),
    }
    return FeatureMap(channel[None], stride, (150, 200)), boxes, evaluate(POOL, data)


def check_equal(evaluate, seed, stride):
    feature_map, boxes, got = in_browser(evaluate, seed, stride)
    covered, rounded = covered_windows(boxes, stride, MAP), rounded_windows(boxes, stride)
    assert [row["covered"] for row in got] == covered.tolist()
    assert [row["rounded"] for row in got] == rounded.tolist()
    for g, grid in enumerate(GRIDS):
        parts = [row["grids"][g] for row in got]
        cells = bins(rounded, *grid)
        assert [part["cells"] for part in parts] == cells.flatten(1, 2).tolist()
        pooled = torch.tensor([part["pooled"] for part in parts], dtype=torch.float32)
        assert torch.equal(pooled, pool_bins(feature_map.tensor, cells).flatten(1))
        points = torch.tensor([part["points"] for part in parts], dtype=torch.float32)
        assert torch.allclose(points, align_points(boxes, stride, grid).flatten(1, 3), atol=1e-5)
        aligned = torch.tensor([part["aligned"] for part in parts], dtype=torch.float32)
        assert torch.allclose(aligned, roi_align(feature_map.tensor, boxes, stride, grid).flatten(1), atol=1e-5)
        for name, wanted in displacement(feature_map, boxes, grid).items():
            away = [part["beside"]["pooled" if name == "RoIPool" else "aligned"] for part in parts]
            assert torch.allclose(torch.tensor(away, dtype=torch.float32), wanted.norm(dim=-1).mean((1, 2)), atol=1e-4)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("seed", range(2))
def test_windows_bins_and_values_are_the_librarys(javascript, seed, stride):
    check_equal(javascript("alignment"), seed, stride)


@pytest.mark.parametrize(
    "sabotage",
    [
        ("Math.floor(low) + 1, Math.ceil(high) - 1", "Math.ceil(low), Math.floor(high)"),
        ("Math.abs(x) - whole >= 0.5", "Math.abs(x) - whole > 0.5"),
        ("first + Math.ceil(((i + 1) * count) / n)", "first + Math.floor(((i + 1) * count) / n)"),
        ("(i + 0.5) / (n * samples)", "i / (n * samples)"),
        ("Math.max(0, 1 - Math.abs(y - j))", "1"),
    ],
)
def test_a_wrong_rule_would_be_seen(javascript, sabotage):
    with pytest.raises(AssertionError):
        check_equal(javascript("alignment", sabotage), 0, STRIDES[0])


def test_grids_of_a_window_are_bins_and_ordinary_pooling_is_max_pool2d(javascript):
    windows = torch.tensor([[0, 0, 0, 0], [1, 2, 4, 5], [3, 0, 11, 7], [2, 2, 7, 3]])
    channel = torch.randn(1, *MAP, generator=torch.Generator().manual_seed(0))
    evaluate = javascript("pyramid")
    for window, got in zip(
        windows, evaluate(GRIDS_OF, {"windows": windows.tolist(), "levels": [6, 3, 2, 1]}), strict=True
    ):
        cells = bins(window[None], 3, 3)
        assert got["grid"] == [3, 3, cells.flatten(1, 2)[0].tolist()]
        x1, y1, x2, y2 = window.tolist()
        sides = cells[..., 2:] - cells[..., :2]
        assert got["again"] == int(sides.prod(-1).sum()) - (x2 - x1 + 1) * (y2 - y1 + 1)
        assert [(n, len(parts)) for n, _, parts in got["pyramid"]] == [(6, 36), (3, 9), (2, 4), (1, 1)]
        rows, columns, parts = got["ordinary"]
        part = channel[:, y1 : y2 + 1, x1 : x2 + 1]
        wanted = torch.nn.functional.max_pool2d(part, 3, 2)[0] if min(part.shape[1:]) >= 3 else torch.zeros(0, 0)
        assert (rows, columns) == tuple(wanted.shape) or not rows * columns
        pooled = evaluate(
            "([c, m, cells]) => script.poolBins(c, m, cells)", [channel.flatten().tolist(), list(MAP), parts]
        )
        assert torch.equal(torch.tensor(pooled, dtype=torch.float32), wanted.flatten())


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("covered", "columns floor(0.50) + 1 = 1 to ceil(5.00) − 1 = 4 → bins 1–2 | 2–3 | 3–4"),
        ("rounded", "columns 0.50 ≈ 1 to 5.00 ≈ 5 → bins 1–2 | 2–4 | 4–5"),
    ],
)
def test_the_rounding_is_said_in_words(javascript, rule, said):
    explain = """([rule, box]) => {
        const stride = [8, 8];
        const covered = script.coveredWindow(box, stride, [9, 12]);
        const window = rule === "covered" ? covered : script.roundedWindow(box, stride);
        return script.explained(0, box, {stride, rule, window, level: 3});
    }"""
    assert javascript("pyramid")(explain, [rule, [4, 8, 40, 32]]) == said
