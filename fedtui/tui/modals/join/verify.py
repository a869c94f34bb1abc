"""Step 2: is it really this coordinator? Words typed from the other screen, or an invite.

What answered is not shown before the operator typed what the other screen says, or they would
compare this screen with itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, Input

from fedtui.status.wordcheck import looks_like_fingerprint
from fedtui.tui import wording
from fedtui.tui.modals.base import Choice, Words, lines
from fedtui.tui.modals.fields import Field, Line
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.find import InviteLine
from fedtui.tui.modals.join.stepview import StepView

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View

ASK = (
    "Its operator's screen shows six words. Type the two asked for from THAT screen; or the whole "
    "fingerprint in the first field."
)
NO_WORDS = (
    "No words at hand? Ask for an invite: it carries the coordinator's key. "
    'There is no "continue unverified".'
)


def who(wizard: Wizard) -> Content:
    """Who answered, as they call themselves; and what speaks against it."""
    parts: list[str | tuple[str, str]] = []
    if wizard.probed is not None:
        one = wizard.probed
        parts.append(f"{one.address} answered; it calls itself ")
        parts.append((one.label or "nothing", "bold"))
    elif wizard.seen is not None:
        parts.append(f"The invite leads to {', '.join(wizard.seen.addresses) or 'no address'}")
    if wizard.picked is not None and wizard.picked.standing == "same name, other key":
        text = "\nYou know a coordinator of this name, with ANOTHER key. Be sure who this is."
        parts.append((text, "bold $alarm"))
    return Content.assemble(*parts)


def proof(wizard: Wizard, mark: str) -> Content:
    """That it is verified, how, and the words that may be seen now."""
    if wizard.seen is not None:
        seen = wizard.seen
        expires = f", good until {wording.day(seen.expires)}" if seen.expires else ""
        return lines(
            (f"{mark} the invite carries the coordinator's key: no compare needed", "$verified"),
            f"  {seen.fingerprint}{expires}",
        )
    if wizard.probed is None or wizard.check is None or not wizard.check.passed:
        return Content()
    return lines(
        (f"{mark} the key that answered is the one on the other screen", "$verified"),
        f"  {' '.join(wizard.probed.words)}",
        (f"  {wizard.probed.fingerprint}", "$quiet"),
    )


class Verify(StepView):
    """Two words, one fingerprint, or an invite; nothing else leads on."""

    heading = "2/6 Is it really this coordinator?"
    hints = (("Tab", "field"), ("Enter", "compare"), ("s", "paste an invite"), ("Esc", "back"))

    def compose(self) -> ComposeResult:
        yield Words(id="who")
        yield Words(ASK, id="ask", classes="gap")
        yield Field("word", Line(id="first"))
        yield Field("word", Line(id="second"))
        yield Words(NO_WORDS, id="no-words", classes="gap quiet")
        yield Field("invite", InviteLine(), "Enter")
        yield Words(id="proof", classes="gap")
        yield Choice("Continue", id="continue")

    def begin(self) -> None:
        verified = self.query_one("#continue").display
        fields = self.query_one("#first").display
        self.query_one("#continue" if verified else "#first" if fields else "#invite").focus()

    def show(self, wizard: Wizard, view: View) -> None:
        self.query_one("#who", Words).show(who(wizard))
        check = wizard.check
        asks = check is not None and not check.passed and not check.spent and wizard.seen is None
        names = [*self.query(".field-name").results(Words)]
        if check is not None:
            for name, position in zip(names, check.positions, strict=False):
                name.show(f"word {position} of 6")
        for field in ("#first", "#second"):
            row = self.query_one(field).parent
            if row is not None:
                row.display = asks
        self.query_one("#ask").display = asks
        self.query_one("#no-words").display = not wizard.verified
        invite = self.query_one("#invite").parent
        if invite is not None:
            invite.display = not wizard.verified
        shown = self.query_one("#proof", Words)
        shown.show(proof(wizard, view.glyphs.ok))
        shown.display = wizard.verified
        button = self.query_one("#continue")
        if wizard.verified and not button.display:
            button.display = True
            button.focus()
        button.display = wizard.verified

    @on(Input.Submitted, "#first")
    @on(Input.Submitted, "#second")
    def submitted(self) -> None:
        first, second = self.query_one("#first", Line), self.query_one("#second", Line)
        if looks_like_fingerprint(first.value):
            self.happen(ev.Typed((first.value,)))
        elif not first.value.strip():
            first.focus()
            return
        elif not second.value.strip():
            second.focus()
            return
        else:
            self.happen(ev.Typed((first.value, second.value)))
        first.value = second.value = ""
        first.focus()

    @on(Input.Submitted, "#invite")
    def invited(self, event: Input.Submitted) -> None:
        text, event.input.value = event.value, ""
        self.happen(ev.Invite(text))

    @on(Button.Pressed, "#continue")
    def go(self) -> None:
        self.happen(ev.Go())
