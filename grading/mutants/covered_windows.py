import math

import torch


def right_vectorised(boxes, stride):
    scaled = boxes / stride
    return torch.cat([scaled[:, :2].floor() + 1, scaled[:, 2:].ceil() - 1], dim=1).long()


def right_loop(boxes, stride):
    windows = []
    for x1, y1, x2, y2 in boxes.tolist():
        first = [math.floor(x / stride) + 1 for x in (x1, y1)]
        windows.append(first + [math.ceil(x / stride) - 1 for x in (x2, y2)])
    return torch.tensor(windows, dtype=torch.int32).reshape(-1, 4)


def right_centers_inside(boxes, stride):
    windows = torch.zeros(len(boxes), 4, dtype=torch.long)
    for r, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        columns = [i for i in range(int(x2 / stride) + 2) if x1 < i * stride < x2]
        rows = [i for i in range(int(y2 / stride) + 2) if y1 < i * stride < y2]
        windows[r] = torch.tensor([columns[0], rows[0], columns[-1], rows[-1]])
    return windows


def right_floor_division(boxes, stride):
    first, last = boxes[:, :2] // stride + 1, -(-boxes[:, 2:] // stride) - 1
    return torch.hstack([first, last]).to(torch.int64)


def right_unbind(boxes, stride):
    x1, y1, x2, y2 = (boxes.double() / stride).unbind(1)
    return torch.stack([x1.floor() + 1, y1.floor() + 1, x2.ceil() - 1, y2.ceil() - 1], 1).long()


def wrong_rounded(boxes, stride):
    return (boxes / stride).round().long()


def wrong_every_cell_touched(boxes, stride):
    scaled = boxes / stride
    return torch.cat([scaled[:, :2].floor(), scaled[:, 2:].ceil()], dim=1).long()


def wrong_centers_on_the_border(boxes, stride):
    scaled = boxes / stride
    return torch.cat([scaled[:, :2].ceil(), scaled[:, 2:].floor()], dim=1).long()


def wrong_left_border_inside(boxes, stride):
    scaled = boxes / stride
    return torch.cat([scaled[:, :2].ceil(), scaled[:, 2:].ceil() - 1], dim=1).long()


def wrong_end_not_included(boxes, stride):
    scaled = boxes / stride
    return torch.cat([scaled[:, :2].floor() + 1, scaled[:, 2:].ceil()], dim=1).long()


def wrong_one_rule_for_x_another_for_y(boxes, stride):
    scaled = boxes / stride
    window = torch.empty_like(scaled)
    window[:, 0::2], window[:, 1::2] = scaled[:, 0::2].floor() + 1, scaled[:, 1::2].ceil() - 1
    return window.long()


def wrong_one_rule_for_all(boxes, stride):
    return (boxes / stride).floor().long() + 1


def wrong_stride_of_16(boxes, stride):
    return right_vectorised(boxes, 16.0)


def wrong_whole_stride(boxes, stride):
    return right_vectorised(boxes, int(stride))


def wrong_multiplied(boxes, stride):
    return right_vectorised(boxes, 1 / stride)


def wrong_floats(boxes, stride):
    return right_vectorised(boxes, stride).float()


def wrong_yx_order(boxes, stride):
    return right_vectorised(boxes, stride)[:, [1, 0, 3, 2]]


def wrong_width_and_height(boxes, stride):
    window = right_vectorised(boxes, stride)
    return torch.cat([window[:, :2], window[:, 2:] - window[:, :2] + 1], dim=1)


def wrong_first_box_only(boxes, stride):
    return right_vectorised(boxes[:1], stride)


def wrong_whole_pixels(boxes, stride):
    scaled = boxes.long() / stride
    return torch.cat([scaled[:, :2].floor() + 1, scaled[:, 2:].ceil() - 1], dim=1).long()


def wrong_empty(boxes, stride):
    return torch.stack([right_vectorised(box[None], stride)[0] for box in boxes])


def wrong_in_place(boxes, stride):
    boxes /= stride
    return right_vectorised(boxes, 1.0)
