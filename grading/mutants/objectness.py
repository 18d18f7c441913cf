import torch


def right_vectorised(overlap):
    if 0 in overlap.shape:
        return torch.zeros(len(overlap), dtype=torch.long)
    best = overlap.amax(dim=0)
    positive = (overlap >= 0.7) | ((overlap == best) & (best > 0))
    return torch.where(positive.any(1), 1, torch.where(overlap.amax(dim=1) < 0.3, 0, -1))


def right_loop(overlap):
    rows = overlap.tolist()
    labels = []
    for row in rows:
        most = max(row, default=0.0)
        labels.append(1 if most >= 0.7 else 0 if most < 0.3 else -1)
    for g in range(overlap.shape[1]):
        best = max((row[g] for row in rows), default=0.0)
        for i, row in enumerate(rows):
            if best > 0 and row[g] == best:
                labels[i] = 1
    return labels


def right_other_dtype(overlap):
    return right_vectorised(overlap).to(torch.int8)


def wrong_without_the_best(overlap):
    padded = torch.cat([overlap, torch.zeros(len(overlap), 1)], dim=1)
    most = padded.amax(dim=1)
    return torch.where(most >= 0.7, 1, torch.where(most < 0.3, 0, -1))


def wrong_one_best_only(overlap):
    labels = wrong_without_the_best(overlap)
    if overlap.numel():
        best, row = overlap.max(dim=0)
        labels[row[best > 0]] = 1
    return labels


def wrong_best_of_zero(overlap):
    labels = wrong_without_the_best(overlap)
    if overlap.numel():
        labels[(overlap == overlap.amax(dim=0)).any(1)] = 1
    return labels


def wrong_best_then_background(overlap):
    labels = right_vectorised(overlap)
    labels[(overlap < 0.3).all(1)] = 0
    return labels


def wrong_best_only_above_background(overlap):
    return torch.where(wrong_without_the_best(overlap) == 0, 0, right_vectorised(overlap))


def wrong_strictly_above(overlap):
    labels = wrong_without_the_best(overlap)
    labels[(overlap == 0.7).any(1) & ~(overlap > 0.7).any(1)] = -1
    if overlap.numel():
        best = overlap.amax(dim=0)
        labels[((overlap == best) & (best > 0)).any(1)] = 1
    return labels


def wrong_negative_at_threshold(overlap):
    labels = right_vectorised(overlap)
    labels[(overlap <= 0.3).all(1) & (labels == -1)] = 0
    return labels


def wrong_any_object_below(overlap):
    labels = right_vectorised(overlap)
    labels[(overlap < 0.3).any(1) & (labels < 0)] = 0
    return labels


def wrong_ignored_is_negative(overlap):
    return right_vectorised(overlap).clamp(min=0)


def wrong_no_object(overlap):
    best = overlap.max(dim=0).values
    positive = (overlap >= 0.7) | ((overlap == best) & (best > 0))
    return torch.where(positive.any(1), 1, torch.where(overlap.max(dim=1).values < 0.3, 0, -1))


def wrong_best_object_of_each_anchor(overlap):
    labels = wrong_without_the_best(overlap)
    if overlap.numel():
        labels[(overlap == overlap.amax()).any(1) & (overlap.amax() > 0)] = 1
    return labels


def wrong_mask(overlap):
    return right_vectorised(overlap) == 1


def wrong_floats(overlap):
    return right_vectorised(overlap).float()


def wrong_spoils_the_input(overlap):
    labels = right_vectorised(overlap)
    overlap[overlap < 0.3] = 0.0
    return labels
