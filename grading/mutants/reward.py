import math

import torch


def right_formula(accuracy, latency, target, weight):
    return accuracy * (latency / target) ** weight


def right_logarithm(accuracy, latency, target, weight):
    return accuracy * math.exp(weight * (math.log(latency) - math.log(target)))


def right_divided(accuracy, latency, target, weight):
    return accuracy / math.pow(latency / target, -weight)


def right_tensor(accuracy, latency, target, weight):
    return accuracy * torch.pow(torch.tensor(latency / target), weight)


def right_two_steps(accuracy, latency, target, weight):
    ratio = latency / target
    factor = 1.0 if ratio == 1 else ratio**weight
    return factor * accuracy


def wrong_upside_down(accuracy, latency, target, weight):
    return accuracy * (target / latency) ** weight


def wrong_times_weight(accuracy, latency, target, weight):
    return accuracy * (latency / target) * weight


def wrong_added(accuracy, latency, target, weight):
    return accuracy + (latency / target) ** weight


def wrong_weighted_sum(accuracy, latency, target, weight):
    return accuracy + weight * (latency / target)


def wrong_fixed_weight(accuracy, latency, target, weight):
    return accuracy * (latency / target) ** -0.07


def wrong_no_bonus(accuracy, latency, target, weight):
    return accuracy * max(latency / target, 1.0) ** weight


def wrong_limit(accuracy, latency, target, weight):
    return accuracy if latency <= target else 0.0


def wrong_only_faster(accuracy, latency, target, weight):
    return accuracy * min(latency / target, 1.0) ** weight


def wrong_power_of_all(accuracy, latency, target, weight):
    return (accuracy * latency / target) ** weight


def wrong_without_target(accuracy, latency, target, weight):
    return accuracy * latency**weight


def wrong_positive_weight(accuracy, latency, target, weight):
    return accuracy * (latency / target) ** abs(weight)


def wrong_difference(accuracy, latency, target, weight):
    return accuracy * (1 + weight * (latency - target) / target)


def wrong_whole_division(accuracy, latency, target, weight):
    return accuracy * max(latency // target, 1e-9) ** weight


def wrong_percent(accuracy, latency, target, weight):
    return accuracy / 100 * (latency / target) ** weight


def wrong_precedence(accuracy, latency, target, weight):
    return accuracy * latency / target**weight
