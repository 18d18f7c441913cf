"""Where objects might be: sliding windows, Selective Search and its parts, the RPN, cached proposals."""

from lecture_lib.proposals.anchors import Anchors, anchor_grid, inside
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
from lecture_lib.proposals.rpn import (
    ProposalRule,
    RegionProposalNetwork,
    ScoredAnchors,
    choose_anchors,
    choose_proposals,
)
from lecture_lib.proposals.selective_search import SearchImage, SelectiveSearch, selective_search
from lecture_lib.proposals.similarity import (
    PixelBins,
    Region,
    RegionTable,
    Similarities,
    color_similarity,
    describe_regions,
    fill_similarity,
    merge,
    neighbour_pairs,
    region_boxes,
    similarities,
    size_similarity,
    texture_similarity,
)
from lecture_lib.proposals.sliding_window import SlidingWindow, count_all_windows, count_windows, sliding_windows

__all__ = [
    "COLOR_SPACES",
    "Anchors",
    "MergeStep",
    "PixelBins",
    "ProposalCache",
    "ProposalRule",
    "Region",
    "RegionProposalNetwork",
    "RegionTable",
    "ScoredAnchors",
    "SearchImage",
    "SelectiveSearch",
    "Similarities",
    "SlidingWindow",
    "Strategy",
    "anchor_grid",
    "boxes_after",
    "choose_anchors",
    "choose_proposals",
    "color_similarity",
    "convert_color",
    "count_all_windows",
    "count_windows",
    "describe_regions",
    "felzenszwalb",
    "fill_similarity",
    "first_regions",
    "hierarchical_grouping",
    "inside",
    "labels_after",
    "merge",
    "neighbour_pairs",
    "opencv_selective_search",
    "region_boxes",
    "selective_search",
    "similarities",
    "size_similarity",
    "sliding_windows",
    "texture_similarity",
]
