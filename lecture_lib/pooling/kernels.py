"""The inner loop of RoI pooling without gradients, compiled by numba: all channels of a cell lie side by side.

torchvision's CPU operator goes channel by channel and takes ten times as long. The readable version, to which tests
hold this one, is `pool_bins`.
"""

from typing import no_type_check  # the tests' shape checks must leave compiled functions alone

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
@no_type_check
def max_pool_windows(cells, windows, rows, columns):
    """Greatest value of every channel of float32 [h, w, c] in every bin of int64 windows [r, 4]: [r, c, rows, columns].

    Bins are those of torchvision's operator, in single precision; a bin beyond the border is 0.
    """
    height, width, channels = cells.shape
    pooled = np.empty((len(windows), channels, rows, columns), np.float32)
    bins = np.zeros((rows, columns, channels), np.float32)  # of one window
    for r in range(len(windows)):
        x1, y1, x2, y2 = windows[r]
        step_y = np.float32(max(y2 - y1 + 1, 1)) / np.float32(rows)
        step_x = np.float32(max(x2 - x1 + 1, 1)) / np.float32(columns)
        for row in range(rows):
            top = min(max(y1 + int(np.floor(np.float32(row) * step_y)), 0), height)
            bottom = min(max(y1 + int(np.ceil(np.float32(row + 1) * step_y)), 0), height)
            for column in range(columns):
                left = min(max(x1 + int(np.floor(np.float32(column) * step_x)), 0), width)
                right = min(max(x1 + int(np.ceil(np.float32(column + 1) * step_x)), 0), width)
                greatest = bins[row, column]
                greatest[:] = 0
                if top < bottom and left < right:
                    greatest[:] = cells[top, left]
                for y in range(top, bottom):
                    for x in range(left, right):
                        cell = cells[y, x]
                        for channel in range(channels):
                            value = cell[channel]
                            greatest[channel] = value if value > greatest[channel] else greatest[channel]
        for channel in range(channels):
            for row in range(rows):
                for column in range(columns):
                    pooled[r, channel, row, column] = bins[row, column, channel]
    return pooled
