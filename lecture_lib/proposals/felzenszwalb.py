"""Graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004): where Selective Search starts from."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lecture_lib.proposals.filters import gaussian


@dataclass(frozen=True)
class PixelGraph:
    """Pairs of neighbouring pixels (numbered row by row) and how much they differ, the most alike first."""

    first: Int[Tensor, " e"]
    second: Int[Tensor, " e"]
    weights: Float[Tensor, " e"]
    image_size: tuple[int, int]


def felzenszwalb(
    image: Float[Tensor, "c h w"], k: float | int = 100.0, sigma: float = 0.8, min_size: int = 20
) -> Int[Tensor, "h w"]:
    """Label map 0..R-1 in which pixels join while they differ less than their regions do inside (algorithm 1).

    Regions C1 and C2 join along an edge of weight w if  w < min(Int(C1) + k / |C1|, Int(C2) + k / |C2|),  where Int(C)
    is the largest weight that joined C; so a larger `k` gives larger regions. `k` is in the paper's units, grey levels
    0..255, though the image is in 0..1. The image is first smoothed with `sigma` (the paper's 0.8); regions under
    `min_size` pixels join their most similar neighbour in the end. Labels are numbered in scan order.
    Raises `ValueError` for an image without pixels or with values that are not finite, or for k <= 0.
    """
    if image.numel() == 0 or not image.isfinite().all():
        raise ValueError(f"image: expected finite floats [c, h, w] with h, w >= 1, got {list(image.shape)}")
    if k <= 0:
        raise ValueError(f"k: expected a positive scale, 100 for example, got {k}")
    image = image.detach().cpu().float()
    return cut_graph(pixel_graph(gaussian(image, sigma)), k, min_size)


def pixel_graph(image: Float[Tensor, "c h w"]) -> PixelGraph:
    """The 8-connected graph of a smoothed image, its edges sorted: one graph serves every k.

    The weight of an edge is the distance of the two colours, |I(p) - I(q)| (section 5: on colour images the paper
    intersects three grey ones; scikit-image and OpenCV take the distance, and so do we).
    """
    from lecture_lib.proposals.kernels import pixel_edges, sorted_edges

    edges = (torch.from_numpy(array) for array in sorted_edges(*pixel_edges(image.numpy())))
    return PixelGraph(*edges, tuple(image.shape[1:]))


def cut_graph(graph: PixelGraph, k: float | int, min_size: int) -> Int[Tensor, "h w"]:
    """The segmentation of a sorted pixel graph for one `k`: see `felzenszwalb`."""
    from lecture_lib.proposals.kernels import join_pixels

    edges = [tensor.numpy() for tensor in (graph.first, graph.second, graph.weights)]
    height, width = graph.image_size
    labels = join_pixels(*edges, height * width, k / 255, min_size)
    return torch.from_numpy(labels).view(height, width)
