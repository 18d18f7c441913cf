import math

import torch


def corners_of(anchors, deltas):
    size = anchors[:, 2:] - anchors[:, :2]
    center = anchors[:, :2] + size / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].exp() / 2
    return torch.cat([center - half, center + half], dim=1)


def clipped(boxes, image_size):
    height, width = image_size
    return torch.stack([boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)], dim=2).flatten(1)


def right_vectorised(anchors, deltas, image_size):
    return clipped(corners_of(anchors, deltas), image_size)


def right_loop(anchors, deltas, image_size):
    boxes = torch.zeros(len(anchors), 4)
    height, width = image_size
    for i, ((x1, y1, x2, y2), (tx, ty, tw, th)) in enumerate(zip(anchors.tolist(), deltas.tolist(), strict=True)):
        x, y = (x1 + x2) / 2 + tx * (x2 - x1), (y1 + y2) / 2 + ty * (y2 - y1)
        w, h = (x2 - x1) * math.exp(tw), (y2 - y1) * math.exp(th)
        corners = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        for j, most in enumerate((width, height, width, height)):
            boxes[i, j] = min(max(corners[j], 0), most)
    return boxes


def right_double(anchors, deltas, image_size):
    limit = torch.tensor([image_size[1], image_size[0]] * 2).double()
    return torch.minimum(corners_of(anchors.double(), deltas.double()).clamp(min=0), limit)


def wrong_not_clipped(anchors, deltas, image_size):
    return corners_of(anchors, deltas)


def wrong_height_and_width_swapped(anchors, deltas, image_size):
    return clipped(corners_of(anchors, deltas), image_size[::-1])


def wrong_clipped_below_only(anchors, deltas, image_size):
    return corners_of(anchors, deltas).clamp(min=0)


def wrong_first_and_last_corner_alike_only(anchors, deltas, image_size):
    boxes, limit = corners_of(anchors, deltas), torch.tensor([image_size[1], image_size[0]])
    return torch.cat([boxes[:, :2].clamp(min=0), torch.minimum(boxes[:, 2:], limit)], dim=1)


def wrong_clipped_before(anchors, deltas, image_size):
    return right_vectorised(clipped(anchors, image_size), deltas, image_size)


def wrong_last_pixel(anchors, deltas, image_size):
    return clipped(corners_of(anchors, deltas), (image_size[0] - 1, image_size[1] - 1))


def wrong_left_out(anchors, deltas, image_size):
    boxes = right_vectorised(anchors, deltas, image_size)
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]


def wrong_in_pixels(anchors, deltas, image_size):
    size = anchors[:, 2:] - anchors[:, :2]
    return right_vectorised(anchors, torch.cat([deltas[:, :2] / size, deltas[:, 2:]], 1), image_size)


def wrong_x_and_y_swapped(anchors, deltas, image_size):
    return right_vectorised(anchors, deltas[:, [1, 0, 3, 2]], image_size)


def wrong_without_exp(anchors, deltas, image_size):
    return right_vectorised(
        anchors, torch.cat([deltas[:, :2], (1 + deltas[:, 2:]).clamp(min=0.1).log()], 1), image_size
    )


def wrong_corner_stays(anchors, deltas, image_size):
    size = anchors[:, 2:] - anchors[:, :2]
    corner = anchors[:, :2] + deltas[:, :2] * size
    return clipped(torch.cat([corner, corner + size * deltas[:, 2:].exp()], dim=1), image_size)


def wrong_center_and_size(anchors, deltas, image_size):
    boxes = right_vectorised(anchors, deltas, image_size)
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], dim=1)


def wrong_spoils_anchors(anchors, deltas, image_size):
    boxes = right_vectorised(anchors, deltas, image_size)
    anchors[:, :2] += deltas[:, :2] * (anchors[:, 2:] - anchors[:, :2]) + 1
    return boxes
