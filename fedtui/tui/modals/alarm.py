"""Alarm: the newest alarm in full; FingerprintAlert: another key than the pinned one answered."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Button

from fedtui.status import Refused
from fedtui.tui import wording
from fedtui.tui.modals.base import Choice, Modal, Words, lines

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.status import Alarm, Coordinator, NodeStatus
    from fedtui.tui.view import View


def waiting(status: NodeStatus) -> tuple[Alarm, ...]:
    """Alarms that nobody acknowledged, newest first."""
    return tuple(one for one in reversed(status.alarms) if not one.acknowledged)


def in_full(alarm: Alarm) -> Content:
    """All that an alarm says."""
    made = [
        Content.styled(
            f"{wording.day(alarm.at)} {wording.moment(alarm.at)}  {alarm.kind}", "$quiet"
        ),
        Content.styled(alarm.text, "bold $alarm"),
    ]
    if alarm.remedy:
        made.append(Content(alarm.remedy))
    if alarm.detail:
        made.append(Content())
        made += [Content(f"  {line}") for line in alarm.detail]
    return Content("\n").join(made)


class AlarmDetail(Modal[None]):
    """`a` acknowledges and goes to the one before; closed when there is none."""

    heading = "Alarm"
    hints = (("a", "acknowledge"), ("↑ ↓", "scroll"), ("Esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "acknowledge", show=False)]
    follows = True

    def body(self) -> ComposeResult:
        yield Words(id="alarm")

    def on_mount(self) -> None:
        self.query_one("#modal").add_class("alarming")
        self.query_one("#modal-body").focus()

    def shown(self, view: View) -> None:
        alarms = waiting(view.status)
        if not alarms:
            return
        self.query_one("#alarm", Words).show(in_full(alarms[0]))
        self.query_one("#modal").border_subtitle = Content(f"1 of {len(alarms)}")

    async def action_acknowledge(self) -> None:
        alarms = waiting(self.view.status)
        if alarms and not await self.attempt(self.face.controls.acknowledge(alarms[0].id)):
            return
        if len(alarms) <= 1:
            self.end(None)


class FingerprintAlert(Modal[None]):
    """Blocks until the operator stays disconnected, which is all that can be done here."""

    follows = True
    heading = "THE COORDINATOR'S KEY CHANGED"
    hints = (("Enter", "stay disconnected"),)

    def __init__(self, alarm: Alarm) -> None:
        super().__init__()
        self._alarm = alarm
        self._tried = False

    def body(self) -> ComposeResult:
        coordinator = self.view.status.coordinator
        label = coordinator.label if coordinator else "the coordinator"
        yield Words(
            lines((f"{label or 'the coordinator'} presented a DIFFERENT key.", "bold $alarm"))
        )
        if trusted := self._trusted:
            yield Words(
                lines((self._since(), "$quiet"), (f"  {trusted}", "bold $verified")),
                classes="gap",
            )
        yield Words(id="trusted-words")
        told = self._alarm.detail[-1:]
        yield Words(
            lines(
                ("what answered there now", "$quiet"),
                *((f"  {line}", "bold $alarm") for line in told or (self._alarm.text,)),
            )
        )
        yield Words(
            lines(
                "Either it was installed anew, or someone is in between. Nothing was sent.",
                self._alarm.remedy
                or "To accept a new key: a new invite from its operator, or fedtui trust replace.",
            ),
            classes="gap",
        )

    @property
    def _trusted(self) -> str:
        """The key that was pinned when the alarm was raised, which may be another by now."""
        return (
            self._alarm.detail[0].removeprefix("pinned: ") if len(self._alarm.detail) > 1 else ""
        )

    def _still(self, view: View) -> Coordinator | None:
        """The coordinator, if its key is still the one that the alarm is about."""
        coordinator = view.status.coordinator
        if coordinator is not None and coordinator.fingerprint in self._trusted:
            return coordinator
        return None

    def _since(self) -> str:
        coordinator = self._still(self.view)
        if coordinator is None:
            return "the key that you trusted then"
        since = wording.day(coordinator.pinned_at) if coordinator.pinned_at else "before"
        return f"the key that you trust, pinned {since}"

    def choices(self) -> ComposeResult:
        yield Choice("Stay disconnected", id="stay")

    def on_mount(self) -> None:
        self.query_one("#modal").add_class("alarming")
        self.query_one("#stay").focus()
        self.ask_words()

    def shown(self, view: View) -> None:
        coordinator = self._still(view)
        words = " ".join(coordinator.words) if coordinator is not None else ""
        if words in self._trusted:
            words = ""  # said there
        place = self.query_one("#trusted-words", Words)
        place.display = bool(words)
        place.show(Content(f"  {words}"))

    @work
    async def ask_words(self) -> None:
        """The node makes them only when they are looked at; they come with a later status."""
        with suppress(Refused):
            await self.face.controls.words()

    async def action_back(self) -> None:
        """Escape does not pass by."""

    @on(Button.Pressed, "#stay")
    async def stay(self) -> None:
        done = await self.attempt(self.face.controls.acknowledge(self._alarm.id))
        if done or self._tried:  # the node may be away: the second time closes all the same
            self.end(None)
        self._tried = True
