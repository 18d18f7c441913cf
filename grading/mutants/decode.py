import math

import torch


def right_loop(proposals, deltas):
    rows = []
    for (x1, y1, x2, y2), (tx, ty, tw, th) in zip(proposals.tolist(), deltas.tolist(), strict=True):
        w, h = x2 - x1, y2 - y1
        cx, cy = x1 + w / 2 + tx * w, y1 + h / 2 + ty * h
        w, h = w * math.exp(tw), h * math.exp(th)
        rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return torch.tensor(rows).reshape(-1, 4)


def _decode(p, t, corner=False, exp=torch.exp, unit=None, halves=2.0):
    size = p[:, 2:] - p[:, :2]
    start = p[:, :2] if corner else p[:, :2] + size / 2
    new = size * exp(t[:, 2:])
    center = start + (size if unit is None else unit(size, new)) * t[:, :2]
    return torch.cat([center - new / halves, center + new / halves], dim=1)


def right_vectorised(proposals, deltas):
    return _decode(proposals, deltas)


def right_double(proposals, deltas):
    return _decode(proposals.double(), deltas.double())


def right_unbind(proposals, deltas):
    x1, y1, x2, y2 = proposals.unbind(1)
    tx, ty, tw, th = deltas.unbind(1)
    w, h = x2 - x1, y2 - y1
    cx, cy, w, h = (x1 + x2) / 2 + w * tx, (y1 + y2) / 2 + h * ty, w * tw.exp(), h * th.exp()
    return torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), 1)


def wrong_corner(proposals, deltas):
    return _decode(proposals, deltas, corner=True)


def wrong_no_exp(proposals, deltas):
    return _decode(proposals, deltas, exp=lambda x: x)


def wrong_one_plus(proposals, deltas):
    return _decode(proposals, deltas, exp=lambda x: 1 + x)


def wrong_swapped(proposals, deltas):
    return _decode(proposals, deltas, unit=lambda old, new: old.flip(1))


def wrong_new_size_as_unit(proposals, deltas):
    return _decode(proposals, deltas, unit=lambda old, new: new)


def wrong_center_and_size(proposals, deltas):
    boxes = _decode(proposals, deltas)
    size = boxes[:, 2:] - boxes[:, :2]
    return torch.cat([boxes[:, :2] + size / 2, size], dim=1)


def wrong_whole_size_each_side(proposals, deltas):
    return _decode(proposals, deltas, halves=1.0)


def wrong_clipped_at_zero(proposals, deltas):
    return _decode(proposals, deltas).clamp(min=0)


def wrong_pixels(proposals, deltas):
    return proposals + deltas


def wrong_in_place(proposals, deltas):
    result = _decode(proposals, deltas)
    deltas[:, 2:] = deltas[:, 2:].exp()
    return result


def wrong_plus_one(proposals, deltas):
    return _decode(proposals + torch.tensor([0, 0, 1, 1]), deltas)
