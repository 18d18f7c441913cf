import pytest

from tests.browser.lab import NEEDS_BROWSER

pytestmark = NEEDS_BROWSER


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0"), (89, "89"), (114_432, "114 k"), (999_000, "999 k"), (6_670_336, "6.67 M")]
)
def test_counts_have_a_unit_that_fits(javascript, count, said):
    assert javascript("truncated_svd")("count => script.short(count)", count) == said
