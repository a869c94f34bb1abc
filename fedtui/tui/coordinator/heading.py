"""The two lines that are always on the coordinator's screen, and the banner. Pure.

1  which federation, what it does now, who is here     2  which coordinator, who can read updates
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.harmless import harmless
from fedtui.tui.lines import Piece

if TYPE_CHECKING:
    from fedtui.status.coordinator import Board
    from fedtui.tui.coordinator.state import View

_QUIET = {"paused", "ended", "stopped", "waiting"}
_WORDS = {"collecting": "TRAINING", "inviting": "INVITING"}


def status_line(view: View) -> tuple[Piece, ...]:
    """Line 1."""
    board, glyphs = view.board, view.glyphs
    if board is None:
        text = "no answer yet" if view.lost is not None else "attaching..."
        return (Piece("COORD", "bold"), Piece(text, "$quiet"))
    sign = glyphs.offline if view.lost is not None or board.state in _QUIET else glyphs.live
    unseen = f"{glyphs.warn}{view.num_unseen}" if view.num_unseen else ""
    return (
        Piece("COORD", "$quiet", rank=5),
        Piece(harmless(board.federation, 48) or "federation", "bold"),
        Piece(f"{sign} {_state_word(board)}", _state_style(view, board)),
        Piece(_round(board), rank=1),
        Piece(unseen, "bold $alarm"),
        Piece(_num_asking(view), "bold $unverified"),
        Piece(_deadline(view, board), "$phase-now", rank=2),
        Piece(_here(board), rank=3),
        Piece(_score(board), "$global", rank=4),
        Piece(board.task, "$quiet", rank=6),
    )


def identity_line(view: View) -> tuple[Piece, ...]:
    """Line 2."""
    board = view.board
    if board is None:
        return (Piece("", ""),)
    words = " ".join(board.words)
    form = "updates are masked" if board.masked else "updates are VISIBLE to this coordinator"
    return (
        Piece("key", "$quiet", rank=4),
        Piece(wording.groups(board.fingerprint), "bold"),
        Piece(f"words: {words}" if words else "", "$verified", rank=1),
        Piece(form, "$quiet" if board.masked else "$unverified", rank=2 if board.masked else 0),
        Piece(board.address, "$quiet", rank=3),
        Piece(
            f"up {wording.span(view.there - board.started_at)}" if _is_old(view) else "",
            "$quiet",
            rank=5,
        ),
    )


def _is_old(view: View) -> bool:
    """Whether the time up may be shown: below a minute it would change all the time."""
    return view.board is not None and view.there - view.board.started_at >= 3600


def banner(view: View) -> Content | None:
    """What is wrong or wants a decision, and the key for it; None if nothing does."""
    board = view.board
    if view.lost is not None:
        since = f"; numbers are from {wording.moment(board.at)}" if board is not None else ""
        return Content.styled(
            f" connection lost{since}; reattaching... {view.lost.text}", "bold $alarm"
        )
    if board is None:
        return None
    if board.degraded is not None:
        return Content.styled(f" nothing can be written: {board.degraded}", "bold $alarm")
    if view.pending:
        return _asking(view)
    if board.ended is not None:
        return Content.styled(
            f" over: {board.ended}; 'fedtui-coordinator export' writes its model",
            "$verified",
        )
    if board.paused:
        text = "paused" if board.state == "paused" else "no new round begins after this one"
        return Content.styled(f" {text}: P goes on", "$unverified")
    if view.filter:
        return Content.styled(
            f" filter: {view.filter}   (/ changes it, Esc clears it)", "$unverified"
        )
    return None


def _num_asking(view: View) -> str:
    number = len(view.pending)
    return "" if not number else "1 asks to join" if number == 1 else f"{number} ask to join"


def _asking(view: View) -> Content:
    first = view.pending[0]
    words = " ".join(first.words) or wording.groups(first.fingerprint)
    more = f", and {len(view.pending) - 1} more" if len(view.pending) > 1 else ""
    return Content.assemble(
        (" asks to join: ", "bold $unverified"),
        (harmless(first.label, 48) or "a node without a name", "bold"),
        f"  {words}{more}  ",
        ("a", "bold $accent"),
        " approve  ",
        ("r", "bold $accent"),
        " reject",
    )


def _state_word(board: Board) -> str:
    return _WORDS.get(board.state, board.state.upper())


def _state_style(view: View, board: Board) -> str:
    if view.lost is not None or board.state == "degraded":
        return "bold $alarm"
    return "bold $quiet" if board.state in _QUIET else "bold $phase-now"


def _round(board: Board) -> str:
    if board.round == 0:
        return ""
    attempt = f" attempt {board.attempt}" if board.attempt > 1 and board.health.cohort else ""
    return f"round {board.round}/{board.maximum}{attempt}"


def _deadline(view: View, board: Board) -> str:
    if board.health.deadline_at is None:
        return ""
    return f"deadline {wording.clock(board.health.deadline_at - view.there)}"


def _here(board: Board) -> str:
    return f"{board.present} here (need {board.needed})"


def _score(board: Board) -> str:
    scores = [line.score for line in board.rounds if line.score is not None]
    return f"{board.metric} {wording.number(scores[-1])}" if scores else ""
