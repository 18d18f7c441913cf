# %% [markdown]
# # 2 · Selective Search: exercises
#
# Three functions: how often a window fits into a picture, how much two regions have in common, and what becomes of
# their histograms when they are merged. Sizes of pictures and windows are pairs `(height, width)` of pixels. Histograms
# are float tensors `[K]` that sum to 1.
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
# ## A worked example: the histogram of a list of pixels
#
# `bins` `[N]` says which of `count` bins each pixel falls into. The histogram gives each bin its share of the pixels,
# so it sums to 1, whatever the size of the region.


# %%
def histogram_of(bins, count):
    """The share of pixels in each bin."""
    return torch.bincount(bins, minlength=count) / len(bins)


histogram_of(torch.tensor([0, 2, 2, 1]), 5)

# %% [markdown]
# ## Exercise 1: count the windows
#
# How many windows of `window_size` lie inside a picture of `image_size`, if the first lies in the corner and the window
# moves by `stride` pixels to the right and down? Mind the window that does not fit at all.


# %% exercise window_count
def count_windows(image_size, window_size, stride):
    """How many windows of one shape lie inside the picture."""
    ### BEGIN SOLUTION
    (height, width), (window_height, window_width) = image_size, window_size
    rows = (height - window_height) // stride + 1
    columns = (width - window_width) // stride + 1
    return max(rows, 0) * max(columns, 0)
    ### END SOLUTION


# %% check window_count
check.window_count(count_windows)

# %% [markdown]
# ## Exercise 2: what two histograms share
#
# Colour and texture similarity are both a **histogram intersection**, $\sum_i \min(a_i, b_i)$. `a` and `b` have equally
# many bins. One line of PyTorch is enough.


# %% exercise histogram_intersection
def intersection(a, b):
    """The similarity of two histograms, between 0 and 1."""
    ### BEGIN SOLUTION
    return torch.minimum(a, b).sum()
    ### END SOLUTION


# %% check histogram_intersection
check.histogram_intersection(intersection)

# %% [markdown]
# ## Exercise 3: the histogram of a merged region
#
# Two regions of `size_a` and `size_b` pixels become one. Their pixels are not read again; how does the new histogram
# follow from the two old ones, `a` and `b`, and their sizes? Each pixel must keep its weight, and the result must sum
# to 1.


# %% exercise merged_histogram
def merged_histogram(a, size_a, b, size_b):
    """The histogram of the union of two regions."""
    ### BEGIN SOLUTION
    return (size_a * a + size_b * b) / (size_a + size_b)
    ### END SOLUTION


# %% check merged_histogram
check.merged_histogram(merged_histogram)
