# %% [markdown]
# # 3 · R-CNN: exercises
#
# Eight functions of a detector, from the overlap of two boxes to the number that detectors are compared by. Each takes
# PyTorch tensors and gives one back. Boxes are float tensors `[R, 4]` of `(x1, y1, x2, y2)`, half-open: the width is
# `x2 - x1`.
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
# ## A worked example: the area of boxes
#
# For `boxes` of shape `[R, 4]`, return `[R]`. Columns 0 and 2 are the left and right edges. The answer works for any
# number of boxes, also for none, and leaves its input as it is.


# %%
def area_of(boxes):
    """Width times height of every box."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


area_of(torch.tensor([[0.0, 0, 4, 2], [1, 1, 1, 9]]))

# %% [markdown]
# ## Exercise 1: IoU of two sets of boxes
#
# For `a` of shape `[A, 4]` and `b` of shape `[B, 4]`, return `[A, B]`: the IoU of every box of `a` with every box of
# `b`. Two boxes without area have an IoU of 0. No loop is needed: `a[:, None]` has shape `[A, 1, 4]`, and PyTorch pairs
# it with every row of `b`.


# %% exercise iou
def overlap_of(a, b):
    """Intersection over union of every box of a with every box of b."""
    ### BEGIN SOLUTION
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clamp(min=0).prod(dim=2)
    union = area_of(a)[:, None] + area_of(b)[None] - shared
    return torch.where(union > 0, shared / union, 0.0)
    ### END SOLUTION


# %% check iou
check.iou(overlap_of)

# %% [markdown]
# ## Exercise 2: labels from IoU
#
# `overlap` `[R, G]` has the IoU of R proposals with G objects, `classes` `[G]` the objects' classes from 1. Return the
# label of each proposal, `[R]`: the class of its best object if that IoU is at least `foreground`, 0 if it is below
# `background`, and -1, ignored, between the two. Of equal IoUs the first object counts. There may be no object.


# %% exercise label
def labels_of(overlap, classes, foreground, background):
    """The class of every proposal, 0 for background, -1 for those that are ignored."""
    ### BEGIN SOLUTION
    if overlap.shape[1] == 0:
        return torch.zeros(len(overlap), dtype=torch.long)
    best = overlap.max(dim=1).values
    first = (overlap == best[:, None]).int().argmax(dim=1)
    labels = torch.full((len(overlap),), -1)
    labels[best < background] = 0
    objects = best >= foreground
    labels[objects] = classes[first[objects]]
    return labels
    ### END SOLUTION


# %% check label
check.label(labels_of)

# %% [markdown]
# ## Exercise 3: the four deltas
#
# For proposals and ground-truth boxes of the same rows, return `[R, 4]`: $t_x = (G_x - P_x) / P_w$, $t_y$ alike,
# $t_w = \log(G_w / P_w)$, $t_h$ alike. Start with the centres and the sizes.


# %% exercise encode
def deltas_of(proposals, ground_truth):
    """The move from each proposal to its ground truth, as parts of the proposal's size."""
    ### BEGIN SOLUTION
    p_size, g_size = (boxes[:, 2:] - boxes[:, :2] for boxes in (proposals, ground_truth))
    way = ground_truth[:, :2] + g_size / 2 - proposals[:, :2] - p_size / 2
    return torch.cat([way / p_size, (g_size / p_size).log()], dim=1)
    ### END SOLUTION


# %% check encode
check.encode(deltas_of)

# %% [markdown]
# ## Exercise 4: and back
#
# Now the other way: move the `proposals` `[R, 4]` by `deltas` `[R, 4]`, and return the corners `[R, 4]` of the
# new boxes.


# %% exercise decode
def boxes_of(proposals, deltas):
    """The boxes that the deltas mean."""
    ### BEGIN SOLUTION
    size = proposals[:, 2:] - proposals[:, :2]
    center = proposals[:, :2] + size / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].exp() / 2
    return torch.cat([center - half, center + half], dim=1)
    ### END SOLUTION


# %% check decode
check.decode(boxes_of)

# %% [markdown]
# ## Exercise 5: ridge regression in closed form
#
# `features` `[N, P]` holds one example a row, $X$, and `targets` `[N, T]` what is to be predicted, $t$. Return the
# weights `[P, T]` of all targets at once: $w = (X^\top X + \lambda I)^{-1} X^\top t$, $\lambda$ being `ridge`, a number
# above 0. `torch.linalg.solve(A, b)` gives $A^{-1} b$. There may be fewer examples than features. Centre nothing and
# add no bias: that is left to the caller.


# %% exercise ridge
def ridge_weights(features, targets, ridge):
    """The weights of R-CNN's box regressors: the closed form of its appendix C."""
    ### BEGIN SOLUTION
    penalty = ridge * torch.eye(features.shape[1], dtype=features.dtype, device=features.device)
    return torch.linalg.solve(features.T @ features + penalty, features.T @ targets)
    ### END SOLUTION


# %% check ridge
check.ridge(ridge_weights)

# %% [markdown]
# ## Exercise 6: greedy suppression
#
# Return the rows that remain, best score first. A box is rejected if its IoU with a box that is **kept** is above the
# threshold. Of equal scores the first row comes first. Your `overlap_of` of exercise 1 is welcome: the grader puts a
# right one in its place.


# %% exercise nms
def rows_kept(boxes, scores, threshold):
    """Greedy non-maximum suppression of the boxes of one class."""
    ### BEGIN SOLUTION
    overlap, kept = overlap_of(boxes, boxes), []
    for row in scores.sort(descending=True, stable=True).indices.tolist():
        if not (overlap[row, kept] > threshold).any():
            kept.append(row)
    return torch.tensor(kept, dtype=torch.long)
    ### END SOLUTION


# %% check nms
check.nms(rows_kept)

# %% [markdown]
# ## Exercise 7: a mini-batch, 32 : 96
#
# `labels` `[R]` are those of exercise 2. Return the rows of a random mini-batch of `size` proposals, none twice and in
# any order: at most `objects` that have a class, the others background. Missing objects are made up by background;
# missing background is not made up. `torch.randperm(n, generator=generator)` shuffles n candidates.


# %% exercise sample
def mini_batch(labels, size, objects, generator):
    """Rows of a mini-batch, drawn at random."""
    ### BEGIN SOLUTION
    foreground, background = ((mask.nonzero().flatten()) for mask in (labels > 0, labels == 0))
    foreground = foreground[torch.randperm(len(foreground), generator=generator)][:objects]
    background = background[torch.randperm(len(background), generator=generator)]
    return torch.cat([foreground, background[: size - len(foreground)]])
    ### END SOLUTION


# %% check sample
check.sample(mini_batch)

# %% [markdown]
# ## Exercise 8: average precision
#
# `scores` `[D]` are those of the detections of one class, in any order, `correct` `[D]` says which of them found an
# object, and `objects` how many objects there are. Return the area under the precision-recall curve, every precision
# raised to the best at the same or a higher recall. Of equal scores the earlier row comes first.


# %% exercise average_precision
def precision_of(scores, correct, objects):
    """Average precision of a class, as PASCAL VOC has computed it since 2010."""
    ### BEGIN SOLUTION
    order = scores.sort(descending=True, stable=True).indices
    found = correct[order].double().cumsum(0)
    precision = found / torch.arange(1, len(order) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)
    return (best * correct[order]).sum().item() / objects
    ### END SOLUTION


# %% check average_precision
check.average_precision(precision_of)
