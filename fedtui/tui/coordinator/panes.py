"""What stands in the panes of text: round health, alarms, events, a node's details. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.coordinator.figures import pace
from fedtui.tui.harmless import harmless

if TYPE_CHECKING:
    from fedtui.status.coordinator import Board, Health, NodeRow
    from fedtui.tui.coordinator.state import View

HIDDEN = "hidden by design"
Lines = list[Content]


def health(view: View) -> Lines:
    """The round under way, the pace of rounds, and what went wrong."""
    board = view.board
    if board is None:
        return []
    now = board.health
    lines = [_what_runs(view, board)]
    if now.num_awaited:
        more = now.num_awaited - len(now.awaited)
        names = ", ".join(harmless(name, 48) for name in now.awaited) + (
            f" and {more} more" if more else ""
        )
        lines.append(_line("awaits", names))
    lines += _masks(now)
    lines.append(_line("one node", f"loss, update: {_who_knows(board)}"))
    found = pace(board.rounds)
    if found.p50_s is not None:
        moved = "" if found.bytes_per_round is None else f"  {wording.size(found.bytes_per_round)}"
        p99 = wording.span(found.p99_s or 0.0)
        lines.append(_line("rounds", f"p50 {wording.span(found.p50_s)}  p99 {p99}{moved}"))
    if board.saved_up or board.saved_down:
        up, down = wording.size(board.saved_up), wording.size(board.saved_down)
        lines.append(_line("saved", f"{up} up, {down} down (this life)"))
    if board.spent is not None:
        lines.append(_line("spent", harmless(board.spent.text())))
    lines += _weights(board)
    lines += _gate(board)
    lines.append(_counts(now))
    if now.masks is not None:
        lines.append(_line("collusion", f"{now.masks.colluders} together learn nothing"))
    if now.failures:
        lines.append(Content.styled(f"last failure: {harmless(now.failures[-1])}", "$alarm"))
    return lines


def _what_runs(view: View, board: Board) -> Content:
    """The state as a sentence, and how long is waited for it."""
    text = Content(harmless(board.text))
    if board.health.deadline_at is None:
        return text
    left = wording.clock(board.health.deadline_at - view.there)
    return Content.assemble(text, (f", {left} left", "$phase-now"))


def _who_knows(board: Board) -> str:
    return HIDDEN if board.masked else "visible here"


def _masks(now: Health) -> Lines:
    masks = now.masks
    if masks is None:
        if not now.cohort:
            return []
        return [_line("updates", f"{now.answered} of {now.cohort} are here")]
    spare = max(0, now.cohort - masks.needed)
    text = f"{masks.keys}/{now.cohort} keys, can lose {spare}, needs {masks.needed}"
    return [_line("masks", text)]


def _weights(board: Board) -> Lines:
    """How unequal the weights of the last round were, where the coordinator sees them."""
    last = board.rounds[-1] if board.rounds else None
    if last is None or not last.alike:
        return []
    text = (
        f"{last.smallest:.0%} to {last.largest:.0%} of the sum, as {last.alike:.1f} of "
        f"{last.participants} equal nodes"
    )
    return [_line("weights", text)]


def _gate(board: Board) -> Lines:
    """Which of the rounds that are shown were rolled back, and why the last of them was."""
    found = [line for line in board.rounds if line.rolled_back]
    if not found:
        return []
    last = found[-1]
    text = f"rounds rolled back: {len(found)}, last round {last.round}: {last.rolled_back}"
    return [Content.styled(harmless(text), "$alarm")]


def _counts(now: Health) -> Content:
    wrong = [("failed", now.attempts_failed), ("late", now.late), ("refused", now.unfit)]
    if now.turned_away:
        wrong.append(("strangers", now.turned_away))
    parts: list[str | tuple[str, str]] = [(f"{'wrong':<10}", "$quiet")]
    for name, number in wrong:
        parts.append((f"{name} {number}  ", "$alarm" if number else "$quiet"))
    return Content.assemble(*parts)


def alarms(view: View) -> Lines:
    """Newest first; those not acknowledged stand out."""
    if view.board is None:
        return []
    found: Lines = []
    for alarm in reversed(view.board.alarms):
        new = alarm.number > view.acknowledged
        style = "$alarm" if new else "$quiet"
        sign = view.glyphs.warn if new else view.glyphs.info
        found.append(
            Content.assemble(
                (f"{sign} {wording.moment(alarm.at)} ", style),
                (harmless(alarm.text), "" if new else "$quiet"),
            )
        )
    return found or [Content.styled("none", "$quiet")]


def events(view: View) -> Lines:
    """Newest last."""
    signs = {
        "info": (view.glyphs.info, "$quiet"),
        "ok": (view.glyphs.ok, "$verified"),
        "warning": (view.glyphs.warn, "$unverified"),
        "error": (view.glyphs.error, "$alarm"),
    }
    found: Lines = []
    for event in view.shown_events:
        sign, style = signs[event.level]
        found.append(
            Content.assemble(
                (wording.moment(event.at), "$quiet"), (f" {sign} ", style), harmless(event.text)
            )
        )
    return found or [Content.styled("nothing yet", "$quiet")]


def details(view: View, row: NodeRow) -> Lines:
    """One node in full: who it is, what it does, what it moved, what nobody sees."""
    board = view.board
    masked = board is not None and board.masked
    weight = HIDDEN if masked else ("-" if row.weight is None else f"{row.weight:,.0f}")
    phase = f"{row.phase}: {row.reason}" if row.reason else row.phase
    seen = "" if row.last_seen is None else wording.day(row.last_seen)
    came = f"{wording.day(row.created)}, approved by {row.approved_by or 'nobody yet'}"
    pairs = [
        ("key", row.fingerprint),
        ("words", " ".join(row.words)),
        ("role", f"{row.role}, {row.state}"),
        ("phase", phase),
        ("address", f"{row.address or '-'}{' (here now)' if row.connected else ''}"),
        ("came", came),
        ("last seen", seen),
        (
            "rounds",
            f"counted {row.counted} of {row.chosen}; late {row.late}, refused {row.rejected}",
        ),
        (
            "moved",
            f"up {wording.size(row.bytes_up)}, down {wording.size(row.bytes_down)} (this life)",
        ),
        ("rtt", wording.millis(row.round_trip_s)),
        ("weight", weight),
        ("update", HIDDEN if masked else _look(row)),
        ("groups", _bad_groups(row)),
        ("loss", HIDDEN if masked else "of single nodes: not kept"),
    ]
    return [_line(name, text) for name, text in pairs if text]


def _bad_groups(row: NodeRow) -> str:
    """How often its group failed the checks or lay far from the others; empty without groups."""
    if not row.groups:
        return ""
    suspect = ": more often than chance explains" if row.suspect else ""
    return f"in {row.bad_groups} bad ones of {row.groups}{suspect}"


def _look(row: NodeRow) -> str:
    """Its newest update that counted, beside the others of its round."""
    if row.length is None:
        return "-"
    near = "" if row.cosine is None else f", {row.cosine:+.2f} along the median"
    return f"length {row.length:.3g}{near}"


def _line(name: str, text: str) -> Content:
    return Content.assemble((f"{name:<10}", "$quiet"), harmless(text))
