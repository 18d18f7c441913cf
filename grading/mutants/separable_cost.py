import math

import torch
from torch import nn


def right_two_layers(kernel, in_channels, out_channels, side):
    depthwise = kernel * kernel * in_channels * side * side
    pointwise = in_channels * out_channels * side * side
    return depthwise + pointwise


def right_share_of_the_standard(kernel, in_channels, out_channels, side):
    standard = kernel**2 * in_channels * out_channels * side**2
    return standard * (1 / out_channels + 1 / kernel**2)


def right_loop(kernel, in_channels, out_channels, side):
    total = 0
    for _row in range(side):
        for _column in range(side):
            total += in_channels * (kernel**2 + out_channels)
    return total


def right_counted(kernel, in_channels, out_channels, side):
    layers = nn.Conv2d(in_channels, in_channels, kernel, groups=in_channels), nn.Conv2d(in_channels, out_channels, 1)
    return torch.tensor(sum(layer.weight.numel() * side**2 for layer in layers))


def right_product(kernel, in_channels, out_channels, side):
    return math.prod((side, side, in_channels, kernel**2 + out_channels))


def wrong_standard(kernel, in_channels, out_channels, side):
    return kernel**2 * in_channels * out_channels * side**2


def wrong_multiplied(kernel, in_channels, out_channels, side):
    return kernel**2 * in_channels * side**2 * (in_channels * out_channels * side**2)


def wrong_filter_for_every_output(kernel, in_channels, out_channels, side):
    return (kernel**2 * out_channels + in_channels * out_channels) * side**2


def wrong_parameters(kernel, in_channels, out_channels, side):
    return in_channels * (kernel**2 + out_channels)


def wrong_kernel_not_squared(kernel, in_channels, out_channels, side):
    return in_channels * (kernel + out_channels) * side**2


def wrong_side_not_squared(kernel, in_channels, out_channels, side):
    return in_channels * (kernel**2 + out_channels) * side


def wrong_one_term_without_the_map(kernel, in_channels, out_channels, side):
    return kernel**2 * in_channels * side**2 + in_channels * out_channels


def wrong_depthwise_alone(kernel, in_channels, out_channels, side):
    return kernel**2 * in_channels * side**2


def wrong_pointwise_alone(kernel, in_channels, out_channels, side):
    return in_channels * out_channels * side**2


def wrong_flops(kernel, in_channels, out_channels, side):
    return 2 * in_channels * (kernel**2 + out_channels) * side**2


def wrong_without_padding(kernel, in_channels, out_channels, side):
    return in_channels * (kernel**2 + out_channels) * max(side - kernel + 1, 0) ** 2


def wrong_with_biases(kernel, in_channels, out_channels, side):
    return (in_channels * (kernel**2 + out_channels) + in_channels + out_channels) * side**2


def wrong_share(kernel, in_channels, out_channels, side):
    return 1 / out_channels + 1 / kernel**2


def wrong_channels_exchanged(kernel, in_channels, out_channels, side):
    return right_two_layers(kernel, out_channels, in_channels, side)


def wrong_arguments_exchanged(kernel, in_channels, out_channels, side):
    return right_two_layers(side, in_channels, out_channels, kernel)


def wrong_always_three(kernel, in_channels, out_channels, side):
    return right_two_layers(3, in_channels, out_channels, side)
