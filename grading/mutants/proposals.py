import torch


def overlap_of(a, b):
    sides = torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    shared = sides.clamp(min=0).prod(2)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - shared
    return torch.where(union > 0, shared / union, 0.0)


def corners_of(anchors, deltas):
    size = anchors[:, 2:] - anchors[:, :2]
    center = anchors[:, :2] + size / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].exp() / 2
    return torch.cat([center - half, center + half], dim=1)


def clipped(boxes, image_size):
    height, width = image_size
    return torch.stack([boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)], dim=2).flatten(1)


def suppressed(boxes, scores, threshold=0.7):
    rest, kept = scores.sort(descending=True, stable=True).indices, []
    while len(rest):
        kept.append(rest[0].item())
        rest = rest[1:][overlap_of(boxes[rest[:1]], boxes[rest[1:]])[0] <= threshold]
    return kept


def move_anchors(anchors, deltas, image_size):
    return clipped(corners_of(anchors, deltas), image_size)


def rows_kept(boxes, scores, threshold):
    return torch.tensor(suppressed(boxes, scores, threshold), dtype=torch.long)


def large(boxes, smallest):
    return (boxes[:, 2:] - boxes[:, :2] >= smallest).all(1)


def chosen(boxes, scores, smallest, count, threshold=0.7):
    fine = large(boxes, smallest)
    return boxes[fine][suppressed(boxes[fine], scores[fine], threshold)[:count]]


def right_in_steps(anchors, deltas, scores, image_size, smallest, count):
    return chosen(clipped(corners_of(anchors, deltas), image_size), scores, smallest, count)


def right_loop(anchors, deltas, scores, image_size, smallest, count):
    found = []
    boxes = clipped(corners_of(anchors, deltas), image_size)
    for row in sorted(range(len(scores)), key=lambda i: -scores[i].item()):
        box = boxes[row]
        if box[2] - box[0] < smallest or box[3] - box[1] < smallest:
            continue
        if all(overlap_of(box[None], other[None]).item() <= 0.7 for other in found):
            found.append(box)
    return torch.stack(found[:count]) if found else torch.zeros(0, 4)


def right_with_given_functions(anchors, deltas, scores, image_size, smallest, count):
    boxes = move_anchors(anchors, deltas, image_size)
    order = scores.sort(descending=True, stable=True).indices
    order = order[large(boxes[order], smallest)]
    return boxes[order][rows_kept(boxes[order], scores[order], 0.7)][:count].double()


def wrong_not_moved(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, 0 * deltas, scores, image_size, smallest, count)


def wrong_moved_last(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(anchors, image_size)
    rows = large(boxes, smallest).nonzero().flatten()
    rows = rows[suppressed(boxes[rows], scores[rows])][:count]
    return clipped(corners_of(anchors[rows], deltas[rows]), image_size)


def wrong_not_clipped(anchors, deltas, scores, image_size, smallest, count):
    return chosen(corners_of(anchors, deltas), scores, smallest, count)


def wrong_clipped_last(anchors, deltas, scores, image_size, smallest, count):
    return clipped(chosen(corners_of(anchors, deltas), scores, smallest, count), image_size)


def wrong_height_and_width_swapped(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, scores, image_size[::-1], smallest, count)


def wrong_small_ones_stay(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, scores, image_size, 1e-6, count)


def wrong_small_in_both_sides(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(corners_of(anchors, deltas), image_size)
    fine = (boxes[:, 2:] - boxes[:, :2] >= smallest).any(1)
    return boxes[fine][suppressed(boxes[fine], scores[fine])[:count]]


def wrong_small_area(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(corners_of(anchors, deltas), image_size)
    fine = (boxes[:, 2:] - boxes[:, :2]).prod(1) >= smallest**2
    return boxes[fine][suppressed(boxes[fine], scores[fine])[:count]]


def wrong_exactly_smallest_is_out(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, scores, image_size, smallest + 1e-4, count)


def wrong_small_out_after_suppression(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(corners_of(anchors, deltas), image_size)
    found = boxes[suppressed(boxes, scores)]
    return found[large(found, smallest)][:count]


def wrong_count_first(anchors, deltas, scores, image_size, smallest, count):
    best = scores.sort(descending=True, stable=True).indices[:count]
    return right_in_steps(anchors[best], deltas[best], scores[best], image_size, smallest, count)


def wrong_count_ignored(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, scores, image_size, smallest, len(scores))


def wrong_by_row(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, -torch.arange(len(scores)).float(), image_size, smallest, count)


def wrong_worst_first(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors, deltas, -scores, image_size, smallest, count)


def wrong_last_of_ties(anchors, deltas, scores, image_size, smallest, count):
    return right_in_steps(anchors.flip(0), deltas.flip(0), scores.flip(0), image_size, smallest, count)


def wrong_positive_logits_only(anchors, deltas, scores, image_size, smallest, count):
    fine = scores > 0
    return right_in_steps(anchors[fine], deltas[fine], scores[fine], image_size, smallest, count)


def wrong_threshold_of_a_detector(anchors, deltas, scores, image_size, smallest, count):
    return chosen(clipped(corners_of(anchors, deltas), image_size), scores, smallest, count, 0.5)


def wrong_no_suppression(anchors, deltas, scores, image_size, smallest, count):
    return chosen(clipped(corners_of(anchors, deltas), image_size), scores, smallest, count, 1.0)


def wrong_rejected_ones_reject(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(corners_of(anchors, deltas), image_size)
    fine = large(boxes, smallest)
    best = boxes[fine][scores[fine].sort(descending=True, stable=True).indices]
    return best[(overlap_of(best, best).tril(-1) <= 0.7).all(1)][:count]


def wrong_rows(anchors, deltas, scores, image_size, smallest, count):
    boxes = clipped(corners_of(anchors, deltas), image_size)
    rows = large(boxes, smallest).nonzero().flatten()
    return rows[suppressed(boxes[rows], scores[rows])[:count]]


def wrong_empty(anchors, deltas, scores, image_size, smallest, count):
    return torch.stack(list(right_in_steps(anchors, deltas, scores, image_size, smallest, count)))


def wrong_spoils_scores(anchors, deltas, scores, image_size, smallest, count):
    found = right_in_steps(anchors, deltas, scores, image_size, smallest, count)
    scores.sigmoid_()
    return found
