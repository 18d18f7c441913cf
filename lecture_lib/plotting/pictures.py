"""Pictures with boxes, segments and masks on them."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lecture_lib.plotting.style import GROUND_TRUTH, INK, class_color, ink_on
from lecture_lib.structures import Detections, Target


def show_image(image: Float[Tensor, "c h w"], title: str = "", axes: Axes | None = None) -> Axes:
    """Draw an RGB (or one-channel) image with values in 0..1, without axes, on `axes` or a new figure."""
    if axes is None:
        height, width = image.shape[-2:]
        axes = plt.subplots(figsize=(5.0, 5.0 * height / width + 0.3))[1]
    pixels = image.detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
    axes.imshow(pixels if pixels.shape[2] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
    # Boxes are half-open in continuous pixels, but imshow puts the centre of the first pixel at 0.
    axes.images[-1].set_extent((0, image.shape[-1], image.shape[-2], 0))
    axes.set_axis_off()
    axes.set_title(title)
    return axes


def draw_boxes(
    axes: Axes,
    boxes: Float[Tensor, "r 4"],
    color: str | Sequence[str] = GROUND_TRUTH,
    captions: Sequence[str] = (),
    width: float = 2.0,
    alpha: float = 1.0,
) -> Axes:
    """Draw boxes over a picture, in one colour or one each, with captions on a patch of the same colour."""
    colors = [color] * len(boxes) if isinstance(color, str) else list(color)
    for row, (x1, y1, x2, y2) in enumerate(boxes.detach().cpu().tolist()):
        axes.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colors[row], lw=width, alpha=alpha, clip_on=False)
        )
        if row < len(captions):
            axes.text(x1, y1, captions[row], **_caption(colors[row]))
    return axes


def _caption(color: str) -> dict:
    box = {"facecolor": color, "edgecolor": color, "pad": 1.5}
    return {"color": ink_on(color), "fontsize": 8, "weight": "bold", "va": "bottom", "bbox": box, "clip_on": False}


def show_objects(
    image: Float[Tensor, "3 h w"],
    objects: Target | Detections,
    classes: Sequence[str],
    title: str = "",
    axes: Axes | None = None,
) -> Axes:
    """Draw a picture with its ground truth or its detections, a colour for each class, scores where there are any."""
    axes = show_image(image, title, axes)
    labels = objects.labels.tolist()
    captions = [classes[label - 1] for label in labels]
    if isinstance(objects, Detections):
        captions = [f"{name} {score:.2f}" for name, score in zip(captions, objects.scores.tolist(), strict=True)]
    return draw_boxes(axes, objects.boxes, [class_color(label) for label in labels], captions)


def gallery(
    images: Sequence[Float[Tensor, "c h w"]], titles: Sequence[str] = (), columns: int = 6, size: float = 1.7
) -> Figure:
    """Draw pictures side by side in rows of `columns`, each about `size` inches wide; `titles` are small captions."""
    rows = max(1, -(-len(images) // columns))
    figure, grid = plt.subplots(rows, columns, figsize=(columns * size, rows * (size + 0.25)), squeeze=False)
    for index, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if index < len(images):
            show_image(images[index], axes=axes)
            axes.set_title(titles[index] if index < len(titles) else "", fontsize=8.5, weight="normal", loc="center")
    return figure


def color_segments(
    segments: Int[Tensor, "h w"], image: Float[Tensor, "3 h w"] | None = None, seed: int = 0
) -> Float[Tensor, "3 h w"]:
    """A picture of a segmentation: every segment in its mean colour of `image`, or in a random colour without one."""
    ids, index = segments.unique(return_inverse=True)
    if image is None:
        colors = np.random.default_rng(seed).uniform(0.15, 0.95, (len(ids), 3))
        return _as_tensor(colors[index.cpu().numpy()], segments)
    flat, pixels = index.flatten(), image.flatten(1)
    total = pixels.new_zeros(3, len(ids)).index_add_(1, flat, pixels)
    return (total / flat.bincount(minlength=len(ids)))[:, index]


def _as_tensor(pixels: np.ndarray, like: Tensor) -> Tensor:
    import torch

    return torch.from_numpy(pixels).float().permute(2, 0, 1).to(like.device)


def overlay_mask(image: Float[Tensor, "3 h w"], mask: Bool[Tensor, "h w"], color: str = INK) -> Float[Tensor, "3 h w"]:
    """The image with a mask's pixels mixed with `color`, half and half."""
    import torch
    from matplotlib.colors import to_rgb

    tint = torch.tensor(to_rgb(color), device=image.device)[:, None, None]
    return torch.where(mask, 0.5 * image + 0.5 * tint, image)
