"""Letters can be read on the colours of the course."""

import pytest

from lecture_lib.plotting.style import CYCLE, DARK, GRID, INK, LEGIBLE, MUTED, PAPER, as_text, contrast, ink_on


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)  # WebAIM's contrast checker
    assert contrast(INK, INK) == 1


@pytest.mark.parametrize("color", CYCLE)
def test_letters_on_a_colour_and_in_a_colour_are_legible(color):
    assert contrast(ink_on(color), color) >= LEGIBLE
    assert contrast(as_text(color), PAPER) >= LEGIBLE


def test_a_colour_that_is_legible_stays_as_it_is():
    assert as_text(CYCLE[0]) == CYCLE[0]


@pytest.mark.parametrize(
    ("letters", "ground"),
    [(MUTED, PAPER), (MUTED, GRID), (DARK["ink"], DARK["paper"]), (DARK["muted"], DARK["paper"])],
)
def test_the_greys_are_legible(letters, ground):
    assert contrast(letters, ground) >= LEGIBLE
