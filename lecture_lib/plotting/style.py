"""One palette and one look for every figure and widget of the course.

The colours keep their distance under the common colour-vision deficiencies (they are Okabe and Ito's, deepened for
white paper), and a meaning keeps its colour from the first notebook to the last.
"""

from functools import partial

import matplotlib as mpl
from matplotlib.axes import Axes

INK, MUTED, GRID, PAPER = "#1b2330", "#5d6672", "#e4e7eb", "#ffffff"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BROWN = (
    "#0b6bb3",
    "#e8890c",
    "#008562",
    "#cb4054",
    "#8a5cc2",
    "#4fb3e8",
    "#e3c000",
    "#8c6a4f",
)
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BROWN)

DARK = {"ink": "#e6e9ee", "muted": "#98a2b0", "grid": "#2b323d", "paper": "#14181f"}  # of widgets on a dark page

LEGIBLE = 4.5  # contrast of letters with their ground (WCAG 2.1, AA)

GROUND_TRUTH, PROPOSAL, DETECTION = GREEN, SKY, ORANGE
POSITIVE, NEGATIVE, IGNORED = BLUE, RED, MUTED

_RC = {
    "figure.dpi": 110,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 2.2,
    "lines.markersize": 6,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


def use_style() -> None:
    """Give every figure drawn from now on the look of the course; in a notebook, at twice the resolution."""
    mpl.rcParams.update(_RC)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
    except (ImportError, AttributeError):  # outside IPython there is no inline backend to set up
        pass


def class_color(label: int) -> str:
    """The colour of foreground class 1..K, repeating after eight."""
    return CYCLE[(label - 1) % len(CYCLE)]


def contrast(color: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.1)."""
    darker, lighter = sorted((_luminance(color), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(ground: str) -> str:
    """The colour of letters on a coloured ground."""
    return max(INK, PAPER, key=partial(contrast, ground))


def as_text(color: str) -> str:
    """A colour for letters on paper: darker where it would be too pale to read."""
    while contrast(color, PAPER) < LEGIBLE:
        color = mpl.colors.to_hex([0.96 * c for c in mpl.colors.to_rgb(color)])
    return color


def label_line(axes: Axes, text: str, color: str, x: float, y: float) -> None:
    """Write a series' name beside its last point, instead of a legend that has to be matched by colour."""
    axes.annotate(
        text, (x, y), xytext=(6, 0), textcoords="offset points", color=as_text(color), va="center", weight="bold"
    )


def say(text: str) -> None:
    """Show a sentence with computed numbers in it, as Markdown."""
    from IPython.display import Markdown, display

    display(Markdown(text))
