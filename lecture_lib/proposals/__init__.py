"""Where objects might be: sliding windows, Selective Search and what it is made of, and cached proposals."""

from lecture_lib.proposals.cache import ProposalCache
from lecture_lib.proposals.color_spaces import COLOR_SPACES, convert_color
from lecture_lib.proposals.felzenszwalb import felzenszwalb
from lecture_lib.proposals.grouping import (
    MergeStep,
    Strategy,
    boxes_after,
    first_regions,
    hierarchical_grouping,
    labels_after,
)
from lecture_lib.proposals.opencv import opencv_selective_search
from lecture_lib.proposals.selective_search import SelectiveSearch, selective_search
from lecture_lib.proposals.similarity import (
    Region,
    Similarities,
    color_similarity,
    fill_similarity,
    merge,
    similarities,
    size_similarity,
    texture_similarity,
)
from lecture_lib.proposals.sliding_window import SlidingWindow, count_all_windows, count_windows, sliding_windows

__all__ = [
    "COLOR_SPACES",
    "MergeStep",
    "ProposalCache",
    "Region",
    "SelectiveSearch",
    "Similarities",
    "SlidingWindow",
    "Strategy",
    "boxes_after",
    "color_similarity",
    "convert_color",
    "count_all_windows",
    "count_windows",
    "felzenszwalb",
    "fill_similarity",
    "first_regions",
    "hierarchical_grouping",
    "labels_after",
    "merge",
    "opencv_selective_search",
    "selective_search",
    "similarities",
    "size_similarity",
    "sliding_windows",
    "texture_similarity",
]
