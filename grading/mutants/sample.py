import random

import torch


def _candidates(labels):
    return (labels > 0).nonzero().flatten(), (labels == 0).nonzero().flatten()


def _draw(rows, count, generator):
    return rows[torch.randperm(len(rows), generator=generator)[:count]]


def right_vectorised(labels, size, objects, generator):
    foreground, background = _candidates(labels)
    foreground = _draw(foreground, objects, generator)
    return torch.cat([foreground, _draw(background, size - len(foreground), generator)])


def right_loop(labels, size, objects, generator):
    found, rest = [], []
    for row in torch.randperm(len(labels), generator=generator).tolist():
        if labels[row] > 0 and len(found) < objects:
            found.append(row)
    for row in torch.randperm(len(labels), generator=generator).tolist():
        if labels[row] == 0 and len(rest) < size - len(found):
            rest.append(row)
    return rest + found


def right_python_random(labels, size, objects, generator):
    draw = random.Random(generator.initial_seed())
    foreground, background = ([i for i, label in enumerate(labels.tolist()) if wanted(label)] for wanted in _WANTED)
    chosen = draw.sample(foreground, min(objects, len(foreground)))
    return chosen + draw.sample(background, min(size - len(chosen), len(background)))


_WANTED = (lambda label: label > 0, lambda label: label == 0)


def right_other_dtype(labels, size, objects, generator):
    return right_vectorised(labels, size, objects, generator).to(torch.int32)


def wrong_first_rows(labels, size, objects, generator):
    foreground, background = _candidates(labels)
    return torch.cat([foreground[:objects], background[: size - min(objects, len(foreground))]])


def wrong_with_replacement(labels, size, objects, generator):
    rows = []
    foreground, background = _candidates(labels)
    count = min(objects, len(foreground))
    for among, n in ((foreground, count), (background, min(size - count, len(background)))):
        rows.append(among[torch.randint(0, max(len(among), 1), (n,), generator=generator)])
    return torch.cat(rows)


def wrong_not_filled_up(labels, size, objects, generator):
    foreground, background = _candidates(labels)
    return torch.cat([_draw(foreground, objects, generator), _draw(background, size - objects, generator)])


def wrong_ignored_as_background(labels, size, objects, generator):
    return right_vectorised(labels.clamp(min=0), size, objects, generator)


def wrong_swapped_shares(labels, size, objects, generator):
    return right_vectorised(labels, size, size - objects, generator)


def wrong_always_32_to_96(labels, size, objects, generator):
    return right_vectorised(labels, 128, 32, generator)


def wrong_labels_instead_of_rows(labels, size, objects, generator):
    return labels[right_vectorised(labels, size, objects, generator)]


def wrong_class_one_only(labels, size, objects, generator):
    return right_vectorised(torch.where(labels > 1, -1, labels), size, objects, generator)


def wrong_mask(labels, size, objects, generator):
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[right_vectorised(labels, size, objects, generator)] = True
    return mask


def wrong_repeats_to_fill(labels, size, objects, generator):
    rows = right_vectorised(labels, size, objects, generator)
    return rows.repeat(size // max(len(rows), 1) + 1)[:size]


def wrong_objects_fill_up_too(labels, size, objects, generator):
    foreground, background = _candidates(labels)
    background = _draw(background, size - objects, generator)
    return torch.cat([_draw(foreground, size - len(background), generator), background])
