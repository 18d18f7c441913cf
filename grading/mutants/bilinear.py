import math

import torch


def right_four_cells(values, x, y):
    height, width = values.shape
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    return (
        (1 - a) * (1 - b) * values[top, left]
        + a * (1 - b) * values[top, right]
        + (1 - a) * b * values[bottom, left]
        + a * b * values[bottom, right]
    )


def right_all_cells(values, x, y):
    rows, columns = (torch.arange(n, dtype=torch.double) for n in values.shape)
    weights_y = (1 - (rows - y).abs()).clamp(min=0)
    weights_x = (1 - (columns - x).abs()).clamp(min=0)
    return weights_y @ values.double() @ weights_x


def right_loop(values, x, y):
    total = 0.0
    for j in range(values.shape[0]):
        for i in range(values.shape[1]):
            total += max(0, 1 - abs(x - i)) * max(0, 1 - abs(y - j)) * values[j, i].item()
    return total


def right_padded(values, x, y):
    padded = torch.cat([values, values[:, -1:]], dim=1)
    padded = torch.cat([padded, padded[-1:]])
    i, j = math.floor(x), math.floor(y)
    return torch.lerp(*torch.lerp(padded[j], padded[j + 1], y - j)[i : i + 2], x - i)


def wrong_rounded(values, x, y):
    return values[round(y), round(x)]


def wrong_rounded_down(values, x, y):
    return values[int(y), int(x)]


def wrong_x_and_y_swapped(values, x, y):
    return right_four_cells(values, min(y, values.shape[1] - 1), min(x, values.shape[0] - 1))


def wrong_transposed(values, x, y):
    return right_four_cells(values.T, x, y)


def wrong_far_cell_counts_more(values, x, y):
    return right_four_cells(values, int(x) + 1 - x % 1 if x % 1 else x, int(y) + 1 - y % 1 if y % 1 else y)


def wrong_greatest_of_four(values, x, y):
    return values[int(y) : math.ceil(y) + 1, int(x) : math.ceil(x) + 1].max()


def wrong_mean_of_four(values, x, y):
    return values[int(y) : math.ceil(y) + 1, int(x) : math.ceil(x) + 1].mean()


def wrong_along_x_only(values, x, y):
    return right_four_cells(values, x, int(y))


def wrong_last_cell_raises(values, x, y):
    left, top = int(x), int(y)
    a, b = x - left, y - top
    above = (1 - a) * values[top, left] + a * values[top, left + 1]
    return (1 - b) * above + b * ((1 - a) * values[top + 1, left] + a * values[top + 1, left + 1])


def wrong_ceil(values, x, y):
    left, right, top, bottom = math.floor(x), math.ceil(x), math.floor(y), math.ceil(y)
    above = (right - x) * values[top, left] + (x - left) * values[top, right]
    return (bottom - y) * above + (y - top) * ((right - x) * values[bottom, left] + (x - left) * values[bottom, right])


def wrong_pulled_inside(values, x, y):
    return right_four_cells(values, min(x, values.shape[1] - 2), min(y, values.shape[0] - 2))


def wrong_by_distance(values, x, y):
    left, top = int(x), int(y)
    total = weight = 0.0
    for j in (top, min(top + 1, values.shape[0] - 1)):
        for i in (left, min(left + 1, values.shape[1] - 1)):
            near = 1 / (math.hypot(x - i, y - j) + 1e-9)
            total, weight = total + near * values[j, i], weight + near
    return total / weight


def wrong_half_a_cell(values, x, y):
    return right_four_cells(values, max(x - 0.5, 0.0), max(y - 0.5, 0.0))
