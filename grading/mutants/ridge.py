import torch


def right_solve(features, targets, ridge):
    a = features.T @ features + ridge * torch.eye(features.shape[1])
    return torch.linalg.solve(a, (features.T @ targets).to(a.dtype))


def right_inverse(features, targets, ridge):
    square = features.T @ features
    square.diagonal().add_(ridge)
    return torch.inverse(square) @ features.T @ targets


def right_loop(features, targets, ridge):
    x, t = features.tolist(), targets.tolist()
    p, columns = features.shape[1], targets.shape[1]
    rows = []
    for i in range(p):
        left = [sum(row[i] * row[j] for row in x) + (ridge if i == j else 0.0) for j in range(p)]
        rows.append(left + [sum(row[i] * want[k] for row, want in zip(x, t, strict=True)) for k in range(columns)])
    for i in range(p):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(p):
            if j != i:
                rows[j] = [b - rows[j][i] * a for a, b in zip(rows[i], rows[j], strict=True)]
    return [row[p:] for row in rows]


def right_target_by_target(features, targets, ridge):
    inverse = torch.linalg.inv(features.T @ features + ridge * torch.eye(features.shape[1]))
    columns = [inverse.to(t.dtype) @ (features.T @ t) for t in targets.T]
    return torch.stack(columns, dim=1)


def right_singular_values(features, targets, ridge):
    u, s, vh = torch.linalg.svd(features, full_matrices=False)
    return vh.T @ ((s / (s**2 + ridge))[:, None] * (u.T @ targets))


def right_more_rows(features, targets, ridge):
    p = features.shape[1]
    x = torch.cat([features, ridge**0.5 * torch.eye(p, dtype=features.dtype)])
    t = torch.cat([targets, torch.zeros(p, targets.shape[1], dtype=targets.dtype)])
    return torch.linalg.lstsq(x, t).solution


def right_by_examples(features, targets, ridge):
    n = len(features)
    square = features @ features.T + ridge * torch.eye(n, dtype=features.dtype)
    return features.T @ torch.linalg.solve(square, targets)


def right_numpy(features, targets, ridge):
    import numpy as np

    x, t = features.numpy(), targets.numpy()
    return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ t)


def wrong_least_squares(features, targets, ridge):
    return torch.linalg.pinv(features) @ targets


def wrong_everywhere(features, targets, ridge):
    return torch.linalg.pinv(features.T @ features + ridge) @ (features.T @ targets)


def wrong_one_over_the_entries(features, targets, ridge):
    square = features.T @ features + ridge * torch.eye(features.shape[1], dtype=features.dtype)
    return (1 / square) @ (features.T @ targets)


def wrong_centred(features, targets, ridge):
    if len(features) == 0:
        return right_solve(features, targets, ridge)
    return right_solve(features - features.mean(0), targets - targets.mean(0), ridge)


def wrong_with_bias(features, targets, ridge):
    ones = torch.ones(len(features), 1, dtype=features.dtype)
    return right_solve(torch.cat([features, ones], dim=1), targets, ridge)[:-1]


def wrong_mean(features, targets, ridge):
    return right_solve(features, targets, ridge * max(len(features), 1))


def wrong_squared_ridge(features, targets, ridge):
    return right_solve(features, targets, ridge**2)


def wrong_half_ridge(features, targets, ridge):
    return right_solve(features, targets, ridge / 2)


def wrong_subtracted(features, targets, ridge):
    square = features.T @ features - ridge * torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.pinv(square) @ (features.T @ targets)


def wrong_transposed(features, targets, ridge):
    return right_solve(features, targets, ridge).T


def wrong_first_target(features, targets, ridge):
    return right_solve(features, targets, ridge)[:, 0]


def wrong_sum_of_targets(features, targets, ridge):
    return right_solve(features, targets.sum(dim=1, keepdim=True), ridge).expand(-1, targets.shape[1])


def wrong_predictions(features, targets, ridge):
    return features @ right_solve(features, targets, ridge)


def wrong_after_the_inverse(features, targets, ridge):
    square = torch.linalg.pinv(features.T @ features) + ridge * torch.eye(features.shape[1], dtype=features.dtype)
    return square @ features.T @ targets


def wrong_last_not_penalised(features, targets, ridge):
    penalty = ridge * torch.eye(features.shape[1], dtype=features.dtype)
    penalty[-1, -1] = 0
    return torch.linalg.pinv(features.T @ features + penalty) @ (features.T @ targets)


def wrong_in_place(features, targets, ridge):
    result = right_solve(features, targets, ridge)
    features *= 2
    return result
