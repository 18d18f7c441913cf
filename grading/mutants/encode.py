import math

import torch


def right_loop(proposals, ground_truth):
    rows = []
    for (px1, py1, px2, py2), (gx1, gy1, gx2, gy2) in zip(proposals.tolist(), ground_truth.tolist(), strict=True):
        pw, ph, gw, gh = px2 - px1, py2 - py1, gx2 - gx1, gy2 - gy1
        tx, ty = ((gx1 + gx2) / 2 - (px1 + px2) / 2) / pw, ((gy1 + gy2) / 2 - (py1 + py2) / 2) / ph
        rows.append([tx, ty, math.log(gw / pw), math.log(gh / ph)])
    return torch.tensor(rows).reshape(-1, 4)


def _encode(p, g, corner=False, by_g=False, swap=False, log=torch.log):
    p_size, g_size = p[:, 2:] - p[:, :2], g[:, 2:] - g[:, :2]
    p_at, g_at = (p[:, :2], g[:, :2]) if corner else (p[:, :2] + p_size / 2, g[:, :2] + g_size / 2)
    unit = g_size if by_g else p_size
    way = (g_at - p_at) / (unit.flip(1) if swap else unit)
    return torch.cat([way, log(g_size / p_size)], dim=1)


def right_vectorised(proposals, ground_truth):
    return _encode(proposals, ground_truth)


def right_double(proposals, ground_truth):
    return _encode(proposals.double(), ground_truth.double())


def right_unbind(proposals, ground_truth):
    px1, py1, px2, py2 = proposals.unbind(1)
    gx1, gy1, gx2, gy2 = ground_truth.unbind(1)
    pw, ph, gw, gh = px2 - px1, py2 - py1, gx2 - gx1, gy2 - gy1
    tx = (gx1 + gw / 2 - px1 - pw / 2) / pw
    ty = (gy1 + gh / 2 - py1 - ph / 2) / ph
    return torch.stack([tx, ty, torch.log(gw) - torch.log(pw), torch.log(gh) - torch.log(ph)], dim=-1)


def wrong_corners(proposals, ground_truth):
    return _encode(proposals, ground_truth, corner=True)


def wrong_divided_by_truth(proposals, ground_truth):
    return _encode(proposals, ground_truth, by_g=True)


def wrong_swapped(proposals, ground_truth):
    return _encode(proposals, ground_truth, swap=True)


def wrong_no_log(proposals, ground_truth):
    return _encode(proposals, ground_truth, log=lambda x: x)


def wrong_log2(proposals, ground_truth):
    return _encode(proposals, ground_truth, log=torch.log2)


def wrong_roles(proposals, ground_truth):
    return _encode(ground_truth, proposals)


def wrong_plus_one(proposals, ground_truth):
    extra = torch.tensor([0, 0, 1, 1])
    return _encode(proposals + extra, ground_truth + extra)


def wrong_pixels(proposals, ground_truth):
    return ground_truth - proposals


def wrong_yx_order(proposals, ground_truth):
    return _encode(proposals, ground_truth)[:, [1, 0, 3, 2]]


def wrong_empty(proposals, ground_truth):
    pairs = zip(proposals, ground_truth, strict=True)
    return torch.stack([_encode(p[None], g[None])[0] for p, g in pairs])


def wrong_in_place(proposals, ground_truth):
    result = _encode(proposals, ground_truth)
    proposals[:, 2:] -= proposals[:, :2]
    return result
