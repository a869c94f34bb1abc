"""FilterBar: the line that `/` opens: text or /regex/; Enter keeps it, Escape drops it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

MAX_TEXT = 200


class FilterBar(Input):
    """Not there until it is opened; tells what is typed as it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Drop the filter", show=False),
    ]

    class Wanted(Message):
        """This is to be looked for; `is_done` when the typing is over."""

        def __init__(self, text: str, *, is_done: bool) -> None:
            super().__init__()
            self.text = text
            self.is_done = is_done

    def __init__(self) -> None:
        super().__init__(
            placeholder="text, or /regex/   Enter keeps, Esc drops",
            max_length=MAX_TEXT,
            id="filter",
            compact=True,
        )
        self.display = False

    def open(self) -> None:
        self.display = True
        self.focus()

    def keep(self, text: str) -> None:
        """Show the text that is looked for already; nothing if it is ""."""
        with self.prevent(Input.Changed):
            self.value = text
        self.display = bool(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value, is_done=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()

    def action_drop(self) -> None:
        self.value = ""
        self._close()

    def _close(self) -> None:
        self.display = bool(self.value)
        self.post_message(self.Wanted(self.value, is_done=True))
