"""What a visible check said of a wrong answer."""


def rejected(verdict: str, hint: str) -> bool:
    """Whether an answer was turned down, with this hint."""
    return verdict.startswith("Not yet") and hint in verdict
