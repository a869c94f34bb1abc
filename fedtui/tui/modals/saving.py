"""Saving: writes an export where the operator says; never over a file, readable by them only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.widgets import Button, Input

from fedtui.tui.harmless import path_like
from fedtui.tui.modals.base import Choice, Modal, Words
from fedtui.tui.modals.fields import Line

if TYPE_CHECKING:
    from textual.app import ComposeResult


def write_new(path: Path, text: str) -> None:
    """Write a file of mode 0600. Raises FileExistsError if there is one, OSError, ValueError.

    A leading `~` is the operator's home.
    """
    handle = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)


class SaveAs(Modal[Path]):
    """Asks where to; dismissed with the path that was written."""

    hints = (("Enter", "save"), ("Esc", "cancel"))

    def __init__(self, what: str, path: Path, text: str) -> None:
        super().__init__()
        self.heading = f"Save {what}"
        self._path, self._text = path, text

    def body(self) -> ComposeResult:
        yield Words("File, readable by you only:", classes="quiet")
        yield Line(str(self._path), id="path")

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice("Save", id="save")

    def on_mount(self) -> None:
        self.query_one(Line).focus()

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.end(None)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    async def save(self) -> None:
        path = Path(self.query_one(Line).value.strip())
        try:
            await asyncio.to_thread(write_new, path, self._text)
        except FileExistsError:
            self.refuse(f"{path_like(str(path))} exists already", "choose another name")
        except (OSError, ValueError, RuntimeError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.refuse(f"cannot write {path_like(str(path))}: {why}", "choose another folder")
        else:
            self.end(path)
            self.face.say(f"saved {path_like(str(path))}")
