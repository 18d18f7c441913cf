import torch
import torch.nn.functional as F


def smooth_l1(x):
    small = x.abs() < 1
    return torch.where(small, 0.5 * x**2, x.abs() - 0.5), torch.where(small, x, x.sign())


def _classes(logits, labels):
    return -logits.log_softmax(dim=1)[torch.arange(len(labels)), labels]


def _boxes(deltas, labels, targets, background=False, error=lambda x: smooth_l1(x)[0], place=1):
    """The loss [R] of each region's box, with one classic mistake at a time."""
    own = deltas[torch.arange(len(labels)), (labels - place) % deltas.shape[1]]
    losses = error(own - targets).sum(dim=1)
    return losses if background else losses * (labels > 0)


def right_vectorised(logits, deltas, labels, targets, box_weight):
    return _classes(logits, labels).sum() + box_weight * _boxes(deltas, labels, targets).sum()


def right_loop(logits, deltas, labels, targets, box_weight):
    total = 0.0
    for r, u in enumerate(labels.tolist()):
        total += float(torch.logsumexp(logits[r], 0) - logits[r, u])
        if u > 0:
            for i in range(4):
                x = abs(float(deltas[r, u - 1, i] - targets[r, i]))
                total += box_weight * (0.5 * x * x if x < 1 else x - 0.5)
    return total


def right_objects_only(logits, deltas, labels, targets, box_weight):
    rows = (labels > 0).nonzero().flatten()
    loss, _ = smooth_l1(deltas[rows, labels[rows] - 1] - targets[rows])
    return F.cross_entropy(logits, labels, reduction="sum") + box_weight * loss.sum()


def right_one_hot(logits, deltas, labels, targets, box_weight):
    chosen = F.one_hot(labels, logits.shape[1]).double()
    loss = smooth_l1(deltas.double() - targets[:, None])[0].sum(dim=2)
    return -(chosen * logits.double().log_softmax(1)).sum() + box_weight * (chosen[:, 1:] * loss).sum()


def right_gather(logits, deltas, labels, targets, box_weight):
    logs = torch.log_softmax(logits, dim=-1).gather(1, labels[:, None])
    index = (labels - 1).clamp(min=0)[:, None, None].expand(-1, 1, 4)
    error = (deltas.gather(1, index)[:, 0] - targets)[labels >= 1]
    return box_weight * F.smooth_l1_loss(error, torch.zeros_like(error), reduction="sum") - logs.sum()


def wrong_background_has_boxes(logits, deltas, labels, targets, box_weight):
    boxes = _boxes(deltas, labels, targets, background=True)
    return _classes(logits, labels).sum() + box_weight * boxes.sum()


def wrong_row_of_the_next_class(logits, deltas, labels, targets, box_weight):
    boxes = _boxes(deltas, labels, targets, place=0)
    return _classes(logits, labels).sum() + box_weight * boxes.sum()


def wrong_row_out_of_range(logits, deltas, labels, targets, box_weight):
    own = deltas[torch.arange(len(labels)), labels]
    losses = smooth_l1(own - targets)[0].sum(1)[labels > 0]
    return _classes(logits, labels).sum() + box_weight * losses.sum()


def wrong_first_class_only(logits, deltas, labels, targets, box_weight):
    losses = smooth_l1(deltas[:, 0] - targets)[0].sum(1)[labels > 0]
    return _classes(logits, labels).sum() + box_weight * losses.sum()


def wrong_boxes_of_all_classes(logits, deltas, labels, targets, box_weight):
    losses = smooth_l1(deltas - targets[:, None])[0].sum((1, 2))[labels > 0]
    return _classes(logits, labels).sum() + box_weight * losses.sum()


def wrong_boxes_of_the_surest_class(logits, deltas, labels, targets, box_weight):
    surest = logits[:, 1:].argmax(dim=1) + 1
    boxes = _boxes(deltas, surest, targets)[labels > 0]
    return _classes(logits, labels).sum() + box_weight * boxes.sum()


def wrong_mean_of_regions(logits, deltas, labels, targets, box_weight):
    total = right_vectorised(logits, deltas, labels, targets, box_weight)
    return total / max(len(labels), 1)


def wrong_mean_cross_entropy(logits, deltas, labels, targets, box_weight):
    classes = F.cross_entropy(logits, labels) if len(labels) else 0.0
    return classes + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_mean_of_four_numbers(logits, deltas, labels, targets, box_weight):
    return _classes(logits, labels).sum() + box_weight * _boxes(deltas, labels, targets).sum() / 4


def wrong_weight_of_both(logits, deltas, labels, targets, box_weight):
    return box_weight * right_vectorised(logits, deltas, labels, targets, 1.0)


def wrong_weight_of_classes(logits, deltas, labels, targets, box_weight):
    return box_weight * _classes(logits, labels).sum() + _boxes(deltas, labels, targets).sum()


def wrong_no_weight(logits, deltas, labels, targets, box_weight):
    return right_vectorised(logits, deltas, labels, targets, 1.0)


def wrong_l1(logits, deltas, labels, targets, box_weight):
    boxes = _boxes(deltas, labels, targets, error=torch.abs)
    return _classes(logits, labels).sum() + box_weight * boxes.sum()


def wrong_l2(logits, deltas, labels, targets, box_weight):
    boxes = _boxes(deltas, labels, targets, error=lambda x: x**2 / 2)
    return _classes(logits, labels).sum() + box_weight * boxes.sum()


def wrong_no_log(logits, deltas, labels, targets, box_weight):
    classes = 1 - logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_no_softmax(logits, deltas, labels, targets, box_weight):
    classes = -logits[torch.arange(len(labels)), labels]
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_softmax_over_regions(logits, deltas, labels, targets, box_weight):
    classes = -logits.log_softmax(dim=0)[torch.arange(len(labels)), labels]
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_softmax_twice(logits, deltas, labels, targets, box_weight):
    classes = F.cross_entropy(logits.softmax(dim=1), labels, reduction="sum")
    return classes + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_log_of_softmax(logits, deltas, labels, targets, box_weight):
    classes = -logits.softmax(dim=1)[torch.arange(len(labels)), labels].log()
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_background_in_the_last_column(logits, deltas, labels, targets, box_weight):
    classes = _classes(logits.roll(-1, dims=1), labels)
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_a_number_for_each_region(logits, deltas, labels, targets, box_weight):
    return _classes(logits, labels) + box_weight * _boxes(deltas, labels, targets)


def wrong_both_terms(logits, deltas, labels, targets, box_weight):
    return _classes(logits, labels).sum(), box_weight * _boxes(deltas, labels, targets).sum()


def wrong_classes_only_of_objects(logits, deltas, labels, targets, box_weight):
    classes = _classes(logits, labels)[labels > 0]
    return classes.sum() + box_weight * _boxes(deltas, labels, targets).sum()


def wrong_empty(logits, deltas, labels, targets, box_weight):
    parts = [
        right_vectorised(*(x[r : r + 1] for x in (logits, deltas, labels, targets)), box_weight)
        for r in range(len(labels))
    ]
    return torch.stack(parts).sum()


def wrong_in_place(logits, deltas, labels, targets, box_weight):
    targets[labels == 0] = 0
    return right_vectorised(logits, deltas, labels, targets, box_weight)
