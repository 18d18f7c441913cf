import torch


def overlap_of(a, b):
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clamp(min=0).prod(2)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - shared
    return torch.where(union > 0, shared / union, 0.0)


def right_loop(boxes, scores, threshold):
    rows = sorted(range(len(scores)), key=lambda i: -scores[i].item())
    kept = []
    while rows:
        best = rows.pop(0)
        kept.append(best)
        rows = [r for r in rows if overlap_of(boxes[best : best + 1], boxes[r : r + 1]).item() <= threshold]
    return kept


def right_vectorised(boxes, scores, threshold):
    rest = torch.argsort(scores, descending=True, stable=True)
    kept = []
    while len(rest):
        kept.append(rest[0])
        rest = rest[1:][overlap_of(boxes[rest[:1]], boxes[rest[1:]])[0] <= threshold]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.long)


def right_suppressed_flags(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices
    above = overlap_of(boxes[order], boxes[order]) > threshold
    alive = torch.ones(len(order), dtype=torch.bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~above[i, i + 1 :]
    return order[alive].int()


def wrong_unsorted(boxes, scores, threshold):
    return right_vectorised(boxes, -torch.arange(len(scores)).float(), threshold)


def wrong_ascending(boxes, scores, threshold):
    return right_vectorised(boxes, -scores, threshold)


def wrong_rejects_equal(boxes, scores, threshold):
    return right_vectorised(boxes, scores, threshold - 1e-4)


def wrong_rejected_boxes_reject(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices
    above = (overlap_of(boxes[order], boxes[order]) > threshold).triu(1)
    return order[~above.any(0)]


def wrong_places(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices
    return right_vectorised(boxes[order], scores[order], threshold)


def wrong_last_of_ties(boxes, scores, threshold):
    return len(scores) - 1 - right_vectorised(boxes.flip(0), scores.flip(0), threshold)


def wrong_sorted_by_row(boxes, scores, threshold):
    return right_vectorised(boxes, scores, threshold).sort().values


def wrong_mask(boxes, scores, threshold):
    mask = torch.zeros(len(scores), dtype=torch.bool)
    mask[right_vectorised(boxes, scores, threshold)] = True
    return mask


def wrong_boxes(boxes, scores, threshold):
    return boxes[right_vectorised(boxes, scores, threshold)]


def wrong_needs_a_positive_score(boxes, scores, threshold):
    rows = right_vectorised(boxes, scores, threshold)
    return rows[scores[rows] > 0]


def wrong_only_neighbours(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices.tolist()
    kept = order[:1]
    for row in order[1:]:
        if overlap_of(boxes[kept[-1:]], boxes[row : row + 1]).item() <= threshold:
            kept.append(row)
    return torch.tensor(kept, dtype=torch.long)


def wrong_empty(boxes, scores, threshold):
    order = scores.sort(descending=True, stable=True).indices
    kept = [order[0].item()]
    kept += [r for r in right_vectorised(boxes, scores, threshold).tolist() if r not in kept]
    return torch.tensor(kept)


def wrong_spoils_scores(boxes, scores, threshold):
    kept = right_loop(boxes, scores, threshold)
    scores[:] = 0
    return kept
