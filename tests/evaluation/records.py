"""Small records of ground truth and results, by hand and by hypothesis."""

import torch
from hypothesis import strategies as st

from lecture_lib.structures import Detections, Proposals, Target

SIZE = (20, 20)
CLASSES = 3


def make_target(*rows, size=SIZE, masks=None):
    """Rows of (x1, y1, x2, y2, label, difficult)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Target(table[:, :4], table[:, 4].long(), table[:, 5].bool(), masks, size)


def make_detections(*rows, size=SIZE, masks=None):
    """Rows of (x1, y1, x2, y2, label, score)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].long(), table[:, 5], torch.arange(len(table)), masks, size)


def make_proposals(*boxes, size=SIZE):
    return Proposals(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), None, size)


NOTHING, NO_OBJECT = make_detections(), make_target()
A, B = (0, 0, 10, 10), (10, 10, 20, 20)
NO_PROPOSAL = make_proposals()


def corner(low, high):
    return st.integers(low, high)


@st.composite
def boxes(draw, smallest=1):
    x1, y1 = draw(corner(0, 6)), draw(corner(0, 6))
    return x1, y1, x1 + draw(corner(smallest, 4)), y1 + draw(corner(smallest, 4))


def images(score, difficult):
    """An image's objects and detections: few places, few scores, so that ties and halves are common."""
    label = st.integers(1, CLASSES)
    objects = st.lists(st.tuples(boxes(), label, difficult), max_size=5)
    found = st.lists(st.tuples(boxes(smallest=0), label, score), max_size=8)
    return st.lists(st.tuples(objects, found), max_size=4)


def records(drawn):
    detections = [make_detections(*[(*box, label, score) for box, label, score in found]) for _, found in drawn]
    targets = [make_target(*[(*box, label, difficult) for box, label, difficult in objects]) for objects, _ in drawn]
    return detections, targets
