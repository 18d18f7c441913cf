import torch


def right_loop(a, b):
    result = torch.zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            w = min(a[i][2], b[j][2]) - max(a[i][0], b[j][0])
            h = min(a[i][3], b[j][3]) - max(a[i][1], b[j][1])
            inter = max(w, 0) * max(h, 0)
            area_a = (a[i][2] - a[i][0]) * (a[i][3] - a[i][1])
            area_b = (b[j][2] - b[j][0]) * (b[j][3] - b[j][1])
            union = area_a + area_b - inter
            result[i, j] = inter / union if union > 0 else 0
    return result


def right_vectorised(a, b):
    x1 = torch.max(a[:, None, 0], b[None, :, 0])
    y1 = torch.max(a[:, None, 1], b[None, :, 1])
    x2 = torch.min(a[:, None, 2], b[None, :, 2])
    y2 = torch.min(a[:, None, 3], b[None, :, 3])
    inter = torch.relu(x2 - x1) * torch.relu(y2 - y1)
    area_a, area_b = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]), (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return torch.nan_to_num(inter / (area_a[:, None] + area_b - inter))


def right_double(a, b):
    return right_vectorised(a.double(), b.double())


def right_numpy(a, b):
    import numpy as np

    a, b = a.numpy(), b.numpy()
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    inter = sides.clip(0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1) - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def _overlap(a, b, extra=0.0, clamp=True):
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2]) + extra
    shared = (sides.clamp(min=0) if clamp else sides).prod(2)
    areas = [(s[:, 2:] - s[:, :2] + extra).prod(1) for s in (a, b)]
    return shared, areas[0][:, None] + areas[1][None]


def _divided(shared, union):
    return torch.where(union > 0, shared / union, 0.0)


def wrong_zeros(a, b):
    return torch.zeros(len(a), len(b))


def wrong_plus_one(a, b):
    shared, both = _overlap(a, b, extra=1.0)
    return _divided(shared, both - shared)


def wrong_union_counts_twice(a, b):
    shared, both = _overlap(a, b)
    return _divided(shared, both)


def wrong_no_clamp(a, b):
    shared, both = _overlap(a, b, clamp=False)
    return _divided(shared, both - shared)


def wrong_over_smaller_area(a, b):
    shared, _ = _overlap(a, b)
    areas = [(s[:, 2:] - s[:, :2]).prod(1) for s in (a, b)]
    return _divided(shared, torch.minimum(areas[0][:, None], areas[1][None]))


def wrong_transposed(a, b):
    return right_vectorised(b, a)


def wrong_nan_without_area(a, b):
    shared, both = _overlap(a, b)
    return shared / (both - shared)


def wrong_empty(a, b):
    return torch.stack([right_vectorised(row[None], b)[0] for row in a])


def wrong_width_height(a, b):
    a, b = (torch.cat([s[:, :2], s[:, :2] + s[:, 2:]], 1) for s in (a, b))
    return right_vectorised(a, b)


def wrong_in_place(a, b):
    result = right_vectorised(a, b)
    a += 1
    return result


def wrong_rounded(a, b):
    return right_vectorised(a, b).mul(100).round() / 100


def wrong_integer_pixels(a, b):
    return right_vectorised(a.long().float(), b.long().float())


def wrong_clamp_after_product(a, b):
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.prod(2).clamp(min=0)
    return _divided(shared, _overlap(a, b)[1] - shared)
