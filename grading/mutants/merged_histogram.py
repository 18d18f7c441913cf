import torch


def right_formula(a, size_a, b, size_b):
    return (size_a * a + size_b * b) / (size_a + size_b)


def right_loop(a, size_a, b, size_b):
    merged = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        merged.append((x * size_a + y * size_b) / (size_a + size_b))
    return merged


def right_shares(a, size_a, b, size_b):
    share = size_a / (size_a + size_b)
    return share * a + (1 - share) * b


def right_lerp(a, size_a, b, size_b):
    return torch.lerp(a, b, size_b / (size_a + size_b))


def right_matrix(a, size_a, b, size_b):
    sizes = torch.tensor([size_a, size_b], dtype=torch.double)
    return (sizes / sizes.sum()) @ torch.stack([a, b]).double()


def right_normalised_by_sum(a, size_a, b, size_b):
    pixels = size_a * a.double() + size_b * b.double()
    return (pixels / pixels.sum()).float()


def wrong_not_divided(a, size_a, b, size_b):
    return size_a * a + size_b * b


def wrong_sum(a, size_a, b, size_b):
    return a + b


def wrong_mean(a, size_a, b, size_b):
    return (a + b) / 2


def wrong_swapped(a, size_a, b, size_b):
    return (size_b * a + size_a * b) / (size_a + size_b)


def wrong_half_divided(a, size_a, b, size_b):
    return size_a * a + size_b * b / (size_a + size_b)


def wrong_mean_of_pixels(a, size_a, b, size_b):
    return (size_a * a + size_b * b) / 2


def wrong_whole_division(a, size_a, b, size_b):
    return size_a // (size_a + size_b) * a + size_b // (size_a + size_b) * b


def wrong_minimum(a, size_a, b, size_b):
    shared = torch.minimum(a, b)
    return shared / shared.sum()


def wrong_maximum(a, size_a, b, size_b):
    largest = torch.maximum(a, b)
    return largest / largest.sum()


def wrong_larger_wins(a, size_a, b, size_b):
    return a.clone() if size_a >= size_b else b.clone()


def wrong_concatenated(a, size_a, b, size_b):
    return torch.cat([size_a * a, size_b * b]) / (size_a + size_b)


def wrong_root_weights(a, size_a, b, size_b):
    m, n = size_a**0.5, size_b**0.5
    return (m * a + n * b) / (m + n)


def wrong_one_weight(a, size_a, b, size_b):
    return (size_a * a + b) / (size_a + 1)


def wrong_divided_by_the_first(a, size_a, b, size_b):
    return (size_a * a + size_b * b) / size_a


def wrong_divided_by_bins(a, size_a, b, size_b):
    return (size_a * a + size_b * b) / (len(a) + len(b))


def wrong_whole_pixels(a, size_a, b, size_b):
    return ((size_a * a).long() + (size_b * b).long()) / (size_a + size_b)


def wrong_number(a, size_a, b, size_b):
    return right_formula(a, size_a, b, size_b).sum()


def wrong_in_place(a, size_a, b, size_b):
    a *= size_a
    a += size_b * b
    return a / (size_a + size_b)
