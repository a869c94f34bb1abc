"""Rows of words: pieces that fit, facts under each other, sentences that wrap. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.lines import Piece, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.tui.view import View

MAX_FACT = 240
Fact = tuple[str, str] | tuple[str, str, str]


def row(width: int, *pieces: Piece | str) -> Content:
    """One row: pieces of the highest rank go first where there is no room."""
    made = [Piece(piece) if isinstance(piece, str) else piece for piece in pieces]
    return fit(made, width)


def cut(content: Content, width: int) -> Content:
    return content if content.cell_length <= width else content.truncate(width, ellipsis=True)


def cut_text(text: str) -> str:
    """As much of a value as a fact may take: some rows, never the whole pane."""
    return wording.cut(text, MAX_FACT)


def sentence(text: str, width: int, style: str = "") -> list[Content]:
    """As many rows as it takes; at most 2000 signs of it."""
    content = Content(text[: min(2000, 12 * max(1, width))])  # a dozen rows at most
    if style:
        content = content.stylize(style)
    return content.wrap(max(1, width)) if text else []


def facts(known: Sequence[Fact], width: int) -> list[Content]:
    """Names in a column of their own, values beside it, wrapped where they are long."""
    shown = [fact for fact in known if fact[1]]
    if not shown:
        return []
    indent = min(max(len(fact[0]) for fact in shown) + 2, max(6, width // 2))
    made: list[Content] = []
    for fact in shown:
        style = fact[2] if len(fact) == 3 else ""
        for place, line in enumerate(sentence(cut_text(fact[1]), width - indent, style)):
            name = fact[0][: indent - 1] if place == 0 else ""
            made.append(Content.assemble((name.ljust(indent), "$quiet"), line))
    return made


def idle(view: View, width: int) -> list[Content]:
    """What a node in no federation says, with the key that changes it."""
    if view.status.plan is not None:
        return []
    return [
        row(width, Piece("Idle.", "bold"), Piece("This node is in no federation.", rank=1)),
        *hint("j", "join: find one on this network, or paste an invite").wrap(width),
    ]


def hint(key: str, words: str) -> Content:
    """A key, and what it does."""
    return Content.assemble((f"[{key}]", "bold $accent"), f" {words}")
