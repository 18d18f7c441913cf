import numpy as np
import torch


def _cut(weight, rank, first=True, second=False):
    """Two thin layers; `first`, `second`: which of them gets the singular values."""
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    u, s, vt = u[:, :rank], s[:rank], vt[:rank]
    return s[:, None] * vt if first else vt, u * s if second else u, rank * sum(weight.shape)


def right_values_to_the_first(weight, rank):
    return _cut(weight, rank)


def right_values_to_the_second(weight, rank):
    return _cut(weight, rank, first=False, second=True)


def right_half_to_each(weight, rank):
    u, s, vt = torch.linalg.svd(weight.double())
    root = torch.diag(s[:rank].sqrt())
    return root @ vt[:rank], u[:, :rank] @ root, (weight.shape[0] + weight.shape[1]) * rank


def right_numpy(weight, rank):
    u, s, vt = np.linalg.svd(weight.numpy())
    first, second = np.diag(s[:rank]) @ vt[:rank], u[:, :rank]
    return first, second, first.size + second.size


def right_eigenvectors(weight, rank):
    _, vectors = torch.linalg.eigh(weight.double() @ weight.double().T)
    second = vectors[:, vectors.shape[1] - rank :]
    first = second.T @ weight.double()
    return first, second, first.numel() + second.numel()


def right_loop(weight, rank):
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    first, second = torch.zeros(rank, weight.shape[1]), torch.zeros(weight.shape[0], rank)
    for i in range(rank):
        first[i], second[:, i] = s[i] * vt[i], u[:, i]
    return [first, second, torch.tensor(first.numel() + second.numel())]


def wrong_no_values(weight, rank):
    return _cut(weight, rank, first=False)


def wrong_values_twice(weight, rank):
    return _cut(weight, rank, second=True)


def wrong_transposed_twice(weight, rank):
    u, s, vt = torch.linalg.svd(weight)
    return s[:rank, None] * vt.T[:rank], u[:, :rank], rank * sum(weight.shape)


def wrong_smallest_values(weight, rank):
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    keep = slice(len(s) - rank, None)
    return s[keep, None] * vt[keep], u[:, keep], rank * sum(weight.shape)


def wrong_rows_of_u(weight, rank):
    first, _, count = _cut(weight, rank)
    return first, torch.linalg.svd(weight)[0][:rank].T, count


def wrong_not_cut(weight, rank):
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    return s[:, None] * vt, u, rank * sum(weight.shape)


def wrong_values_set_to_zero(weight, rank):
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    s = s.where(torch.arange(len(s)) < rank, 0)
    return s[:, None] * vt, u, rank * sum(weight.shape)


def wrong_one_rank_less(weight, rank):
    first, second, count = _cut(weight, rank)
    first[rank - 1] = 0
    return first, second, count


def wrong_first_rows_of_the_weight(weight, rank):
    return weight[:rank], torch.eye(weight.shape[0])[:, :rank], rank * sum(weight.shape)


def wrong_qr(weight, rank):
    q, r = torch.linalg.qr(weight)
    return r[:rank], q[:, :rank], rank * sum(weight.shape)


def wrong_order(weight, rank):
    first, second, count = _cut(weight, rank)
    return second, first, count


def wrong_count_of_one_layer(weight, rank):
    first, second, _ = _cut(weight, rank)
    return first, second, weight.numel()


def wrong_count_with_values(weight, rank):
    first, second, count = _cut(weight, rank)
    return first, second, count + rank


def wrong_count_with_biases(weight, rank):
    first, second, count = _cut(weight, rank)
    return first, second, count + weight.shape[0]


def wrong_count_of_the_first(weight, rank):
    first, second, _ = _cut(weight, rank)
    return first, second, first.numel()


def wrong_no_count(weight, rank):
    return _cut(weight, rank)[:2]


def wrong_product(weight, rank):
    first, second, count = _cut(weight, rank)
    return second @ first, count


def wrong_in_place(weight, rank):
    first, second, count = _cut(weight, rank)
    weight -= second @ first
    return first, second, count
