import torch
import torch.nn.functional as F


def right_vectorised(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1]
    return (F.softplus(own) - goals * own).mean(dim=(1, 2)).sum()


def right_loop(logits, labels, goals):
    total = torch.zeros((), dtype=torch.double)
    for z, label, goal in zip(logits.double(), labels.tolist(), goals.double(), strict=True):
        own = z[label - 1]
        total += -(goal * F.logsigmoid(own) + (1 - goal) * F.logsigmoid(-own)).mean()
    return total.item()


def right_cross_entropy(logits, labels, goals):
    costs = [F.binary_cross_entropy_with_logits(logits[r, labels[r] - 1], goals[r]) for r in range(len(labels))]
    return sum(costs, torch.zeros(()))


def wrong_class_from_zero(logits, labels, goals):
    return right_vectorised(logits, labels % logits.shape[1] + 1, goals)


def wrong_first_class(logits, labels, goals):
    return right_vectorised(logits, torch.ones_like(labels), goals)


def wrong_region_for_class(logits, labels, goals):
    own = torch.stack([logits[r, r % logits.shape[1]] for r in range(len(labels))]) if len(labels) else logits[:, 0]
    return (F.softplus(own) - goals * own).mean(dim=(1, 2)).sum()


def wrong_every_class(logits, labels, goals):
    goals = goals[:, None].expand_as(logits)
    return (F.softplus(logits) - goals * logits).mean(dim=(1, 2, 3)).sum()


def wrong_others_must_be_empty(logits, labels, goals):
    every = torch.zeros_like(logits)
    every[torch.arange(len(labels)), labels - 1] = goals
    return (F.softplus(logits) - every * logits).mean(dim=(2, 3)).sum()


def wrong_softmax(logits, labels, goals):
    own = logits.log_softmax(dim=1)[torch.arange(len(labels)), labels - 1]
    return -(goals * own + (1 - goals) * (1 - own.exp()).clamp(min=1e-9).log()).mean(dim=(1, 2)).sum()


def wrong_sum_of_pixels(logits, labels, goals):
    return right_vectorised(logits, labels, goals) * goals[0].numel() if len(labels) else torch.zeros(())


def wrong_mean_of_regions(logits, labels, goals):
    return right_vectorised(logits, labels, goals) / max(1, len(labels))


def wrong_mean_of_all(logits, labels, goals):
    return F.binary_cross_entropy_with_logits(logits[torch.arange(len(labels)), labels - 1], goals)


def wrong_inside_only(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1]
    return -(goals * F.logsigmoid(own)).mean(dim=(1, 2)).sum()


def wrong_goals_turned(logits, labels, goals):
    return right_vectorised(logits, labels, 1 - goals)


def wrong_sign(logits, labels, goals):
    return -right_vectorised(logits, labels, goals)


def wrong_infinite(logits, labels, goals):
    p = logits[torch.arange(len(labels)), labels - 1].sigmoid()
    return -(goals * p.log() + (1 - goals) * (1 - p).log()).mean(dim=(1, 2)).sum()


def wrong_cut_off(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1].sigmoid()
    return F.binary_cross_entropy(own, goals, reduction="none").mean(dim=(1, 2)).sum()


def wrong_logits_as_probabilities(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1].clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(own, goals, reduction="none").mean(dim=(1, 2)).sum()


def wrong_squared_error(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1].sigmoid()
    return ((own - goals) ** 2).mean(dim=(1, 2)).sum()


def wrong_no_region(logits, labels, goals):
    costs = [F.binary_cross_entropy_with_logits(logits[r, labels[r] - 1], goals[r]) for r in range(len(labels))]
    return torch.stack(costs).sum()


def wrong_one_per_region(logits, labels, goals):
    own = logits[torch.arange(len(labels)), labels - 1]
    return (F.softplus(own) - goals * own).mean(dim=(1, 2))


def wrong_spoils_labels(logits, labels, goals):
    loss = right_vectorised(logits, labels, goals)
    labels -= 1
    return loss
