import pytest

from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER


@pytest.mark.parametrize("value", [0, 1, -3, 0.5, 2 / 3, 0.0123456, 12.345, 999.4, 1000, -12345.6])
def test_numbers_are_as_in_the_figures(javascript, value):
    wanted = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    assert javascript("predict")("v => script.short(v)", value) == wanted


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        (200, "exactly"),
        (400, "2 times too high"),
        (50, "4 times too low"),
        (127, "1.6 times too low"),
        (190, "close"),
        (215, "close"),
        (-5, ""),
        (0, ""),
    ],
)
def test_verdicts(javascript, guess, said):
    got = javascript("predict")("([guess, truth]) => script.verdict(guess, truth)", [guess, 200])
    assert said in got
    assert bool(said) == bool(got)
