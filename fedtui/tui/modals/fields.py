"""Fields of forms in one line each: a choice among a few words, or a text; with their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input, Static

from fedtui.tui.modals.base import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Click
    from textual.widget import Widget


class Tick(Checkbox):
    """A box with a cross or without: a shape, not only a colour."""

    def __init__(self, label: str, *, id: str) -> None:  # noqa: A002
        super().__init__(Content(label), id=id, compact=True)
        self.BUTTON_INNER = " "

    def watch_value(self) -> None:
        """Also when it is toggled."""
        self.BUTTON_INNER = "X" if self.value else " "
        super().watch_value()


class Pick(Static, can_focus=True):
    """One of a few words in a line, as in `25 [50] 75 100`; arrows, h and l choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l", "step(1)", show=False),
        Binding("enter", "keep", show=False),
    ]

    class Kept(Message):
        """Enter: the form is as it should be."""

    class Picked(Message):
        """Another word was chosen."""

        def __init__(self, pick: Pick) -> None:
            super().__init__()
            self.pick = pick

        @property
        def control(self) -> Pick:
            return self.pick

    def __init__(self, options: Sequence[str], value: str, *, id: str) -> None:  # noqa: A002
        super().__init__("", id=id, markup=False)
        self.options = [*options] if value in options else [value, *options]
        self.value = value

    def on_mount(self) -> None:
        self._draw()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._draw()

    def action_step(self, by: int) -> None:
        place = self.options.index(self.value) + by
        self.choose(self.options[max(0, min(place, len(self.options) - 1))])

    def action_keep(self) -> None:
        self.post_message(self.Kept())

    def choose(self, value: str) -> None:
        """Have this one of the options."""
        if value != self.value:
            self.value = value
            self._draw()
            self.post_message(self.Picked(self))

    @property
    def shown(self) -> Sequence[str]:
        """The options that are drawn."""
        return self.options

    def on_click(self, event: Click) -> None:
        place = 0
        for option in self.shown:
            place += len(option) + 3
            if event.x < place:
                self.choose(option)
                return

    def _draw(self) -> None:
        style = "bold reverse" if self.has_focus else "bold $accent"
        parts: list[str | tuple[str, str]] = []
        for option in self.shown:
            chosen = option == self.value
            parts += [(f"[{option}]", style) if chosen else f" {option} ", " "]
        self.update(Content.assemble(*parts))


class LongPick(Pick):
    """More words than there may be room for: the first ones go until the chosen one is seen."""

    def on_resize(self) -> None:
        self._draw()

    @property
    def shown(self) -> Sequence[str]:
        before = self.options.index(self.value) + 1
        first = 0
        while sum(len(one) + 3 for one in self.options[first:before]) > max(1, self.size.width):
            first += 1
        return self.options[min(first, before - 1) :]


class Line(Input):
    """A text in one line."""

    def __init__(self, value: str = "", *, id: str, hint: str = "", secret: bool = False) -> None:  # noqa: A002
        super().__init__(
            value,
            placeholder=hint,
            id=id,
            compact=True,
            password=secret,
            select_on_focus=False,
        )


class Field(Horizontal):
    """A name, a field, and a few words after it."""

    def __init__(self, name: str, field: Widget, unit: str = "") -> None:
        super().__init__(classes="field")
        self._title, self._field, self._unit = name, field, unit

    def compose(self) -> ComposeResult:
        yield Words(self._title, classes="field-name")
        yield self._field
        if self._unit:
            yield Words(self._unit, classes="field-unit")
