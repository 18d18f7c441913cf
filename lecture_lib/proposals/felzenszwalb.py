"""Graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004): where Selective Search starts from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.proposals.filters import gaussian


@dataclass(frozen=True)
class PixelGraph:
    """Neighbouring pixels (rows of a flattened image) and how much they differ, with the order by that weight."""

    first: Int[Tensor, " e"]
    second: Int[Tensor, " e"]
    weights: Float[Tensor, " e"]
    order: Int[Tensor, " e"]
    image_size: tuple[int, int]


def felzenszwalb(
    image: Float[Tensor, "c h w"], k: float = 100.0, sigma: float = 0.8, min_size: int = 20
) -> Int[Tensor, "h w"]:
    """Label map 0..R-1 in which pixels join while they differ less than their regions do inside (algorithm 1).

    Regions C1 and C2 join along an edge of weight w if  w < min(Int(C1) + k / |C1|, Int(C2) + k / |C2|),  where Int(C)
    is the largest weight that joined C; so a larger `k` gives larger regions. `k` is in the paper's units, grey levels
    0..255, though the image is in 0..1. The image is first smoothed with `sigma` (the paper's 0.8); regions under
    `min_size` pixels join their most similar neighbour in the end. Labels are numbered in scan order.
    """
    return cut_graph(pixel_graph(gaussian(image, sigma)), k, min_size)


def pixel_graph(image: Float[Tensor, "c h w"]) -> PixelGraph:
    """The 8-connected graph of a smoothed image, its edges sorted: one graph serves every k.

    The weight of an edge is the distance of the two colours, |I(p) - I(q)| (section 5: on colour images the paper
    intersects three grey ones; scikit-image and OpenCV take the distance, and so do we).
    """
    from lecture_lib.proposals.kernels import sorted_order

    height, width = image.shape[1:]
    pixel = torch.arange(height * width, dtype=torch.int32).view(height, width)
    neighbours = (
        (slice(None), slice(None, -1), slice(None), slice(1, None)),  # right: rows, columns of p; rows, columns of q
        (slice(None, -1), slice(None), slice(1, None), slice(None)),  # down
        (slice(None, -1), slice(None, -1), slice(1, None), slice(1, None)),  # down right
        (slice(1, None), slice(None, -1), slice(None, -1), slice(1, None)),  # up right
    )
    first = torch.cat([pixel[rows, columns].flatten() for rows, columns, _, _ in neighbours])
    second = torch.cat([pixel[rows, columns].flatten() for _, _, rows, columns in neighbours])
    weights = torch.cat(
        [(image[:, py, px] - image[:, qy, qx]).square().sum(dim=0).sqrt().flatten() for py, px, qy, qx in neighbours]
    )
    order = torch.from_numpy(sorted_order(weights.numpy()))
    return PixelGraph(first, second, weights, order, (height, width))


def cut_graph(graph: PixelGraph, k: float, min_size: int) -> Int[Tensor, "h w"]:
    """The segmentation of a sorted pixel graph for one `k`: see `felzenszwalb`."""
    from lecture_lib.proposals.kernels import join_pixels

    edges = [tensor.numpy() for tensor in (graph.first, graph.second, graph.weights, graph.order)]
    height, width = graph.image_size
    labels, _ = join_pixels(*edges, height * width, k / 255, min_size)
    return torch.from_numpy(labels).view(height, width)
