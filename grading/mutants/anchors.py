import torch


def right_vectorised(x, y, sides, ratios):
    root = torch.tensor(ratios, dtype=torch.double).sqrt()[:, None]
    half = torch.tensor(sides, dtype=torch.double) / 2
    height, width = (half * root).flatten(), (half / root).flatten()
    return torch.stack([x - width, y - height, x + width, y + height], dim=1)


def right_loop(x, y, sides, ratios):
    boxes = []
    for ratio in ratios:
        for side in sides:
            width = (side**2 / ratio) ** 0.5
            height = width * ratio
            boxes.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    return boxes


def right_single_precision(x, y, sides, ratios):
    return torch.tensor(right_loop(x, y, sides, ratios), dtype=torch.float32)


def wrong_corner(x, y, sides, ratios):
    boxes = right_vectorised(x, y, sides, ratios)
    return boxes + (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) / 2


def wrong_ratio_turned(x, y, sides, ratios):
    return right_vectorised(x, y, sides, [1 / ratio for ratio in ratios])


def wrong_without_root(x, y, sides, ratios):
    return right_vectorised(x, y, sides, [ratio**2 for ratio in ratios])


def wrong_side_is_the_width(x, y, sides, ratios):
    return [[x - s / 2, y - s * r / 2, x + s / 2, y + s * r / 2] for r in ratios for s in sides]


def wrong_for_each_side_all_ratios(x, y, sides, ratios):
    boxes = right_vectorised(x, y, sides, ratios)
    return boxes.reshape(len(ratios), len(sides), 4).transpose(0, 1).reshape(-1, 4)


def wrong_sorted(x, y, sides, ratios):
    return right_vectorised(x, y, sorted(sides), sorted(ratios))


def wrong_sorts_the_input(x, y, sides, ratios):
    boxes = right_vectorised(x, y, sides, ratios)
    sides.sort()
    return boxes


def wrong_whole_side(x, y, sides, ratios):
    return right_vectorised(x, y, [2 * side for side in sides], ratios)


def wrong_rounded(x, y, sides, ratios):
    return right_vectorised(x, y, sides, ratios).round()


def wrong_about_the_origin(x, y, sides, ratios):
    return right_vectorised(0.0, 0.0, sides, ratios)


def wrong_x_and_y_swapped(x, y, sides, ratios):
    return right_vectorised(y, x, sides, ratios)


def wrong_center_and_size(x, y, sides, ratios):
    boxes = right_vectorised(x, y, sides, ratios)
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def wrong_plus_one(x, y, sides, ratios):
    boxes = right_vectorised(x, y, sides, ratios)
    return torch.cat([boxes[:, :2], boxes[:, 2:] - 1], dim=1)
