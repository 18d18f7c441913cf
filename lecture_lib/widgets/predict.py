"""Predict, then reveal: a guess that the reader commits to before a number is shown."""

from collections.abc import Callable
from html import escape

from lecture_lib.widgets.frame import BrowserWidget, Data


class Predict(BrowserWidget):
    """A question, a field for the guess, and a button that shows the answer and compares the two.

    `answer` is a number, or a function that is called once, now: the page has to know the answer without a kernel.
    Raises `ValueError` for an answer that is no finite number.
    """

    def __init__(self, question: str, answer: float | int | Callable[[], float | int], unit: str = "") -> None:
        truth = answer() if callable(answer) else answer
        try:
            truth = float(truth)
        except (TypeError, ValueError):
            raise ValueError(f"Predict: the answer has to be a number, got {truth!r}") from None
        if truth - truth != 0:
            raise ValueError(f"Predict: the answer has to be a finite number, got {truth}")
        shown = f"{truth:,.0f}" if abs(truth) >= 1000 else f"{truth:.3g}"
        still = f"<details><summary>Predict first. {escape(question)}</summary>{shown} {escape(unit)}</details>"
        inputs = {"question": question, "answer": truth, "unit": unit}
        super().__init__("predict", "Predict first", Data(inputs), {"guess": None, "revealed": False}, lambda: still)
