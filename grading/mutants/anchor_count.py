import itertools


def right_formula(rows, columns, k, x, y, a):
    return rows * columns * k, (y * columns + x) * k + a


def right_loop(rows, columns, k, x, y, a):
    cells = list(itertools.product(range(rows), range(columns), range(k)))
    return [len(cells), cells.index((y, x, a))]


def right_reshaped(rows, columns, k, x, y, a):
    import torch

    grid = torch.arange(rows * columns * k).reshape(rows, columns, k)
    return torch.tensor([grid.numel(), grid[y, x, a]])


def wrong_cells_only(rows, columns, k, x, y, a):
    return rows * columns, (y * columns + x) * k + a


def wrong_column_by_column(rows, columns, k, x, y, a):
    return rows * columns * k, (x * rows + y) * k + a


def wrong_rows_for_columns(rows, columns, k, x, y, a):
    return rows * columns * k, (y * rows + x) * k + a


def wrong_anchor_by_anchor(rows, columns, k, x, y, a):
    return rows * columns * k, (a * rows + y) * columns + x


def wrong_from_one(rows, columns, k, x, y, a):
    return rows * columns * k, (y * columns + x) * k + a + 1


def wrong_first_of_the_cell(rows, columns, k, x, y, a):
    return rows * columns * k, (y * columns + x) * k


def wrong_x_and_y_swapped(rows, columns, k, x, y, a):
    return rows * columns * k, (x * columns + y) * k + a


def wrong_total_alone(rows, columns, k, x, y, a):
    return rows * columns * k
