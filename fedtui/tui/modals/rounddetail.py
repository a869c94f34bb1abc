"""Round detail: one round that is over, with its phases as this node lived them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.modals.base import Modal, Words

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import LedgerLine, PastRound
    from fedtui.tui.glyphs import Glyphs

STYLES = {"counted": "bold $verified", "refused": "bold $alarm", "failed": "bold $alarm"}


def facts(past: PastRound) -> Content:
    """What is known of the round as a whole."""
    masked = "masked, opened as a sum"
    if past.threshold:
        masked += f" of at least {past.threshold}"
    cohort = "" if past.cohort is None else f"{past.cohort} nodes"
    if past.num_updates is not None and cohort:
        cohort += f", {past.num_updates} updates in the sum"
    if past.dropped:
        cohort += f", {past.dropped} dropped"
    pairs = (
        ("ended", f"{wording.day(past.ended_at)} {wording.moment(past.ended_at)}"),
        ("lasted", wording.span(past.seconds) if past.seconds else ""),
        ("score", "" if past.score is None else f"{past.score:.4f} (says coord)"),
        ("cohort", cohort),
        ("updates", masked if past.masked else "VISIBLE to the coordinator"),
        ("sent", wording.size(past.bytes_up)),
        ("received", wording.size(past.bytes_down)),
    )
    style = STYLES.get(past.outcome, "bold $unverified")
    made = [Content.styled(past.outcome + (f": {past.reason}" if past.reason else ""), style)]
    made += [Content.assemble((f"{name:<10}", "$quiet"), value) for name, value in pairs if value]
    return Content("\n").join(made)


def phases(past: PastRound, glyphs: Glyphs) -> Content:
    """One line per phase: sign, name, seconds, bytes."""
    made = []
    for step in past.steps:
        size = wording.size(step.num_bytes) if step.num_bytes else ""
        seconds = wording.span(step.seconds) if step.seconds else ""
        made.append(Content(f"{glyphs.steps[step.state]} {step.phase:<10} {seconds:>8} {size:>9}"))
    return Content("\n").join(made)


def sent(past: PastRound, ledger: tuple[LedgerLine, ...]) -> Content:
    """What the ledger says left in this round."""
    mine = [one for one in ledger if (one.round, one.attempt) == (past.number, past.attempt)]
    made = [
        Content.assemble(
            f"{one.what}: {wording.size(one.num_bytes)}, {one.form}, to {one.receiver} ",
            (one.digest[:12], "$quiet"),
        )
        for one in mine
    ]
    return Content("\n").join(made) if made else Content.styled("nothing", "$quiet")


class RoundDetail(Modal[None]):
    """Only to read."""

    hints = (("↑ ↓", "scroll"), ("Esc", "close"))

    def __init__(self, past: PastRound) -> None:
        super().__init__()
        again = f", attempt {past.attempt}" if past.attempt > 1 else ""
        self.heading = f"Round {past.number}{again}"
        self._past = past

    def body(self) -> ComposeResult:
        yield Words(facts(self._past))
        if self._past.steps:
            yield Words("Phases here", classes="gap head")
            yield Words(phases(self._past, self.view.glyphs))
        yield Words("What left this machine", classes="gap head")
        yield Words(sent(self._past, tuple(self.face.store.ledger)))

    def on_mount(self) -> None:
        self.query_one("#modal-body").focus()
