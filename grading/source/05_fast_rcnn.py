# %% [markdown]
# # 5 · Fast R-CNN: exercises
#
# Four functions: what Fast R-CNN's training minimises, how a layer is made thin after it, and the pooling of regions.
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
# ## A worked example: L1 and its gradient
#
# For a tensor `x` of errors `[n]`, return a pair of tensors `[n]`: the loss |x| of each error, and its derivative by
# `x`. The pull is 1 however near the goal is, so that descent overshoots. Smooth L1 mends that.


# %%
def l1(x):
    """The loss of every error, and its gradient."""
    return x.abs(), x.sign()


l1(torch.tensor([-3.0, -0.1, 0.0, 0.5]))

# %% [markdown]
# ## Exercise 1: smooth L1 and its gradient
#
# The same for smooth L1: $0.5\,x^2$ where $|x| < 1$, and $|x| - 0.5$ elsewhere. Return the pair of tensors `[n]`;
# there may be no error at all. `torch.where(condition, a, b)` chooses number by number. PyTorch's own `smooth_l1_loss`
# and `huber_loss` are not allowed.


# %% exercise smooth_l1
def smooth_l1(x):
    """The loss of every error, and its gradient."""
    ### BEGIN SOLUTION
    small = x.abs() < 1
    return torch.where(small, 0.5 * x**2, x.abs() - 0.5), torch.where(small, x, x.sign())
    ### END SOLUTION


# %% check smooth_l1
check.smooth_l1(smooth_l1)

# %% [markdown]
# ## Exercise 2: the multi-task loss
#
# `logits` is `[R, K + 1]` with the background in column 0, `deltas` `[R, K, 4]`, `labels` `[R]` the class $u$ of each
# region, `targets` `[R, 4]` the $v$, and `box_weight` the $\lambda$. Return one number, the sum over all regions of
#
# $$-\log p_u + \lambda\, [u \ge 1] \sum_{i \in \{x,y,w,h\}} \mathrm{smooth}_{L_1}(t^u_i - v_i)$$
#
# where $p$ is the softmax of the logits. Mind which row of `deltas` belongs to class $u$. There may be no region at
# all. Your `smooth_l1` is welcome: the grader puts a right one in its place.


# %% exercise multi_task_loss
def loss_of_regions(logits, deltas, labels, targets, box_weight):
    """-log p_u + box_weight [u >= 1] sum of smooth L1, summed over the regions."""
    ### BEGIN SOLUTION
    classes = -torch.log_softmax(logits, dim=1).gather(1, labels[:, None])
    objects = (labels > 0).nonzero().flatten()
    boxes, _ = smooth_l1(deltas[objects, labels[objects] - 1] - targets[objects])
    return classes.sum() + box_weight * boxes.sum()
    ### END SOLUTION


# %% check multi_task_loss
check.multi_task_loss(loss_of_regions)

# %% [markdown]
# ## Exercise 3: a layer, cut to a rank
#
# `weight` is `[u, v]`. Return three things: the weights of the first thin layer `[rank, v]`, of the second `[u, rank]`,
# and how many numbers both hold together. `second @ first` must be the best approximation of `weight` of that rank.
# `torch.linalg.svd(weight, full_matrices=False)` gives $U$, the singular values, and $V^\top$.


# %% exercise truncated_svd
def cut_to_rank(weight, rank):
    """Two thin layers in place of a wide one, and their number of weights."""
    ### BEGIN SOLUTION
    u, values, vt = torch.linalg.svd(weight, full_matrices=False)
    first, second = values[:rank, None] * vt[:rank], u[:, :rank]
    return first, second, first.numel() + second.numel()
    ### END SOLUTION


# %% check truncated_svd
check.truncated_svd(cut_to_rank)

# %% [markdown]
# ## Exercise 4: RoI pooling
#
# `features` is a map `[C, h, w]`; `boxes` `[R, 4]` are `(x1, y1, x2, y2)` in pixels, and `stride` holds for both
# directions. Pool each box to n × n bins and return `[R, C, n, n]`.
#
# - Round the corners, divided by the stride, to the nearest cells, halves up: `torch.floor(x + 0.5)`. (`torch.round`
#   takes halves to the even number.) Both corners' cells belong to the window.
# - Bin $i$ of a window of $s$ cells covers those from $\lfloor i\,s / n \rfloor$ to before
#   $\lceil (i + 1)\,s / n \rceil$, counted from the window's first.
# - In each bin each channel keeps its greatest value. A window may leave the map on the right and below; cells that do
#   not exist do not count, and a bin without any cell is 0.
#
# There may be no box at all. PyTorch's adaptive pooling is not allowed.


# %% exercise roi_pool
def pooled_of(features, boxes, stride, n):
    """RoI max pooling: the greatest value of every channel in every bin of every box."""
    ### BEGIN SOLUTION
    pooled = features.new_zeros(len(boxes), len(features), n, n)
    for r, (x1, y1, x2, y2) in enumerate(torch.floor(boxes / stride + 0.5).long().tolist()):
        rows = [(y1 + i * (y2 - y1 + 1) // n, y1 - (-(i + 1) * (y2 - y1 + 1) // n)) for i in range(n)]
        columns = [(x1 + j * (x2 - x1 + 1) // n, x1 - (-(j + 1) * (x2 - x1 + 1) // n)) for j in range(n)]
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                cells = features[:, top:bottom, left:right]
                if cells.numel():
                    pooled[r, :, i, j] = cells.amax(dim=(1, 2))
    return pooled
    ### END SOLUTION


# %% check roi_pool
check.roi_pool(pooled_of)
