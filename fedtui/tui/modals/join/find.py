"""Step 1: coordinators that announced themselves; an invite; an address. Names prove nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from fedtui.tui import wording
from fedtui.tui.harmless import harmless
from fedtui.tui.modals.base import Words, lines
from fedtui.tui.modals.fields import Field, Line
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.stepview import StepView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import Paste

    from fedtui.status import FoundCoordinator
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View

NOTHING = (
    "Nothing found? Multicast may be blocked on this network. Ask the coordinator's operator for "
    "an invite, or type its address: HOST:PORT."
)


def line_of(found: FoundCoordinator, glyphs: Glyphs) -> Content:
    """One announced coordinator: sign, name, federation, address, standing."""
    sign, style, words = glyphs.live, "$phase-now", "new"
    if found.standing == "known":
        since = f" since {wording.day(found.known_since)}" if found.known_since else ""
        sign, style = glyphs.info, "$quiet"  # an announcement proves nothing: no tick
        words = f"says it is one you know{since}"
    elif found.standing == "same name, other key":
        sign, style, words = glyphs.warn, "bold $alarm", "SAME NAME, OTHER KEY"
    version = f"v{harmless(found.version, 12)} " if found.version else ""
    return Content.assemble(
        (f"{sign} ", style),
        (f"{harmless(found.name, 40)} ", "bold"),
        f"{harmless(found.federation, 40)}  {harmless(found.address, 60)}  ",
        (version, "$quiet"),
        (words, style),
    )


class InviteLine(Line):
    """An invite: a secret, so it is not shown; mails break it into lines, so those are joined."""

    def __init__(self) -> None:
        super().__init__(id="invite", hint="paste it here", secret=True)

    def _on_paste(self, event: Paste) -> None:
        event.prevent_default()
        event.stop()
        self.value = "".join(event.text.split())


class Find(StepView):
    """Lists, and takes what the operator has in hand."""

    heading = "1/6 Find a coordinator"
    hints = (
        ("Enter", "choose"),
        ("o", "invite file"),
        ("c", "clipboard"),
        ("d", "address"),
        ("r", "look again"),
        ("Esc", "close"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[FoundCoordinator, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Words(id="looked", classes="quiet")
        yield OptionList(id="found", markup=False, compact=True)
        yield Words(NOTHING, id="nothing", classes="quiet")
        yield Words(classes="gap")
        yield Field("invite", InviteLine(), "Enter")
        yield Field("address", Line(id="address", hint="192.168.1.20:8443"), "Enter")

    def begin(self) -> None:
        self.query_one("#found").focus()

    def show(self, wizard: Wizard, view: View) -> None:
        looked = "Coordinators on this network"
        if wizard.looked_at is not None:
            looked += f" (looked {wording.span(max(0.0, view.now - wizard.looked_at))} ago)"
        self.query_one("#looked", Words).show(
            lines(looked, "A name is only a name: step 2 checks the key.")
        )
        nothing = wizard.looked_at is not None and not wizard.found
        self.query_one("#nothing").display = nothing
        if wizard.found != self._shown:
            self._shown = wizard.found
            listed = self.query_one("#found", OptionList)
            listed.clear_options()
            listed.add_options([Option(line_of(one, view.glyphs)) for one in wizard.found])
            listed.display = bool(wizard.found) or wizard.looked_at is None
            if wizard.found:
                listed.highlighted = 0

    @on(OptionList.OptionSelected)
    def chosen(self, event: OptionList.OptionSelected) -> None:
        found = (self._shown or ())[event.option_index]
        self.happen(ev.Address(found.address, found))

    @on(Input.Submitted, "#address")
    def typed(self, event: Input.Submitted) -> None:
        self.happen(ev.Address(event.value))

    @on(Input.Submitted, "#invite")
    def invited(self, event: Input.Submitted) -> None:
        text, event.input.value = event.value, ""
        self.happen(ev.Invite(text))
