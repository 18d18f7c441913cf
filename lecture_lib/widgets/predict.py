"""Predict, then reveal: a guess that the reader commits to before a number is shown."""

from collections.abc import Callable
from html import escape

import ipywidgets

from lecture_lib.plotting.style import BLUE, INK


class Predict(ipywidgets.VBox):
    """A question, a field for the guess, and a button that computes the answer and compares the two.

    `answer` is a number, or a function that computes it when the button is pressed.
    """

    def __init__(self, question: str, answer: float | int | Callable[[], float | int], unit: str = "") -> None:
        self._answer, self._unit = answer, unit
        self.guess = ipywidgets.FloatText(value=0, description="My guess", layout={"width": "230px"})
        self.button = ipywidgets.Button(description="Reveal", button_style="primary")
        self.button.on_click(lambda button: self._reveal())
        self.result = ipywidgets.HTML()
        asked = ipywidgets.HTML(f'<b style="color:{INK}">Predict first. {escape(question)}</b>')
        super().__init__([asked, ipywidgets.HBox([self.guess, self.button, self.result])])

    def _reveal(self) -> None:
        truth = float(self._answer() if callable(self._answer) else self._answer)
        self.result.value = f'<b style="color:{BLUE}">{_number(truth)} {escape(self._unit)}</b> {self._verdict(truth)}'

    def _verdict(self, truth: float) -> str:
        guess = self.guess.value
        if guess == truth:
            return "&mdash; exactly."
        if guess * truth <= 0:
            return ""
        ratio = max(guess / truth, truth / guess)
        return f"&mdash; your guess is {_number(ratio)} times too {'high' if abs(guess) > abs(truth) else 'low'}."


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
