# %% [markdown]
# # 6 · Faster R-CNN: exercises
#
# Five functions of a region proposal network, from the number of its anchors to the boxes that it proposes. Most take
# PyTorch tensors and give one back. Boxes are float tensors `[n, 4]` of `(x1, y1, x2, y2)`, half-open: the width is
# `x2 - x1`. The size of an image is `(height, width)`.
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
# ## A worked example: where the cells are
#
# A map has `rows` × `columns` cells, and cell i is centred on pixel i × `stride`. Return the centres `(x, y)` of all
# cells, `[rows * columns, 2]`, the cells row by row.


# %%
def centers_of(rows, columns, stride):
    """The centre of every cell, in pixels."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return stride * torch.stack([x.flatten(), y.flatten()], dim=1)


centers_of(2, 3, 16)

# %% [markdown]
# ## Exercise 1: count
#
# A map has `rows` × `columns` cells and `k` anchors a cell. Return two numbers: how many anchors there are, and in
# which row of the grid anchor `a` of the cell in column `x` and row `y` stands. The cells go row by row, the `k`
# anchors of a cell lie together, and all is counted from 0.


# %% exercise anchor_count
def count_anchors(rows, columns, k, x, y, a):
    """All anchors of a map, and the row of one of them."""
    ### BEGIN SOLUTION
    return rows * columns * k, (y * columns + x) * k + a
    ### END SOLUTION


# %% check anchor_count
check.anchor_count(count_anchors)

# %% [markdown]
# ## Exercise 2: make anchors
#
# Return the anchors about the point `(x, y)` as a tensor `[k, 4]` of corners. `sides` and `ratios` are lists; ratio =
# height / width, and the area is side². For the first ratio come all sides, then the second ratio.


# %% exercise anchors
def make_anchors(x, y, sides, ratios):
    """All boxes about a point."""
    ### BEGIN SOLUTION
    root, sides = torch.tensor(ratios)[:, None].sqrt(), torch.tensor(sides)
    height, width = (sides * root).flatten() / 2, (sides / root).flatten() / 2
    return torch.stack([x - width, y - height, x + width, y + height], dim=1)
    ### END SOLUTION


# %% check anchors
check.anchors(make_anchors)

# %% [markdown]
# ## Exercise 3: label anchors
#
# `overlap` `[n, G]` has the IoU of n anchors with G objects. Return a tensor `[n]` of labels, whole numbers: 1 positive
# (an IoU of at least 0.7 with some object), 0 negative (below 0.3 with every object), -1 ignored. Each object's best
# anchor is positive too, and so are all that tie for it; an object that no anchor touches has none. There may be no
# object, and there may be no anchor.


# %% exercise objectness
def labels_of(overlap):
    """The objectness label of every anchor."""
    ### BEGIN SOLUTION
    labels = torch.full((len(overlap),), -1)
    labels[(overlap < 0.3).all(dim=1)] = 0
    labels[(overlap >= 0.7).any(dim=1)] = 1
    if overlap.numel():
        best = overlap.max(dim=0).values
        labels[((overlap == best) & (best > 0)).any(dim=1)] = 1
    return labels
    ### END SOLUTION


# %% check objectness
check.objectness(labels_of)

# %% [markdown]
# ## Exercise 4: move and clip
#
# Move the `anchors` `[n, 4]` by `deltas` `[n, 4]` of `tx, ty, tw, th`, then cut off what lies beyond the image, and
# return the corners `[n, 4]`. The deltas are what the RPN is trained on, with the anchor as P:
# $t_x = (G_x - P_x) / P_w$, $t_w = \log(G_w / P_w)$, and x, y are centres. `image_size` is `(height, width)`.


# %% exercise move
def move_anchors(anchors, deltas, image_size):
    """The boxes that the network means, as far as they lie inside of the image."""
    ### BEGIN SOLUTION
    size = anchors[:, 2:] - anchors[:, :2]
    center = anchors[:, :2] + size / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].exp() / 2
    height, width = image_size
    corners = torch.cat([center - half, center + half], dim=1)
    return torch.stack([corners[:, i].clamp(0, (width, height)[i % 2]) for i in range(4)], dim=1)
    ### END SOLUTION


# %% check move
check.move(move_anchors)

# %% [markdown]
# ## Exercise 5: the proposals
#
# From the anchors of a map to its proposals, `[p, 4]`, the best first. `scores` `[n]` are logits. In this order:
#
# 1. move and clip the anchors, as in exercise 4;
# 2. leave out boxes of which a side is below `smallest`;
# 3. take them by score, the best first, and of equal scores the first row;
# 4. reject each box whose IoU with a better one that is **kept** is above 0.7;
# 5. of those that remain, the first `count`.
#
# Your `move_anchors` is welcome, and so are `overlap_of` and `rows_kept` of notebook 3: copy them into the cell. The
# grader puts right ones in their places.


# %% exercise proposals
def best_proposals(anchors, deltas, scores, image_size, smallest, count):
    """What the RPN proposes: few boxes, good ones, without doubles."""
    ### BEGIN SOLUTION
    boxes = move_anchors(anchors, deltas, image_size)
    sides = boxes[:, 2:] - boxes[:, :2]
    large = (sides >= smallest).all(dim=1)
    boxes, area, scores = boxes[large], sides[large].prod(dim=1), scores[large]
    kept = []
    for row in scores.sort(descending=True, stable=True).indices.tolist():
        shared = torch.minimum(boxes[kept, 2:], boxes[row, 2:]) - torch.maximum(boxes[kept, :2], boxes[row, :2])
        shared = shared.clamp(min=0).prod(dim=1)
        if not (shared / (area[kept] + area[row] - shared) > 0.7).any():
            kept.append(row)
    return boxes[kept[:count]]
    ### END SOLUTION


# %% check proposals
check.proposals(best_proposals)
