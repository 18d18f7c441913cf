import math

import torch


def right_loop(cells, n):
    return [(i * cells // n, -(-(i + 1) * cells // n)) for i in range(n)]


def right_math(cells, n):
    starts = [math.floor(i * cells / n) for i in range(n)]
    ends = [math.ceil((i + 1) * cells / n) for i in range(n)]
    return list(zip(starts, ends, strict=True))


def right_vectorised(cells, n):
    i = torch.arange(n)
    return torch.stack([i * cells // n, ((i + 1) * cells + n - 1) // n], dim=1)


def right_lists(cells, n):
    size = cells / n
    return [[int(i * size), math.ceil((i + 1) * size)] for i in range(n)]


def right_cells_that_a_bin_touches(cells, n):
    pairs = []
    for i in range(n):
        own = [c for c in range(cells) if c * n < (i + 1) * cells and (c + 1) * n > i * cells]
        pairs.append((own[0], own[-1] + 1))
    return pairs


def wrong_no_shared_cells(cells, n):
    return [(i * cells // n, (i + 1) * cells // n) for i in range(n)]


def wrong_starts_rounded_up(cells, n):
    return [(-(-i * cells // n), -(-(i + 1) * cells // n)) for i in range(n)]


def wrong_rounded(cells, n):
    return [(round(i * cells / n), round((i + 1) * cells / n)) for i in range(n)]


def wrong_rest_lost(cells, n):
    size = cells // n
    return [(i * size, (i + 1) * size) for i in range(n)]


def wrong_rest_to_the_last(cells, n):
    size = cells // n
    return [(i * size, cells if i == n - 1 else (i + 1) * size) for i in range(n)]


def wrong_at_least_one_cell(cells, n):
    return [(i * cells // n, max(i * cells // n + 1, (i + 1) * cells // n)) for i in range(n)]


def wrong_size_rounded_up(cells, n):
    size = -(-cells // n)
    return [(i * size, min((i + 1) * size, cells)) for i in range(n)]


def wrong_end_included(cells, n):
    return [(start, end - 1) for start, end in right_loop(cells, n)]


def wrong_fewer_bins(cells, n):
    return right_loop(cells, min(cells, n))


def wrong_starts_only(cells, n):
    return [start for start, _ in right_loop(cells, n)]


def wrong_two_lists(cells, n):
    return [list(side) for side in zip(*right_loop(cells, n), strict=True)]


def wrong_sizes(cells, n):
    return [(start, end - start) for start, end in right_loop(cells, n)]


def wrong_floats(cells, n):
    i = torch.arange(n)
    return torch.stack([(i * cells / n).floor(), ((i + 1) * cells / n).ceil()], dim=1)


def wrong_roles(cells, n):
    return right_loop(n, cells)


def wrong_one_end_more(cells, n):
    return [(i * cells // n, min((i + 1) * cells // n + 1, cells)) for i in range(n)]
