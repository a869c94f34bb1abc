"""The three lines that are always on the screen, and the banner, as plain words. Pure.

1  who this node is and what it does now      2  which coordinator, by its pinned key
3  what leaves this machine, from the ledger and the plan
Each part has a rank: where there is no room, the highest ranks go first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status import NodeStatus
    from fedtui.tui.view import View

STATE_WORDS = {
    "idle": "IDLE",
    "connecting": "OFFLINE",
    "asking": "ASKS YOU",
    "pending": "PENDING",
    "waiting": "WAITING",
    "training": "TRAINING",
    "uploading": "SENDING",
    "masking": "MASKING",
    "confirming": "OPENING",
    "evaluating": "MEASURING",
    "paused": "PAUSED",
    "resting": "SITS OUT",
    "stopped": "STOPPED",
}
MAX_MEASURED = 500
MAX_LABEL = 16  # a long name must not push the state out of the line
MAX_NAME = 24
QUIET_STATES = {"idle", "paused", "resting", "stopped"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Words with a style (a theme token); the higher `rank`, the sooner they go."""

    text: str
    style: str = ""
    rank: int = 0


UNKNOWN = Piece("not known", "$quiet")  # no node said anything yet: an idle one is something else


def fit(pieces: Sequence[Piece], width: int) -> Content:
    """One line of at most `width` cells: whole pieces go by rank, then the last one is cut."""
    kept = [piece for piece in pieces if piece.text]
    while len(kept) > 1 and _cells(kept) > width:
        worst = max(range(len(kept)), key=lambda index: (kept[index].rank, index))
        if kept[worst].rank == 0:
            break
        del kept[worst]
    most = 2 * width + 2  # no more of it could be seen, and measuring takes time
    parts = [
        (piece.text[:most], piece.style) if piece.style else piece.text[:most] for piece in kept
    ]
    spaced: list[str | tuple[str, str]] = []
    for part in parts:
        if spaced:
            spaced.append("  ")
        spaced.append(part)
    line = Content.assemble(*spaced)
    return line if line.cell_length <= width else line.truncate(width, ellipsis=True)


def _cells(pieces: Sequence[Piece]) -> int:
    lengths = (Content(piece.text[:MAX_MEASURED]).cell_length for piece in pieces)
    return sum(lengths) + 2 * (len(pieces) - 1)


def status_line(view: View) -> tuple[Piece, ...]:
    """Who, what, which round; alarms; power; today's bytes."""
    status, glyphs = view.status, view.glyphs
    if not view.heard_at:
        return (Piece(" node", "bold"), UNKNOWN)
    away = status.offline_since > 0
    sign = glyphs.offline if away or status.state in {"idle", "stopped"} else glyphs.live
    word = STATE_WORDS[status.state]
    plan, traffic = status.plan, status.traffic
    rounds = f"round {status.round.number}" if status.round.number else ""
    if rounds and plan is not None and plan.max_rounds:
        rounds = f"{rounds}/{plan.max_rounds}"
    num_alarms = sum(not one.acknowledged for one in status.alarms)
    limits = status.limits
    return (
        Piece(f" {wording.cut(status.label or 'node', MAX_LABEL)}", "bold"),
        Piece(f"{sign} {word}", _state_style(status, away=away)),
        Piece(f"{glyphs.warn}{num_alarms}" if num_alarms else "", "bold $alarm"),
        Piece(
            f"FROZEN {wording.clock(view.now - view.frozen_at)}" if view.frozen_at else "",
            "bold $unverified",
        ),
        Piece(wording.cut(plan.federation, MAX_NAME) if plan else "", rank=2),
        Piece(rounds, rank=1),
        Piece(status.machine.power, "$quiet", rank=5),
        Piece(
            f"cpu cap {limits.cpu_percent}%" if limits.cpu_percent < 100 else "", "$quiet", rank=4
        ),
        Piece(
            f"{glyphs.up}{wording.size(traffic.up_today)} "
            f"{glyphs.down}{wording.size(traffic.down_today)} today",
            "$quiet",
            rank=6,
        ),
    )


def _state_style(status: NodeStatus, *, away: bool) -> str:
    if away or status.problem is not None:
        return "bold $alarm"
    return "bold $quiet" if status.state in QUIET_STATES else "bold $phase-now"


def identity_line(view: View) -> tuple[Piece, ...]:
    """Which coordinator: address, the first groups of the pinned key, since when."""
    coordinator, glyphs = view.status.coordinator, view.glyphs
    if not view.heard_at:
        return (Piece(" coordinator", "$quiet"), UNKNOWN)
    if coordinator is None:
        return (Piece(" no coordinator yet: press j to join a federation", "$quiet"),)
    pinned = f"{glyphs.ok} pinned"
    since = wording.day(coordinator.pinned_at) if coordinator.pinned_at else ""
    away = view.status.offline_since > 0
    return (
        Piece(" coordinator", "$quiet", rank=1),
        Piece(wording.cut(coordinator.address, 2 * MAX_NAME), rank=3),
        Piece(wording.cut(wording.groups(coordinator.fingerprint), 2 * MAX_NAME), "bold"),
        Piece(pinned, "$verified"),
        Piece(since, "$quiet", rank=4),
        Piece(
            "not connected" if away else "link encrypted", "$alarm" if away else "$quiet", rank=2
        ),
        Piece(wording.cut(coordinator.label, MAX_NAME), "$quiet", rank=5),
    )


def egress_line(view: View) -> tuple[Piece, ...]:
    """What leaves this machine and in which form, by the ledger; what never does."""
    status = view.status
    head = Piece(" leaves here", "$quiet", rank=1)
    more = Piece("(x = ledger)", "$quiet", rank=3)
    if not view.heard_at:
        return (head, UNKNOWN)
    if status.plan is None:
        return (head, Piece("nothing"), more)
    if not status.consented:
        return (head, Piece("nothing until you agree to the plan", "$verified"))
    updates = [line for line in status.ledger if line.num_bytes]
    if not updates:
        return (head, Piece("nothing so far"), _form(status.plan.privacy), more)
    last = max(updates[-4:], key=lambda line: (line.round, line.num_bytes))
    what = f"{re.split('[,:(]', last.what)[0].strip()} {wording.size(last.num_bytes)}"
    return (head, Piece(what), _form(last.form), Piece("never: your data", rank=2), more)


def _form(form: str) -> Piece:
    """In which form it goes; what the coordinator can read is an alarm, whoever says so."""
    if form.startswith(("masked", "updates are masked")):
        return Piece("masked", "$verified")
    return Piece("VISIBLE to the coordinator", "bold $alarm")


def banner(view: View) -> Content | None:
    """What is wrong and what to do, in one or two sentences; None if nothing is."""
    status = view.status
    if view.lost_at is not None and not view.heard_at:
        return Content.styled(" no node answers yet; trying again", "bold $alarm")
    if view.lost_at is not None:
        return Content.styled(
            f" node connection lost {wording.span(view.now - view.lost_at)} ago; numbers are from "
            f"{wording.moment(view.heard_at)}. reattaching...",
            "bold $alarm",
        )
    if view.read_only:
        return Content.styled(f" {view.read_only}: view only", "$unverified")
    if status.offline_since and status.state != "stopped":  # then nobody dials any more
        retry = max(0.0, status.retry_at - view.now)
        return Content.styled(
            f" coordinator unreachable since {wording.moment(status.offline_since)} · retry in "
            f"{wording.span(retry)} (try {status.num_tries}) · r = retry now",
            "bold $alarm",
        )
    if status.problem is not None:
        remedy = f" · {status.problem.remedy}" if status.problem.remedy else ""
        words = wording.cut(f" {status.problem.text}{remedy}", MAX_MEASURED)
        return Content.styled(words, "bold $alarm")
    if status.resting:
        return Content.styled(
            f" sits out: {wording.cut(status.resting, MAX_MEASURED)}", "$unverified"
        )
    return None
