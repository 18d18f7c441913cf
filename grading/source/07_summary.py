# %% [markdown]
# # 7 · The ladder: exercises
#
# Three functions that read what was measured: where a detector's time goes, what a faster slot would bring, and which
# detector to take. They take dictionaries and numbers.
#
# Replace each `...` by your answer and run the cell, then the check below it: it tells at once whether the answer is
# right, and if not, the first call that goes wrong. Write the answers with Python alone; the grader looks for the
# functions by their names, runs more cases than you see, and gives no points for calling `lecture_lib` or another
# library that has the answer. What stands outside of functions it does not run, but for imports and plain values.
# %%
from lecture_lib.exercises import check

# %% [markdown]
# ## A worked example: pictures an hour
#
# `seconds` is a dictionary: for each slot of a detector the seconds that it takes for a picture. The slots run one
# after the other. An answer leaves the dictionary as it is.


# %%
def pictures_an_hour(seconds):
    """How many pictures the detector names in an hour."""
    return 3600 / sum(seconds.values())


pictures_an_hour({"encode": 0.02, "propose": 0.06, "pool": 0.01, "embed": 0.01})

# %% [markdown]
# ## Exercise 1: the slot that dominates
#
# Return the name of the slot that takes longest and its share of the sum, as a pair. Of equal ones take the first.


# %% exercise dominating_slot
def dominating(seconds):
    """The slot that takes longest, and its share."""
    ### BEGIN SOLUTION
    name = max(seconds, key=seconds.get)
    return name, seconds[name] / sum(seconds.values())
    ### END SOLUTION


# %% check dominating_slot
check.dominating_slot(dominating)

# %% [markdown]
# ## Exercise 2: what a faster slot is worth
#
# One slot becomes `times` times faster, the others stay. How many times faster is the whole? (`times` may be
# `float("inf")`: the slot costs nothing any more.)


# %% exercise speedup
def speedup(seconds, slot, times):
    """How many times faster the detector becomes."""
    ### BEGIN SOLUTION
    before = sum(seconds.values())
    return before / (before - seconds[slot] + seconds[slot] / times)
    ### END SOLUTION


# %% check speedup
check.speedup(speedup)

# %% [markdown]
# ## Exercise 3: read the ladder
#
# `rows` is a dictionary: for each detector its mean average precision and its seconds, as a pair. Return the name of
# the most accurate one that takes at most `budget` seconds, or `None` if there is none. Of equally accurate ones take
# the faster.


# %% exercise best_within
def best_within(rows, budget):
    """The most accurate detector within the budget."""
    ### BEGIN SOLUTION
    within = [name for name in rows if rows[name][1] <= budget]
    return max(within, key=lambda name: (rows[name][0], -rows[name][1]), default=None)
    ### END SOLUTION


# %% check best_within
check.best_within(best_within)
