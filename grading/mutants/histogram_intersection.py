import torch


def right_minimum(a, b):
    return torch.minimum(a, b).sum()


def right_loop(a, b):
    total = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        total += x if x < y else y
    return total


def right_half_the_difference(a, b):
    return 1 - (a - b).abs().sum().item() / 2


def right_stacked(a, b):
    return float(torch.stack([a, b]).min(dim=0).values.double().sum())


def right_where(a, b):
    return torch.where(a < b, a, b).sum().item()


def wrong_product(a, b):
    return (a * b).sum()


def wrong_distance(a, b):
    return (a - b).abs().sum()


def wrong_one_minus_distance(a, b):
    return 1 - (a - b).abs().sum()


def wrong_maximum(a, b):
    return torch.maximum(a, b).sum()


def wrong_cosine(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=0)


def wrong_root_of_product(a, b):
    return (a * b).sqrt().sum()


def wrong_mean(a, b):
    return torch.minimum(a, b).mean()


def wrong_not_added(a, b):
    return torch.minimum(a, b)


def wrong_smallest_bin(a, b):
    return min(a.min(), b.min())


def wrong_smaller_sum(a, b):
    return min(a.sum(), b.sum())


def wrong_share_of_bins(a, b):
    return ((a > 0) & (b > 0)).double().mean()


def wrong_common_bins(a, b):
    return a[b > 0].sum()


def wrong_over_union(a, b):
    return torch.minimum(a, b).sum() / torch.maximum(a, b).sum()


def wrong_euclid(a, b):
    return 1 - (a - b).square().sum().sqrt()


def wrong_sorted(a, b):
    return torch.minimum(a.sort().values, b.sort().values).sum()


def wrong_cumulated(a, b):
    return torch.minimum(a.cumsum(0), b.cumsum(0)).mean()


def wrong_whole_numbers(a, b):
    return torch.minimum(a, b).long().sum()


def wrong_in_place(a, b):
    larger = a > b
    a[larger] = b[larger]
    return a.sum()
