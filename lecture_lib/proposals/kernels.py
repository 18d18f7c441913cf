"""The inner loops of Selective Search, compiled by numba: they touch every pixel or every pair of regions.

Everything here is plain loops over NumPy arrays without a lock (`nogil`), so that threads run side by side. Modules
named kernels are the only ones that import numba; their users import them late. The readable versions, to which tests
hold these, are in `felzenszwalb.py`, `similarity.py` and `grouping.py`.
"""

from typing import no_type_check  # the tests' shape checks must leave compiled functions alone

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def filter_rows(image, taps):
    """Correlate the rows of float32 [c, h, w] with an odd number of taps; beyond the border the row is mirrored."""
    channels, height, width = image.shape
    radius = len(taps) // 2
    result = np.zeros_like(image)
    padded = np.empty(width + 2 * radius, np.float32)
    for channel in range(channels):
        for y in range(height):
            for x in range(len(padded)):
                column = (x - radius) % (2 * width)  # c b a | a b c | c b a
                padded[x] = image[channel, y, min(column, 2 * width - 1 - column)]
            row = result[channel, y]
            for tap in range(len(taps)):
                for x in range(width):
                    row[x] += taps[tap] * padded[x + tap]
    return result


@njit(cache=True, nogil=True)
@no_type_check
def pixel_edges(image):
    """The edges of the 8-connected graph of [c, h, w]: two pixel numbers each, and the distance of their colours."""
    channels, height, width = image.shape
    capacity = 4 * height * width
    first, second = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    weights = np.empty(capacity, np.float32)
    count = 0
    for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        for y in range(max(0, -down), height - max(0, down)):
            for x in range(width - right):
                squares = np.float32(0.0)
                for channel in range(channels):
                    squares += (image[channel, y, x] - image[channel, y + down, x + right]) ** 2
                first[count], second[count] = y * width + x, (y + down) * width + x + right
                weights[count] = np.sqrt(squares)
                count += 1
    return first[:count], second[:count], weights[:count]


@njit(cache=True, nogil=True)
@no_type_check
def sorted_edges(first, second, weights):
    """The edges by non-negative float32 weight, equal ones in their order: radix sort in three passes.

    The bits of non-negative floats, read as an integer, are in the order of the floats: 11 bits a pass. The keys move
    along, so that every pass reads them one after the other; looked up by index, most would miss the cache.
    """
    keys, order = weights.view(np.uint32).copy(), np.arange(len(weights), dtype=np.int32)
    next_keys, next_order = np.empty_like(keys), np.empty_like(order)
    for shift in (0, 11, 22):
        start = np.zeros(2049, np.int32)
        for key in keys:
            start[((key >> np.uint32(shift)) & np.uint32(2047)) + 1] += 1
        start = np.cumsum(start).astype(np.int32)
        for edge in range(len(keys)):
            digit = (keys[edge] >> np.uint32(shift)) & np.uint32(2047)
            next_keys[start[digit]], next_order[start[digit]] = keys[edge], order[edge]
            start[digit] += 1
        keys, next_keys = next_keys, keys
        order, next_order = next_order, order
    sorted_first, sorted_second = np.empty_like(first), np.empty_like(second)
    for edge in range(len(order)):
        sorted_first[edge], sorted_second[edge] = first[order[edge]], second[order[edge]]
    return sorted_first, sorted_second, keys.view(np.float32)


@njit(cache=True, nogil=True)
@no_type_check
def _root(parent, pixel):
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]  # halve the path on the way
        pixel = parent[pixel]
    return pixel


@njit(cache=True, nogil=True)
@no_type_check
def _join(parent, size, a, b):
    """Make the larger of two roots the root of both, so that paths stay short; returns it."""
    if size[a] < size[b]:
        a, b = b, a
    parent[b] = a
    size[a] += size[b]
    return a


@njit(cache=True, nogil=True)
@no_type_check
def join_pixels(first, second, weights, pixels, k, min_size):
    """Felzenszwalb and Huttenlocher's algorithm 1 on edges sorted by weight; returns labels 0..R-1 in scan order."""
    parent = np.arange(pixels, dtype=np.int32)
    size = np.ones(pixels, np.int32)
    limit = np.full(pixels, k, np.float64)  # Int(C) + k / |C|, and Int of one pixel is 0
    refused, count = np.empty(len(weights), np.int32), 0
    for edge in range(len(weights)):
        a, b = _root(parent, first[edge]), _root(parent, second[edge])
        if a == b:
            continue
        if weights[edge] < min(limit[a], limit[b]):
            root = _join(parent, size, a, b)
            limit[root] = weights[edge] + k / size[root]
        else:
            refused[count] = edge
            count += 1
    for edge in refused[:count]:
        a, b = _root(parent, first[edge]), _root(parent, second[edge])
        if a != b and min(size[a], size[b]) < min_size:
            _join(parent, size, a, b)
    return _scan_order_labels(parent)


@njit(cache=True, nogil=True)
@no_type_check
def _scan_order_labels(parent):
    name = np.full(len(parent), -1, np.int32)  # of a region, kept at its root
    labels = np.empty(len(parent), np.int32)
    regions = 0
    for pixel in range(len(parent)):
        root = _root(parent, pixel)
        if name[root] < 0:
            name[root] = regions
            regions += 1
        labels[pixel] = name[root]
    return labels


@njit(cache=True, nogil=True)
@no_type_check
def slope_bins(along_x, along_y, cosines, sines, bins):
    """Bin 0..bins-1 of the slope in every direction, of derivatives [c, pixels]; downhill counts as flat.

    Returns [pixels, c * directions]. The derivatives are in bins: one that reaches `bins` is in the last bin.
    """
    channels, pixels = along_x.shape
    directions = len(cosines)
    found = np.empty((pixels, channels * directions), np.uint8)
    for pixel in range(pixels):
        for channel in range(channels):
            x, y = along_x[channel, pixel], along_y[channel, pixel]
            for turn in range(directions):
                slope = cosines[turn] * x + sines[turn] * y
                found[pixel, channel * directions + turn] = np.uint8(min(max(slope, 0.0), bins - 1.0))
    return found


@njit(cache=True, nogil=True)
@no_type_check
def region_histograms(labels, bins, regions, values):
    """Histograms [R, D * values], of sum 1, of the bins [pixels, D] (each 0..values-1) in every region."""
    counts = np.zeros((regions, bins.shape[1], values), np.float64)
    for pixel in range(len(labels)):
        row = counts[labels[pixel]]
        for channel in range(bins.shape[1]):
            row[channel, bins[pixel, channel]] += 1.0
    for region in range(regions):
        counts[region] /= counts[region].sum()
    return counts.reshape(regions, -1)


@njit(cache=True, nogil=True)
@no_type_check
def region_extents(labels, regions):
    """Sizes [R] in pixels and boxes [R, 4] (x1, y1, x2, y2), half-open, of the regions in labels [h, w]."""
    height, width = labels.shape
    sizes = np.zeros(regions, np.int64)
    boxes = np.empty((regions, 4), np.int64)
    boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3] = width, height, 0, 0
    for y in range(height):
        for x in range(width):
            region = labels[y, x]
            sizes[region] += 1
            box = boxes[region]
            box[0], box[1] = min(box[0], x), min(box[1], y)
            box[2], box[3] = max(box[2], x + 1), max(box[3], y + 1)
    return sizes, boxes


@njit(cache=True, nogil=True)
@no_type_check
def _similarity_key(a, b, sizes, boxes, color, texture, area, use_size, use_fill):
    """Similarity of regions a and b in units of 1e-9 (an integer: ties are ties in whatever order one sums)."""
    total = 0.0
    for bin in range(color.shape[1]):
        total += min(color[a, bin], color[b, bin])
    for bin in range(texture.shape[1]):
        total += min(texture[a, bin], texture[b, bin])
    if use_size:
        total += 1.0 - (sizes[a] + sizes[b]) / area
    if use_fill:
        wide = max(boxes[a, 2], boxes[b, 2]) - min(boxes[a, 0], boxes[b, 0])
        tall = max(boxes[a, 3], boxes[b, 3]) - min(boxes[a, 1], boxes[b, 1])
        total += 1.0 - (wide * tall - sizes[a] - sizes[b]) / area
    return np.int64(np.rint(total * 1e9))


@njit(cache=True, nogil=True)
@no_type_check
def _merge_rows(a, b, new, sizes, boxes, color, texture):
    size = sizes[a] + sizes[b]
    sizes[new] = size
    for side in range(2):
        boxes[new, side] = min(boxes[a, side], boxes[b, side])
        boxes[new, side + 2] = max(boxes[a, side + 2], boxes[b, side + 2])
    for bin in range(color.shape[1]):
        color[new, bin] = (sizes[a] * color[a, bin] + sizes[b] * color[b, bin]) / size
    for bin in range(texture.shape[1]):
        texture[new, bin] = (sizes[a] * texture[a, bin] + sizes[b] * texture[b, bin]) / size


@njit(cache=True, nogil=True)
@no_type_check
def _most_similar(keys, first, second, alive):
    best = 0
    for p in range(1, alive):
        if keys[p] > keys[best] or (keys[p] == keys[best] and (first[p], second[p]) < (first[best], second[best])):
            best = p
    return best


@njit(cache=True, nogil=True)
@no_type_check
def group_regions(pairs, first_sizes, first_boxes, first_color, first_texture, use_size, use_fill):
    """Merge the most similar neighbours until one region is left: algorithm 1 of Selective Search.

    `pairs` [P, 2] of neighbours, smaller number first; histograms without columns do not count.
    Returns boxes [2R - 1, 4] in the order of the regions' numbers and the merged pairs [R - 1, 2].
    """
    regions, area = len(first_sizes), first_sizes.sum()
    numbers = 2 * regions - 1
    sizes, boxes = np.empty(numbers, np.int64), np.empty((numbers, 4), np.int64)
    color, texture = np.empty((numbers, first_color.shape[1])), np.empty((numbers, first_texture.shape[1]))
    sizes[:regions], boxes[:regions], color[:regions], texture[:regions] = (
        first_sizes,
        first_boxes,
        first_color,
        first_texture,
    )
    first, second, keys = pairs[:, 0].copy(), pairs[:, 1].copy(), np.empty(len(pairs), np.int64)
    for p in range(len(pairs)):
        keys[p] = _similarity_key(first[p], second[p], sizes, boxes, color, texture, area, use_size, use_fill)
    alive = len(pairs)
    merges = np.empty((regions - 1, 2), np.int64)
    met = np.zeros(numbers, np.int64)  # the last new region that a region was paired with
    for new in range(regions, numbers):
        best = _most_similar(keys, first, second, alive)
        a, b = first[best], second[best]
        merges[new - regions] = a, b
        _merge_rows(a, b, new, sizes, boxes, color, texture)
        kept = 0
        for p in range(alive):
            x, y = first[p], second[p]
            if x in (a, b) or y in (a, b):
                other = y if x in (a, b) else x
                if other in (a, b) or met[other] == new:
                    continue  # the merged pair itself, or a neighbour of both, met already
                met[other] = new
                x, y = other, new
                keys[p] = _similarity_key(x, y, sizes, boxes, color, texture, area, use_size, use_fill)
            first[kept], second[kept], keys[kept] = x, y, keys[p]
            kept += 1
        alive = kept
    return boxes, merges
