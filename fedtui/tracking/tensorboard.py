"""TensorBoard: event files in the folder, for `tensorboard --logdir FOLDER`.

A run that goes on adds a file; TensorBoard shows the files of a folder as one run.
"""

import math
from pathlib import Path
from typing import Any

from fedtui.tracking.base import TrackingError, package


class TensorBoard:
    """Writes scalars, the round being their step."""

    def __init__(self, folder: str, uri: str = "") -> None:
        """Write to `folder`; a server is not asked. TrackingError if tensorboardX is missing."""
        if uri:
            raise ValueError("uri is not for TensorBoard, which reads a folder: leave it empty")
        self._folder = Path(folder)
        self._module = package("tensorboardX", "tensorboard")
        self._writer: Any = None

    def begin(self, name: str, about: dict[str, str]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = self._module.SummaryWriter(logdir=str(self._folder))
            rows = "".join(f"| {_cell(key)} | {_cell(text)} |\n" for key, text in about.items())
            self._writer.add_text(_cell(name), f"| | |\n|---|---|\n{rows}", 0)
            self._writer.flush()
        except OSError as error:
            raise TrackingError(f"{self._folder}: cannot be written: {error.strerror}") from error

    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        for name, value in figures.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, number, walltime=at)
        self._writer.flush()

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _cell(text: str) -> str:
    """In a table of Markdown a bar or a line's end would begin another cell."""
    return text.replace("|", "\\|").replace("\n", " ")


build = TensorBoard
