"""Privacy: who can learn what of this node, and who vouches for each claim.

`here` is what this node does or checks itself, `coord` what it only knows from the coordinator;
only the first gets a tick. Without noise there is no epsilon, and none is claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.lines import Piece
from fedtui.tui.panes import saying
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from fedtui.status import NodeStatus
    from fedtui.tui.view import View

NO_EPSILON = "ε off"
# what a low card goes without, first the least; others say most of it in other words
SPARED = ("roster", "keystream", "drop-outs", "sum of", "masks", "cohort")


def worry(view: View) -> str:
    """Why this is red; "" if it is not."""
    privacy = view.status.privacy
    if not privacy.masked:
        return "updates are VISIBLE to the coordinator"
    if 0 < privacy.cohort < privacy.threshold:
        return f"cohort {privacy.cohort} is below the threshold {privacy.threshold}"
    return ""


def verdict(view: View) -> Piece:
    """In a few words: only sums, or visible."""
    if why := worry(view):
        return Piece(f"{view.glyphs.warn} {why}", "bold $alarm")
    return Piece(f"{view.glyphs.ok} sum-only (here)", "$verified")


def least(view: View) -> int:
    """How many updates are in a sum at least."""
    return view.status.privacy.minimum or view.status.privacy.threshold


class RedPane(Pane):
    """Its frame is red where there is something to worry about."""

    def show(self, view: View) -> None:
        self.set_class(view.status.plan is not None and bool(worry(view)), "-alarmed")
        super().show(view)


class PrivacyPane(RedPane):
    """The card in five rows."""

    TITLE = "Privacy"
    OPENS = "scr.5"
    HELP: ClassVar[str] = (
        "What the coordinator and other nodes can see of yours. (here): done or checked by this "
        "node; (coord): the coordinator says so. ε: what was spent of yours; off: no "
        "noise is added, and none is claimed."
    )

    def look(self, view: View, width: int, height: int) -> list[Content]:
        status, privacy = view.status, view.status.privacy
        if status.plan is None:
            return [Content.styled("nothing leaves: not in a federation", "$quiet")]
        cohort = f"cohort {privacy.cohort}" if privacy.cohort else ""
        rows = [
            saying.row(width, *_epsilon(status)),
            saying.row(
                width,
                verdict(view),
                Piece(cohort, rank=1),
                Piece(f"min {least(view)}" if privacy.masked else "", rank=2),
            ),
        ]
        claims = [
            _claim("coordinator sees: ", privacy.coordinator_sees),
            _claim("other nodes see: ", privacy.others_see),
            _claim("if some collude: ", privacy.if_collude),
        ]
        wrapped = [line for claim in claims for line in claim.wrap(width)]
        if len(rows) + len(wrapped) > height:
            wrapped = [saying.cut(claim, width) for claim in claims]
        return [*rows, *wrapped][:height]


def _epsilon(status: NodeStatus) -> tuple[Piece, ...]:
    budget, noise = status.budget, status.privacy.noise
    if budget is None:
        head = "ε not known yet" if noise else NO_EPSILON
        return Piece(head, "$quiet"), Piece(noise or "no noise added", "$quiet", 1)
    left = "" if budget.rounds_left is None else f"{budget.rounds_left} rounds left"
    of = f" of {budget.cap:g}" if budget.cap else ""
    style = "bold $alarm" if budget.rounds_left == 0 else ""
    return Piece(f"ε {budget.epsilon:.3g}{of} (here)", style), Piece(left or noise, style, 1)


def _epsilon_whole(status: NodeStatus) -> str:
    """The same in a sentence."""
    if status.budget is not None:
        return f"ε: {status.budget.words()} (here)"
    if status.privacy.noise:
        return f"ε: {status.privacy.noise}; what was spent is not known yet"
    return f"{NO_EPSILON}: no noise added, no budget claimed"


def _claim(head: str, text: str) -> Content:
    return Content.assemble((head, "$quiet"), text[:1000] or "not known yet")


class CardPane(RedPane):
    """The card in full."""

    TITLE = "Who can learn what"
    HELP = PrivacyPane.HELP

    def look(self, view: View, width: int, height: int) -> list[Content]:
        if rows := saying.idle(view, width):
            return rows
        head = verdict(view)
        first = [
            *saying.sentence(head.text, width, head.style),
            *saying.sentence(_epsilon_whole(view.status), width, "$quiet"),
        ]
        known = self._known(view)
        rows = [*first, Content(), *saying.facts(known, width)]
        for name in SPARED:
            if len(rows) <= height:
                break
            known = [fact for fact in known if fact[0] != name]
            rows = [*first, *saying.facts(known, width)]
        return rows

    def _known(self, view: View) -> list[saying.Fact]:
        privacy, glyphs = view.status.privacy, view.glyphs
        red = "bold $alarm" if worry(view) else ""
        return [
            ("masks", f"{glyphs.ok} on (here)" if privacy.masked else "OFF (here)", red),
            ("cohort", f"{privacy.cohort} nodes (coord)" if privacy.cohort else "not known yet"),
            (
                "threshold",
                f"{privacy.threshold} of them must stay to open the sum (here)"
                if privacy.threshold
                else "",
                red,
            ),
            (
                "drop-outs",
                f"up to {max(0, privacy.cohort - privacy.threshold)} can be made up for"
                if privacy.threshold and privacy.cohort
                else "",
            ),
            (
                "sum of",
                f"at least {least(view)} updates" if privacy.masked and least(view) else "",
            ),
            ("coordinator", privacy.coordinator_sees or "not known yet"),
            ("others", privacy.others_see or "not known yet"),
            (f"if {privacy.colluders or 'k'} collude", privacy.if_collude or "not known yet"),
            ("at worst", view.status.plan.worst if view.status.plan else ""),
            ("keystream", privacy.keystream, "$quiet"),
            ("roster", privacy.roster_hash[:16], "$quiet"),
        ]


class ReceiptPane(Pane):
    """What the operator agreed to, and when."""

    TITLE = "Your consent"
    HELP: ClassVar[str] = "The receipt of what you agreed to. Any change of it asks you again."

    def look(self, view: View, width: int, height: int) -> list[Content]:  # noqa: ARG002
        receipt, plan = view.status.receipt, view.status.plan
        if plan is None:
            return [Content.styled("no plan, no consent", "$quiet")]
        if receipt is None:
            words = "agreed" if view.status.consented else "nobody here has agreed to this plan"
            return [Content.styled(words, "" if view.status.consented else "$unverified")]
        mark, style = f"{view.glyphs.ok} agreed", "$verified"
        if not view.status.consented:
            mark, style = f"{view.glyphs.warn} withdrawn, or for another plan", "$unverified"
        at = f"{wording.day(receipt.at)} {wording.moment(receipt.at)}"
        known: list[saying.Fact] = [
            ("state", mark, style),
            ("at", at),
            ("form", receipt.form_hash[:16]),
            ("plan", receipt.plan_hash[:16]),
            ("coordinator", wording.groups(receipt.coordinator)),
            ("data", receipt.data),
            ("digest", receipt.data_digest[:16]),
            ("limits", receipt.limits),
        ]
        return saying.facts(known, width)


class LeavesPane(Pane):
    """What leaves, item by item; what never does."""

    TITLE = "What leaves here"
    HELP: ClassVar[str] = "Item by item: form, reader, how often. [x] is the ledger of what did."

    def look(self, view: View, width: int, height: int) -> list[Content]:
        plan = view.status.plan
        if plan is None:
            return [Content.styled("nothing", "$quiet")]
        made: list[Content] = []
        for one in plan.leaves:
            style = "$verified" if one.form.startswith("masked") else "$unverified"
            item, form, when = (saying.cut_text(text) for text in (one.item, one.form, one.when))
            words = Content.assemble(
                (item, "bold"), ": ", (form, style), (f", {when} ({one.source})", "$quiet")
            )
            made += words.wrap(width)
            if height >= 3 * len(plan.leaves):
                made += saying.sentence(
                    f"  read by: {saying.cut_text(one.reader)}", width, "$quiet"
                )
        if plan.stays:
            made += saying.sentence(f"never: {plan.stays}", width, "$verified")
        made += saying.hint("x", "the ledger: what really left, byte by byte").wrap(width)
        return made
