"""What a figure shows, read back from it."""

from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure


def texts(axes: Axes) -> list[str]:
    """All that is written among the data."""
    return [text.get_text() for text in axes.texts]


def titles(figure: Figure) -> list[str]:
    """The title of each of a figure's axes."""
    return [axes.get_title(loc="left") or axes.get_title(loc="center") for axes in figure.axes]


def boxes_of(axes: Axes, color: str) -> list[tuple[float, ...]]:
    """Corners of the boxes that were drawn in a colour."""
    drawn = [p for p in axes.patches if same_color(p.get_edgecolor()[:3], color)]
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in drawn]
