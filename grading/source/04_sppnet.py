# %% [markdown]
# # 4 · SPPnet: exercises
#
# Three functions that take a box on the picture to a vector of fixed length: its cells on the feature map, the bins of
# a row of cells, and the spatial pyramid.
#
# Replace each `...` by your answer and run the cell, then the check below it: it tells at once whether the answer is
# right, and if not, the first call that goes wrong. Write the answers with PyTorch and Python alone; the grader looks
# for the functions by their names, runs more cases than you see, and gives no points for calling `lecture_lib`,
# `torchvision` or another library that has the answer. What stands outside of functions it does not run, but for
# imports and plain values.
# %%
import torch

from lecture_lib.exercises import check

# %% [markdown]
# ## A worked example: the windows of ordinary pooling
#
# Ordinary pooling slides a window of `size` cells over a row, `stride` cells a step. The windows are pairs
# `(start, end)`, the end not included, as Python's slices have it. Their size is fixed, so their number follows the
# length of the row. In exercise 2 it will be the other way round.


# %%
def sliding_windows_of(cells, size, stride):
    """Start and end of every window that lies wholly in a row of cells."""
    return [(start, start + size) for start in range(0, cells - size + 1, stride)]


sliding_windows_of(13, 3, 2)

# %%
row = torch.tensor([1.0, 5, 2, 0, 3, 4, 1])
[row[start:end].amax() for start, end in sliding_windows_of(len(row), 3, 2)]

# %% [markdown]
# ## Exercise 1: from a box to cells of the map
#
# Cell $i$ of a map with stride $S$ is centred on pixel $iS$. For `boxes` `[R, 4]` in pixels, `(x1, y1, x2, y2)`, and
# one `stride` for both directions, return `[R, 4]`: the first and last cells `(x1, y1, x2, y2)` whose centres lie
# inside each box, both included, as whole numbers. A centre on the border is not inside:
#
# $$\text{left, top} = \left\lfloor \frac{x}{S} \right\rfloor + 1 \qquad
# \text{right, bottom} = \left\lceil \frac{x}{S} \right\rceil - 1$$
#
# No box is so small that it has no cell, and none reaches the border of the map. There may be no box at all.


# %% exercise covered_windows
def window_of(boxes, stride):
    """Cells whose centres, at multiples of the stride, lie inside each box."""
    ### BEGIN SOLUTION
    first, last = (boxes[:, :2] / stride).floor() + 1, (boxes[:, 2:] / stride).ceil() - 1
    return torch.cat([first, last], dim=1).long()
    ### END SOLUTION


# %% check covered_windows
check.covered_windows(window_of)

# %% [markdown]
# ## Exercise 2: the bins of a row
#
# A window is `cells` cells wide. Return a list of `n` pairs `(start, end)`, the end not included: bin $i$ starts at
# $\lfloor i \cdot \text{cells} / n \rfloor$ and ends before $\lceil (i + 1) \cdot \text{cells} / n \rceil$. In Python,
# `a // b` rounds down and `-(-a // b)` rounds up. There may be fewer cells than bins.


# %% exercise bins
def edges_of(cells, n):
    """Start and end of each of n bins over a row of cells."""
    ### BEGIN SOLUTION
    return [(i * cells // n, -(-(i + 1) * cells // n)) for i in range(n)]
    ### END SOLUTION


# %% check bins
check.bins(edges_of)

# %% [markdown]
# ## Exercise 3: the spatial pyramid
#
# `window` is a piece of a map, `[C, h, w]`, and `levels` some numbers such as `(6, 3, 2, 1)`. For every level n make
# n × n bins, take the greatest value of each channel in each bin, and join everything to one vector: level by level, in
# the given order, in a level channel by channel, in a channel row by row. Your `edges_of` of exercise 2 is welcome: the
# grader puts a right one in its place. PyTorch's adaptive pooling would be the whole answer, so it is not allowed.


# %% exercise spatial_pyramid
def pyramid_of(window, levels):
    """The spatial pyramid of a window, as one vector of C * sum(n * n) numbers."""
    ### BEGIN SOLUTION
    parts = []
    for n in levels:
        rows, columns = edges_of(window.shape[1], n), edges_of(window.shape[2], n)
        grid = [window[:, top:end, left:right].amax(dim=(1, 2)) for top, end in rows for left, right in columns]
        parts.append(torch.stack(grid, dim=1).flatten())
    return torch.cat(parts)
    ### END SOLUTION


# %% check spatial_pyramid
check.spatial_pyramid(pyramid_of)
