"""Small records of ground truth and results, by hand and by hypothesis."""

import torch
from hypothesis import strategies as st

from lecture_lib.structures import Detections, Proposals, Target

SIZE = (20, 20)
CLASSES = 2


def make_target(*rows, size=SIZE, masks=None):
    """Rows of (x1, y1, x2, y2, label, difficult)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Target(table[:, :4], table[:, 4].long(), table[:, 5].bool(), masks, size)


def make_detections(*rows, size=SIZE, masks=None):
    """Rows of (x1, y1, x2, y2, label, score)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].long(), table[:, 5], torch.arange(len(table)), masks, size)


def make_proposals(*boxes):
    return Proposals(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), None, SIZE)


NOTHING, NO_OBJECT = make_detections(), make_target()
A, B = (0, 0, 10, 10), (10, 10, 20, 20)
NO_PROPOSAL = make_proposals()


@st.composite
def boxes(draw, smallest=1):
    """Whole pixels and few places, so that ties and halves are common."""
    x1, y1 = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    return x1, y1, x1 + draw(st.integers(smallest, 4)), y1 + draw(st.integers(smallest, 4))


@st.composite
def images(draw, score, difficult):
    """Images as pairs (objects, detections); about half of the detections lie exactly on a possible object."""
    places = st.sampled_from(draw(st.lists(boxes(), min_size=1, max_size=4)))
    label = st.integers(1, CLASSES)
    objects = st.lists(st.tuples(places, label, difficult), max_size=4)
    found = st.lists(st.tuples(places | boxes(smallest=0), label, score), max_size=8)
    return draw(st.lists(st.tuples(objects, found), max_size=3))


def records(drawn):
    detections = [make_detections(*[(*box, label, score) for box, label, score in found]) for _, found in drawn]
    targets = [make_target(*[(*box, label, difficult) for box, label, difficult in objects]) for objects, _ in drawn]
    return detections, targets
