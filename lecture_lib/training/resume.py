"""The state of a training that was interrupted: saved whole, loaded whole."""

import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol, runtime_checkable

import torch

from lecture_lib.files import replacing

SAVE_EVERY = 20  # steps; an interruption costs at most these


@runtime_checkable
class Stateful(Protocol):
    """A network, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """All that it would need to go on."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Go on from there."""
        ...


class Resumable:
    """Saves the parts of a training to one file now and then, and brings them back.

    path: None for a training that is too short to be saved. settings: what must be the same to go on.
    """

    def __init__(self, path: Path | None, settings: object, **parts: Stateful) -> None:
        self.path, self.settings, self.parts = path, repr(settings), parts

    def restore(self) -> int:
        """Load the parts and return the number of steps that are done, 0 where nothing was saved.

        Raises ValueError if the file is damaged or of a training with other settings.
        """
        if self.path is None or not self.path.is_file():
            return 0
        advice = "Delete it to start this stage again."
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            settings, step = state["settings"], state["step"]
        except (RuntimeError, UnpicklingError, EOFError, OSError, TypeError, KeyError, IndexError) as error:
            raise ValueError(f"{self.path} is no whole training state ({error!r}). {advice}") from error
        if settings != self.settings:
            raise ValueError(f"{self.path} is of a training with other settings, {settings}. {advice}")
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return step

    def save(self, step: int, steps: int) -> None:
        """Save the parts if it is time to; an interruption while writing leaves the previous state."""
        if self.path is None or (step % SAVE_EVERY and step < steps):
            return
        states = {name: part.state_dict() for name, part in self.parts.items()}
        state = io.BytesIO()  # PyTorch's own writer has no word for a full disk
        torch.save({"settings": self.settings, "step": step, **states}, state)
        with replacing(self.path) as beside:
            beside.write_bytes(state.getbuffer())
