import math

import torch


def edges_of(cells, n):
    return [(i * cells // n, -(-(i + 1) * cells // n)) for i in range(n)]


def _pooled(window, n, edges=None, pool=lambda cells: cells.amax(dim=(1, 2)), swapped=False):
    """The grid [C, n, n] of a level, with one classic mistake at a time."""
    edges = edges or edges_of
    height, width = window.shape[:0:-1] if swapped else window.shape[1:]
    bins = [pool(window[:, top:end, left:right]) for top, end in edges(height, n) for left, right in edges(width, n)]
    return torch.stack(bins, dim=1).reshape(-1, n, n)


def right_loop(window, levels):
    values = []
    for n in levels:
        for channel in window:
            for top, bottom in edges_of(len(channel), n):
                for left, right in edges_of(len(channel[0]), n):
                    values.append(channel[top:bottom, left:right].max())
    return torch.stack(values)


def right_grids(window, levels):
    return torch.cat([_pooled(window, n).flatten() for n in levels])


def right_own_edges(window, levels):
    channels, height, width = window.shape
    parts = []
    for n in levels:
        grid = torch.full((channels, n, n), -math.inf, dtype=window.dtype)
        for i in range(n):
            for j in range(n):
                rows = slice(math.floor(i * height / n), math.ceil((i + 1) * height / n))
                columns = slice(math.floor(j * width / n), math.ceil((j + 1) * width / n))
                grid[:, i, j] = window[:, rows, columns].flatten(1).max(dim=1).values
        parts.append(grid.reshape(-1))
    return torch.hstack(parts)


def right_rows_then_columns(window, levels):
    parts = []
    for n in levels:
        rows = torch.stack([window[:, start:end].amax(1) for start, end in edges_of(window.shape[1], n)], 1)
        both = torch.stack([rows[:, :, start:end].amax(2) for start, end in edges_of(window.shape[2], n)], 2)
        parts.append(both.double().flatten())
    return torch.cat(parts)


def right_plain_numbers(window, levels):
    return right_loop(window, levels).tolist()


def wrong_mean(window, levels):
    return torch.cat([_pooled(window, n, pool=lambda cells: cells.mean(dim=(1, 2))).flatten() for n in levels])


def wrong_starts_at_zero(window, levels):
    return right_grids(window, levels).clamp(min=0)


def wrong_absolute(window, levels):
    return right_grids(window.abs(), levels)


def wrong_channels_last(window, levels):
    return torch.cat([_pooled(window, n).permute(1, 2, 0).flatten() for n in levels])


def wrong_channel_before_level(window, levels):
    return torch.cat([right_grids(channel[None], levels) for channel in window])


def wrong_columns_first(window, levels):
    return torch.cat([_pooled(window, n).transpose(1, 2).flatten() for n in levels])


def wrong_finest_first(window, levels):
    return right_grids(window, sorted(levels, reverse=True))


def wrong_coarsest_first(window, levels):
    return right_grids(window, levels[::-1])


def wrong_one_value_for_all_channels(window, levels):
    return torch.cat([_pooled(window.amax(dim=0, keepdim=True), n).flatten() for n in levels])


def wrong_no_shared_cells(window, levels):
    def edges(cells, n):
        return [(i * cells // n, max(i * cells // n + 1, (i + 1) * cells // n)) for i in range(n)]

    return torch.cat([_pooled(window, n, edges).flatten() for n in levels])


def wrong_rest_lost(window, levels):
    def edges(cells, n):
        size = max(1, cells // n)
        return [(min(i * size, cells - 1), min((i + 1) * size, cells)) for i in range(n)]

    return torch.cat([_pooled(window, n, edges).flatten() for n in levels])


def wrong_width_for_height(window, levels):
    def greatest(cells):
        return cells.flatten(1).amax(1) if cells.numel() else torch.zeros(len(cells))

    return torch.cat([_pooled(window, n, pool=greatest, swapped=True).flatten() for n in levels])


def wrong_n_bins(window, levels):
    return torch.cat([_pooled(window, n)[:, 0].flatten() for n in levels])


def wrong_last_level_only(window, levels):
    return _pooled(window, levels[-1]).flatten()


def wrong_a_row_for_each_channel(window, levels):
    return torch.cat([_pooled(window, n).flatten(1) for n in levels], dim=1)


def wrong_adaptive(window, levels):
    return torch.cat([torch.nn.functional.adaptive_max_pool2d(window, n).flatten() for n in levels])


def wrong_in_place(window, levels):
    pooled = right_grids(window, levels)
    window -= window.amax()
    return pooled
