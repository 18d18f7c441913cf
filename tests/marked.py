"""Pages of which some parts are computed: each lies between `<!-- table: NAME -->` and `<!-- end -->`."""

import re
from collections.abc import Mapping


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The page's text with each of its parts made anew; AssertionError where a part has not one place."""
    for name, part in parts.items():
        pattern = rf"(<!-- table: {name} -->).*?(<!-- end -->)"
        text, found = re.subn(pattern, lambda match, part=part: f"{match[1]}\n{part}\n{match[2]}", text, flags=re.S)
        assert found == 1, f"one pair of markers is needed for the table {name!r}"
    return text
