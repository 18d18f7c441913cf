# %% [markdown]
# # 8 · Stepping forward: exercises
#
# Three functions of Mask R-CNN on a feature pyramid: the value that RoIAlign reads between the cells, the level that a
# box is pooled from, and the loss of the masks. They take PyTorch tensors and numbers. Boxes are float tensors `[R, 4]`
# of `(x1, y1, x2, y2)`, half-open: the width is `x2 - x1`.
#
# Replace each `...` by your answer and run the cell, then the check below it: it tells at once whether the answer is
# right, and if not, the first call that goes wrong. Write the answers with PyTorch and Python alone; the grader looks
# for the functions by their names, runs more cases than you see, and gives no points for calling `lecture_lib`,
# `torchvision`, or, in exercise 1, `grid_sample` or `interpolate`. PyTorch's losses are allowed. What stands outside of
# functions it does not run, but for imports and plain values.
# %%
import torch

from lecture_lib.exercises import check

# %% [markdown]
# ## A worked example: what RoIPool reads
#
# `values` is a map `[h, w]`, `(x, y)` a point inside of it, in cells: `x` counts columns, `y` rows. RoIPool rounds the
# point to a cell. Note which index comes first.


# %%
def rounded(values, x, y):
    """The value of the cell that is nearest to column x and row y."""
    return values[round(y), round(x)]


rounded(torch.tensor([[0.0, 1, 2], [3, 4, 5]]), 1.8, 0.3)

# %% [markdown]
# ## Exercise 1: between the cells
#
# RoIAlign does not round: each of the four cells about the point counts by how near it is. Return this bilinear value
# of the map `values` `[h, w]` at column `x` and row `y`. The point lies inside: `0 <= x <= w - 1` and
# `0 <= y <= h - 1`.


# %% exercise bilinear
def between(values, x, y):
    """The value of the map at column x and row y, from the four cells around."""
    ### BEGIN SOLUTION
    height, width = values.shape
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    a, b = x - left, y - top
    above = (1 - a) * values[top, left] + a * values[top, right]
    below = (1 - a) * values[bottom, left] + a * values[bottom, right]
    return (1 - b) * above + b * below
    ### END SOLUTION


# %% check bilinear
check.bilinear(between)

# %% [markdown]
# ## Exercise 2: the level of a box
#
# `side` is the side in pixels of the smallest square that belongs on level 1; each level's cells are twice as large as
# those of the one before. Return the level of each of the `boxes` `[R, 4]`, a tensor `[R]` of whole numbers from 0, the
# finest, to `levels - 1`: $k = \lfloor 1 + \log_2 (\sqrt{w h} / \mathrm{side}) \rfloor$, as far as there is such a
# level. Mind boxes that are too small or too large, and those without any area.


# %% exercise pyramid_level
def levels_of(boxes, side, levels):
    """The level that fits each box."""
    ### BEGIN SOLUTION
    size = boxes[:, 2:] - boxes[:, :2]
    level = 1 + (size.prod(dim=1).sqrt() / side).log2()
    return level.floor().clamp(0, levels - 1).long()
    ### END SOLUTION


# %% check pyramid_level
check.pyramid_level(levels_of)

# %% [markdown]
# ## Exercise 3: the mask loss
#
# `logits` is `[R, K, m, m]`, `labels` `[R]` with classes 1 to K, `goals` `[R, m, m]` of zeros and ones. Return the mean
# binary cross-entropy over the pixels of each region's *own* mask, summed over the regions. A logit may be very large:
# `torch.sigmoid(z).log()` of a z of -200 is `-inf`, `torch.nn.functional.logsigmoid(z)` is not.


# %% exercise mask_loss
def loss_of_masks(logits, labels, goals):
    """Binary cross-entropy of the own class's mask."""
    ### BEGIN SOLUTION
    own = logits[torch.arange(len(labels)), labels - 1]
    own = torch.where(goals > 0, own, -own)
    return -torch.nn.functional.logsigmoid(own).mean(dim=(1, 2)).sum()
    ### END SOLUTION


# %% check mask_loss
check.mask_loss(loss_of_masks)
