# %% [markdown]
# # 1 · Transfer learning: exercises
#
# Three functions: what a cheap convolution costs, which parameters of a trained network learn on, and how accuracy is
# weighed against milliseconds. They take and return plain numbers and names.
#
# Replace each `...` by your answer and run the cell, then the check below it: it tells at once whether the answer is
# right, and if not, the first call that goes wrong. Write the answers with PyTorch and Python alone; the grader looks
# for the functions by their names, runs more cases than you see, and gives no points for calling `lecture_lib`,
# `torchvision` or another library that has the answer. What stands outside of functions it does not run, but for
# imports and plain values.
# %%
from lecture_lib.exercises import check

# %% [markdown]
# ## A worked example: the cost of an ordinary convolution
#
# Stride 1, with padding, so that the map keeps its side. At each of its side² cells, each of the channels that go out
# takes kernel² numbers from each of the channels that come in, and every number costs one multiply-add.


# %%
def ordinary_cost(kernel, in_channels, out_channels, side):
    """Multiply-adds of an ordinary convolution."""
    return kernel**2 * in_channels * out_channels * side**2


ordinary_cost(3, 32, 64, 112)

# %% [markdown]
# ## Exercise 1: the cost of a depthwise separable convolution
#
# The same arguments: the side of the kernel, the channels in and out, the side of the map. First comes the depthwise
# layer, one filter of kernel² for each channel, then the 1×1 layer. Stride 1, with padding, no biases.


# %% exercise separable_cost
def separable_cost(kernel, in_channels, out_channels, side):
    """Multiply-adds of a depthwise layer and the 1×1 layer after it."""
    ### BEGIN SOLUTION
    depthwise = kernel**2 * in_channels * side**2
    pointwise = in_channels * out_channels * side**2
    return depthwise + pointwise
    ### END SOLUTION


# %% check separable_cost
check.separable_cost(separable_cost)

# %% [markdown]
# ## Exercise 2: which parameters learn
#
# A part of a network is fine-tuned: its classifier, and the `last` stages directly before it. `stages` has a pair for
# every stage, in the order in which they run: the stage's name, and the names of its parameters. The last pair is the
# classifier, whatever it is called. Return the names of the parameters that learn: a list, a tuple or a set, in any
# order. Where there are fewer than `last` stages before the classifier, all of them learn.


# %% exercise trainable
def trainable_names(stages, last):
    """Names of the parameters of the classifier and of the last stages before it."""
    ### BEGIN SOLUTION
    return [name for _, names in stages[-1 - last :] for name in names]
    ### END SOLUTION


# %% check trainable
check.trainable(trainable_names)

# %% [markdown]
# ## Exercise 3: accuracy against milliseconds
#
# MnasNet searches for the network with the greatest reward, $ACC \cdot (LAT / T)^w$. The arguments are the accuracy,
# the latency, the target latency $T$ in the same unit, and the exponent $w$.


# %% exercise reward
def reward(accuracy, latency, target, weight):
    """The reward of a network in MnasNet's search."""
    ### BEGIN SOLUTION
    return accuracy * (latency / target) ** weight
    ### END SOLUTION


# %% check reward
check.reward(reward)
