import torch


def right_loop(overlap, classes, foreground, background):
    labels = []
    for row in overlap:
        if len(row) == 0:
            labels.append(0)
            continue
        best = 0
        for g in range(1, len(row)):
            if row[g] > row[best]:
                best = g
        if row[best] >= foreground:
            labels.append(int(classes[best]))
        elif row[best] < background:
            labels.append(0)
        else:
            labels.append(-1)
    return labels


def right_vectorised(overlap, classes, foreground, background):
    padded = torch.cat([overlap, torch.zeros(len(overlap), 1)], dim=1)
    best = padded.amax(dim=1)
    first = (padded == best[:, None]).float().cumsum(1).eq(0).sum(1)
    named = torch.cat([classes, torch.zeros(1, dtype=classes.dtype)])[first]
    return torch.where(best >= foreground, named, torch.where(best < background, 0, -1))


def right_other_dtype(overlap, classes, foreground, background):
    return right_vectorised(overlap, classes, foreground, background).to(torch.int32)


def wrong_no_band(overlap, classes, foreground, background):
    return right_vectorised(overlap, classes, foreground, foreground)


def wrong_strictly_above(overlap, classes, foreground, background):
    labels = right_vectorised(overlap, classes, foreground, background)
    labels[(overlap == foreground).any(1)] = -1
    return labels


def wrong_background_at_threshold(overlap, classes, foreground, background):
    return right_vectorised(overlap, classes, foreground, background + 1e-6)


def wrong_row_instead_of_class(overlap, classes, foreground, background):
    return right_vectorised(overlap, torch.arange(1, len(classes) + 1), foreground, background)


def wrong_last_of_ties(overlap, classes, foreground, background):
    return right_vectorised(overlap.flip(1), classes.flip(0), foreground, background)


def wrong_no_object(overlap, classes, foreground, background):
    best, first = overlap.max(dim=1)
    return torch.where(best >= foreground, classes[first], torch.where(best < background, 0, -1))


def wrong_any_object_below(overlap, classes, foreground, background):
    labels = right_vectorised(overlap, classes, foreground, background)
    labels[(overlap < background).any(1) & (labels < 0)] = 0
    return labels


def wrong_band_is_background(overlap, classes, foreground, background):
    labels = right_vectorised(overlap, classes, foreground, background)
    return torch.where(labels == 0, -1, torch.where(labels == -1, 0, labels))


def wrong_floats(overlap, classes, foreground, background):
    return right_vectorised(overlap, classes, foreground, background).float()
