"""Records in, matplotlib figures out, all with one palette and one look; call `use_style()` first."""

from lecture_lib.plotting.pictures import (
    color_segments,
    draw_boxes,
    gallery,
    overlay_mask,
    show_image,
    show_objects,
)
from lecture_lib.plotting.style import say, use_style

__all__ = ["color_segments", "draw_boxes", "gallery", "overlay_mask", "say", "show_image", "show_objects", "use_style"]
