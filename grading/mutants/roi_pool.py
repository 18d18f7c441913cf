import math

import torch


def _edges(cells, n):
    return [(i * cells // n, -(-(i + 1) * cells // n)) for i in range(n)]


def _nearest(boxes, stride):
    return (boxes / stride + 0.5).floor().long()


def _pooled(features, windows, n, edges=_edges, greatest=lambda cells: cells.amax(dim=(1, 2))):
    """Every bin of every window, with one classic mistake at a time."""
    pooled = features.new_zeros(len(windows), len(features), n, n)
    for r, (x1, y1, x2, y2) in enumerate(windows.tolist()):
        for i, (top, bottom) in enumerate(edges(y2 - y1 + 1, n)):
            for j, (left, right) in enumerate(edges(x2 - x1 + 1, n)):
                cells = features[:, y1 + top : y1 + bottom, x1 + left : x1 + right]
                if cells.numel():
                    pooled[r, :, i, j] = greatest(cells)
    return pooled


def right_slices(features, boxes, stride, n):
    return _pooled(features, _nearest(boxes, stride), n)


def right_plain_numbers(features, boxes, stride, n):
    channels, height, width = features.shape
    result = torch.zeros(len(boxes), channels, n, n, dtype=torch.float64)
    for r, box in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = (math.floor(x / stride + 0.5) for x in box)
        w, h = x2 - x1 + 1, y2 - y1 + 1
        for i in range(n):
            rows = range(y1 + math.floor(i * h / n), min(height, y1 + math.ceil((i + 1) * h / n)))
            for j in range(n):
                columns = range(x1 + math.floor(j * w / n), min(width, x1 + math.ceil((j + 1) * w / n)))
                for c in range(channels):
                    found = [features[c, y, x].item() for y in rows for x in columns]
                    result[r, c, i, j] = max(found, default=0.0)
    return result


def _members(first, last, size, n):
    """Which cells [R, n, size] belong to which bin."""
    i, cells = torch.arange(n), (last - first + 1)[:, None]
    start, end = first[:, None] + i * cells // n, first[:, None] - (-(i + 1) * cells // n)
    at = torch.arange(size)
    return (at >= start[..., None]) & (at < end[..., None])


def right_masks(features, boxes, stride, n):
    x1, y1, x2, y2 = _nearest(boxes, stride).unbind(1)
    rows, columns = _members(y1, y2, features.shape[1], n), _members(x1, x2, features.shape[2], n)
    inside = rows[:, None, :, None, :, None] & columns[:, None, None, :, None, :]  # [R, 1, n, n, h, w]
    values = features[None, :, None, None].where(inside, -math.inf).amax(dim=(4, 5))
    return values.where(inside.any(dim=5).any(dim=4), 0.0)


def right_padded_with_nothing(features, boxes, stride, n):
    grids = []
    windows = torch.floor(boxes.double() / stride + 0.5).int()
    for x1, y1, x2, y2 in windows.tolist():
        window = features.new_full((len(features), y2 - y1 + 1, x2 - x1 + 1), -math.inf)
        inside = features[:, y1 : y2 + 1, x1 : x2 + 1]
        window[:, : inside.shape[1], : inside.shape[2]] = inside
        bins = [
            window[:, a:b, c:d].flatten(1).max(1).values
            for a, b in _edges(window.shape[1], n)
            for c, d in _edges(window.shape[2], n)
        ]
        grid = torch.stack(bins, 1).reshape(-1, n, n)
        grids.append(torch.where(grid.isinf(), 0.0, grid))
    return torch.stack(grids) if grids else torch.zeros(0, len(features), n, n)


def wrong_halves_to_even(features, boxes, stride, n):
    return _pooled(features, (boxes / stride).round().long(), n)


def wrong_floor(features, boxes, stride, n):
    return _pooled(features, (boxes / stride).long(), n)


def wrong_cells_touched(features, boxes, stride, n):
    scaled = boxes / stride
    return _pooled(features, torch.cat([scaled[:, :2].floor(), scaled[:, 2:].ceil()], 1).long(), n)


def wrong_sppnet_s_cells(features, boxes, stride, n):
    scaled = boxes / stride
    first, last = scaled[:, :2].floor() + 1, scaled[:, 2:].ceil() - 1
    return _pooled(features, torch.cat([first, torch.maximum(first, last)], 1).long(), n)


def wrong_end_not_included(features, boxes, stride, n):
    windows = _nearest(boxes, stride)
    last = torch.maximum(windows[:, 2:] - 1, windows[:, :2])
    return _pooled(features, torch.cat([windows[:, :2], last], 1), n)


def wrong_one_more_cell(features, boxes, stride, n):
    return _pooled(features, _nearest(boxes, stride) + torch.tensor([0, 0, 1, 1]), n)


def wrong_yx_order(features, boxes, stride, n):
    return _pooled(features, _nearest(boxes, stride)[:, [1, 0, 3, 2]], n)


def wrong_columns_first(features, boxes, stride, n):
    return right_slices(features, boxes, stride, n).transpose(2, 3)


def wrong_stride_of_16(features, boxes, stride, n):
    return right_slices(features, boxes, 16.0, n)


def wrong_no_stride(features, boxes, stride, n):
    limit = torch.tensor([features.shape[2] - 1, features.shape[1] - 1] * 2)
    return _pooled(features, _nearest(boxes, 1.0).minimum(limit), n)


def wrong_kept_on_the_map(features, boxes, stride, n):
    limit = torch.tensor([features.shape[2] - 1, features.shape[1] - 1] * 2)
    return _pooled(features, _nearest(boxes, stride).minimum(limit), n)


def wrong_bins_beyond_the_border(features, boxes, stride, n):
    pooled = []
    for x1, y1, x2, y2 in _nearest(boxes, stride).tolist():
        rows, columns = _edges(y2 - y1 + 1, n), _edges(x2 - x1 + 1, n)
        bins = [features[:, y1 + a : y1 + b, x1 + c : x1 + d].amax((1, 2)) for a, b in rows for c, d in columns]
        pooled.append(torch.stack(bins, 1).reshape(-1, n, n))
    return torch.stack(pooled) if pooled else features.new_zeros(0, len(features), n, n)


def wrong_padded_with_zeros(features, boxes, stride, n):
    padded = torch.nn.functional.pad(features, (0, 9, 0, 9))
    return right_slices(padded, boxes, stride, n)


def wrong_mean(features, boxes, stride, n):
    return _pooled(features, _nearest(boxes, stride), n, greatest=lambda cells: cells.mean(dim=(1, 2)))


def wrong_starts_at_zero(features, boxes, stride, n):
    return right_slices(features, boxes, stride, n).clamp(min=0)


def wrong_one_value_for_all_channels(features, boxes, stride, n):
    return _pooled(features, _nearest(boxes, stride), n, greatest=lambda cells: cells.max())


def wrong_no_shared_cells(features, boxes, stride, n):
    def edges(cells, n):
        return [(i * cells // n, max(i * cells // n + 1, (i + 1) * cells // n)) for i in range(n)]

    return _pooled(features, _nearest(boxes, stride), n, edges)


def wrong_rest_lost(features, boxes, stride, n):
    def edges(cells, n):
        size = max(1, cells // n)
        return [(i * size, (i + 1) * size) for i in range(n)]

    return _pooled(features, _nearest(boxes, stride), n, edges)


def wrong_one_vector_for_each_box(features, boxes, stride, n):
    return right_slices(features, boxes, stride, n).flatten(1)


def wrong_channels_last(features, boxes, stride, n):
    return right_slices(features, boxes, stride, n).permute(0, 2, 3, 1)


def wrong_adaptive(features, boxes, stride, n):
    windows = _nearest(boxes, stride).tolist()
    pooled = [
        torch.nn.functional.adaptive_max_pool2d(features[:, y1 : y2 + 1, x1 : x2 + 1], n) for x1, y1, x2, y2 in windows
    ]
    return torch.stack(pooled) if pooled else features.new_zeros(0, len(features), n, n)


def wrong_empty(features, boxes, stride, n):
    return torch.stack([right_slices(features, box[None], stride, n)[0] for box in boxes])


def wrong_first_box_only(features, boxes, stride, n):
    return right_slices(features, boxes[:1], stride, n)


def wrong_in_place(features, boxes, stride, n):
    boxes /= stride
    return right_slices(features, boxes, 1.0, n)
