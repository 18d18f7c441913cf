import math

import torch


def right_vectorised(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    level = 1 + torch.log2(size.prod(dim=1).sqrt() / side)
    return level.floor().clamp(0, levels - 1).long()


def right_loop(boxes, side, levels):
    found = []
    for x1, y1, x2, y2 in boxes.tolist():
        area = (x2 - x1) * (y2 - y1)
        k = 0 if area == 0 else math.floor(1 + math.log2(math.sqrt(area) / side))
        found.append(min(max(k, 0), levels - 1))
    return found


def right_doubling(boxes, side, levels):
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    found = torch.zeros(len(boxes), dtype=torch.int32)
    for k in range(1, levels):
        found[area >= (side * 2 ** (k - 1)) ** 2] = k
    return found


def right_bucketed(boxes, side, levels):
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    borders = torch.tensor([(side * 2**k) ** 2 for k in range(levels - 1)], dtype=boxes.dtype)
    return torch.bucketize(area, borders, right=True)


def wrong_nearest(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log2(size.prod(dim=1).sqrt() / side)).round().clamp(0, levels - 1).long()


def wrong_rounded_up(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log2(size.prod(dim=1).sqrt() / side)).ceil().clamp(0, levels - 1).long()


def wrong_truncated(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log2(size.prod(dim=1).sqrt().clamp(min=1e-6) / side).long()).clamp(0, levels - 1)


def wrong_longer_side(boxes, side, levels):
    size = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)
    return (1 + torch.log2(size / side)).floor().clamp(0, levels - 1).long()


def wrong_mean_side(boxes, side, levels):
    size = (boxes[:, 2:] - boxes[:, :2]).mean(dim=1)
    return (1 + torch.log2(size / side)).floor().clamp(0, levels - 1).long()


def wrong_without_root(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log2(size.prod(dim=1) / side**2)).floor().clamp(0, levels - 1).long()


def wrong_natural_logarithm(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log(size.prod(dim=1).sqrt() / side)).floor().clamp(0, levels - 1).long()


def wrong_unbounded(boxes, side, levels):
    size = boxes[:, 2:] - boxes[:, :2]
    return (1 + torch.log2(size.prod(dim=1).sqrt().clamp(min=1e-6) / side)).floor().long()


def wrong_bounded_below_only(boxes, side, levels):
    return wrong_unbounded(boxes, side, levels).clamp(min=0)


def wrong_one_level_more(boxes, side, levels):
    return wrong_unbounded(boxes, side, levels).clamp(0, levels)


def wrong_from_zero(boxes, side, levels):
    return right_vectorised(boxes, 2 * side, levels)


def wrong_from_one(boxes, side, levels):
    return right_vectorised(boxes, side, levels) + 1


def wrong_finest_last(boxes, side, levels):
    return levels - 1 - right_vectorised(boxes, side, levels)


def wrong_224(boxes, side, levels):
    return right_vectorised(boxes, 224.0, levels)


def wrong_corner_for_size(boxes, side, levels):
    return right_vectorised(torch.cat([torch.zeros_like(boxes[:, :2]), boxes[:, 2:]], dim=1), side, levels)


def wrong_no_area_raises(boxes, side, levels):
    found = []
    for x1, y1, x2, y2 in boxes.tolist():
        k = math.floor(1 + math.log2(math.sqrt((x2 - x1) * (y2 - y1)) / side))
        found.append(min(max(k, 0), levels - 1))
    return found


def wrong_floats(boxes, side, levels):
    return right_vectorised(boxes, side, levels).float()


def wrong_spoils_boxes(boxes, side, levels):
    found = right_vectorised(boxes, side, levels)
    boxes[:, 2:] -= boxes[:, :2]
    return found
