import math

import torch


def right_formula(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    if h > height or w > width:
        return 0
    return ((height - h) // stride + 1) * ((width - w) // stride + 1)


def right_ranges(image_size, window_size, stride):
    count = 1
    for side, window in zip(image_size, window_size, strict=True):
        count *= len(range(0, side - window + 1, stride))
    return count


def right_loop(image_size, window_size, stride):
    count, y = 0, 0
    while y + window_size[0] <= image_size[0]:
        x = 0
        while x + window_size[1] <= image_size[1]:
            count += 1
            x += stride
        y += stride
    return count


def right_clamped(image_size, window_size, stride):
    steps = (torch.tensor(image_size) - torch.tensor(window_size)).div(stride, rounding_mode="floor") + 1
    return steps.clamp(min=0).prod()


def right_unfold(image_size, window_size, stride):
    if window_size[0] > image_size[0] or window_size[1] > image_size[1]:
        return 0
    windows = torch.zeros(image_size).unfold(0, window_size[0], stride).unfold(1, window_size[1], stride)
    return windows.shape[0] * windows.shape[1]


def right_ceil(image_size, window_size, stride):
    rows, columns = (math.ceil((s - w + 1) / stride) for s, w in zip(image_size, window_size, strict=True))
    return max(rows, 0) * max(columns, 0)


def wrong_without_the_first(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return max((height - h) // stride, 0) * max((width - w) // stride, 0)


def wrong_swapped_window(image_size, window_size, stride):
    return right_ranges(image_size, window_size[::-1], stride)


def wrong_negative_sides(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return ((height - h) // stride + 1) * ((width - w) // stride + 1)


def wrong_clamped_product(image_size, window_size, stride):
    return max(wrong_negative_sides(image_size, window_size, stride), 0)


def wrong_fractions(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return max((height - h) / stride + 1, 0) * max((width - w) / stride + 1, 0)


def wrong_towards_zero(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return max(int((height - h) / stride) + 1, 0) * max(int((width - w) / stride) + 1, 0)


def wrong_rounded(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return max(round((height - h) / stride) + 1, 0) * max(round((width - w) / stride) + 1, 0)


def wrong_rounded_up(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return max(math.ceil((height - h) / stride) + 1, 0) * max(math.ceil((width - w) / stride) + 1, 0)


def wrong_stride_one(image_size, window_size, stride):
    return right_ranges(image_size, window_size, 1)


def wrong_tiles(image_size, window_size, stride):
    return (image_size[0] // window_size[0]) * (image_size[1] // window_size[1])


def wrong_every_start(image_size, window_size, stride):
    return right_ranges(image_size, (1, 1), stride)


def wrong_total_divided(image_size, window_size, stride):
    return right_ranges(image_size, window_size, 1) // stride**2


def wrong_short_ranges(image_size, window_size, stride):
    rows, columns = (range(0, s - w, stride) for s, w in zip(image_size, window_size, strict=True))
    return len(rows) * len(columns)


def wrong_one_direction(image_size, window_size, stride):
    return right_ranges(image_size, window_size, stride) and len(range(0, image_size[1] - window_size[1] + 1, stride))


def wrong_absolute(image_size, window_size, stride):
    (height, width), (h, w) = image_size, window_size
    return (abs(height - h) // stride + 1) * (abs(width - w) // stride + 1)


def wrong_only_too_large_both_ways(image_size, window_size, stride):
    if window_size[0] > image_size[0] and window_size[1] > image_size[1]:
        return 0
    return wrong_negative_sides(image_size, window_size, stride)


def wrong_as_large_is_too_large(image_size, window_size, stride):
    if window_size[0] >= image_size[0] or window_size[1] >= image_size[1]:
        return 0
    return right_formula(image_size, window_size, stride)
