import torch


def _ranked(scores, correct):
    order = scores.sort(descending=True, stable=True).indices
    found = correct[order].double().cumsum(0)
    return correct[order], found / torch.arange(1, len(order) + 1)


def right_loop(scores, correct, objects):
    rows = sorted(range(len(scores)), key=lambda i: -float(scores[i]))
    found, precisions = 0, []
    for rank, row in enumerate(rows, 1):
        if correct[row]:
            found += 1
            precisions.append(found / rank)
    total = 0.0
    for i in range(len(precisions)):
        total += max(precisions[i:]) / objects
    return total


def right_vectorised(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    best = precision.flip(0).cummax(0).values.flip(0)
    return best[hit].sum() / objects


def right_float(scores, correct, objects):
    return right_vectorised(scores.double(), correct, objects).float()


def right_recall_steps(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    recall = torch.cat([torch.zeros(1), hit.double().cumsum(0) / objects, torch.ones(1)])
    precision = torch.cat([torch.zeros(1), precision, torch.zeros(1)])
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    steps = (recall[1:] != recall[:-1]).nonzero().flatten()
    return float(((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum())


def wrong_not_raised(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    return precision[hit].sum() / objects


def wrong_unsorted(scores, correct, objects):
    return right_vectorised(-torch.arange(len(scores)).float(), correct, objects)


def wrong_over_found(scores, correct, objects):
    return right_vectorised(scores, correct, max(1, int(correct.sum())))


def wrong_eleven_points(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    recall = hit.double().cumsum(0) / objects
    return sum(float(precision[recall >= t / 10].max()) if (recall >= t / 10).any() else 0.0 for t in range(11)) / 11


def wrong_last_of_ties(scores, correct, objects):
    return right_vectorised(scores.flip(0), correct.flip(0), objects)


def wrong_trapezoid(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    recall = torch.cat([torch.zeros(1), hit.double().cumsum(0) / objects])
    return float(torch.trapezoid(torch.cat([torch.ones(1), precision]), recall))


def wrong_mean_precision(scores, correct, objects):
    _, precision = _ranked(scores, correct)
    return float(precision.mean()) if len(precision) else 0.0


def wrong_final_precision(scores, correct, objects):
    return float(correct.double().sum() / max(len(correct), 1))


def wrong_no_detection(scores, correct, objects):
    hit, precision = _ranked(scores, correct)
    best = [precision[i:].max() for i in range(len(precision))]
    return (torch.stack(best) * hit).sum() / objects


def wrong_ascending(scores, correct, objects):
    return right_vectorised(-scores, correct, objects)
