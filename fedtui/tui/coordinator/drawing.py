"""From a View to the lines of each pane, in the room that the pane has. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.coordinator import keys, panes, rows
from fedtui.tui.coordinator.figures import change, curve
from fedtui.tui.harmless import harmless
from fedtui.tui.lines import Piece, fit
from fedtui.tui.widgets import chart
from fedtui.tui.widgets.chart import Plot, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.tui.coordinator.keys import Scene
    from fedtui.tui.coordinator.listing import Line
    from fedtui.tui.coordinator.rows import Cell, Column
    from fedtui.tui.coordinator.state import View
    from fedtui.tui.glyphs import Glyphs


def nodes(view: View, width: int) -> tuple[Content, list[Line]]:
    """Heading and lines, each about a fingerprint."""
    columns = rows.node_columns(width)
    lines = [
        (row.fingerprint, _row(columns, rows.node_cells(view, row, columns), view.glyphs))
        for row in view.nodes
    ]
    return _head(columns, view.glyphs), lines or [("", _empty_nodes(view))]


def nodes_title(view: View) -> str:
    """How many are shown, if these are not all that take part."""
    board = view.board
    if board is None or len(board.nodes) == board.num_nodes:
        return "Nodes"
    return f"Nodes: {len(board.nodes)} of {board.num_nodes}"


def invites(view: View, width: int) -> tuple[Content, list[Line]]:
    """Heading and lines, each about an invite's id."""
    columns = rows.invite_columns(width)
    lines = [
        (invite.id, _row(columns, rows.invite_cells(view, invite, columns), view.glyphs))
        for invite in view.shown_invites
    ]
    return _head(columns, view.glyphs), lines or [
        ("", Content.styled("none yet: i makes one", "$quiet"))
    ]


def wrapped(lines: Sequence[Content], width: int) -> list[Line]:
    """Text in so many cells; what goes on in the next line is indented."""
    found: list[Line] = []
    for line in lines:
        first, *more = line.wrap(max(8, width)) if line.cell_length > width else [line]
        found.append(("", first))
        if more:
            rest = Content(" ").join(more)
            found += [("", Content.assemble("  ", part)) for part in rest.wrap(max(8, width - 2))]
    return found


def cut(line: Content, width: int, glyphs: Glyphs) -> Content:
    """The line in so many cells; a sign at its end says that there was more."""
    if line.cell_length <= width:
        return line
    return Content.assemble(line.truncate(max(0, width - 1)), (glyphs.cut, "$quiet"))


def model(view: View, width: int, height: int) -> list[Line]:
    """The curve of the global model, with its newest and best score."""
    board = view.board
    if board is None:
        return []
    points = curve(board.rounds)
    if not points:
        return [("", Content.styled("no model was measured yet", "$quiet"))]
    delta = change(board)
    sign = "" if delta is None else f" ({delta:+.3f})"
    best = f"best {wording.number(board.best_score)} r{board.best_round}"
    target = f"target {board.target:g}" if board.target is not None else ""
    head = fit(
        (
            Piece(f"{board.metric} {wording.number(points[-1][1])}{sign}", "bold $global"),
            Piece(best, rank=1),
            Piece(target, "$quiet", rank=2),
        ),
        width,
    )
    found: list[Line] = [("", head)]
    if height >= 3:
        plot = Plot(
            series=(Series(tuple(score for _, score in points), "$global"),),
            left=f"round {points[0][0]}",
            right=str(points[-1][0]),
        )
        found += [("", line) for line in chart.draw(plot, width, height - 1, view.glyphs)]
    return found


def footer(scene: Scene, width: int) -> Content:
    """The keys that matter now; low priorities go first."""
    tail = Content.assemble(("^p", "bold $accent"), " all ")
    most = len(keys.COMMANDS)
    line = _keys(scene, most)
    while most > 1 and line.cell_length + tail.cell_length > width:
        most -= 1
        line = _keys(scene, most)
    room = width - line.cell_length - tail.cell_length
    return Content.assemble(line, " " * room, tail) if room >= 0 else line


def _keys(scene: Scene, most: int) -> Content:
    parts: list[str | tuple[str, str]] = []
    for command in keys.footer(scene, most):
        parts += [(f" {key_shown(command.keys[0])}", "bold $accent"), f" {command.short} "]
    return Content.assemble(*parts)


def key_shown(key: str) -> str:
    """A key as footer and help print it."""
    names = {"question_mark": "?", "slash": "/", "colon": ":", "exclamation_mark": "!"}
    return names.get(key, key.replace("ctrl+", "^").replace("enter", "Enter").replace("f1", "F1"))


def alarms(view: View, width: int) -> list[Line]:
    """The alarms, wrapped."""
    return wrapped(panes.alarms(view), width)


def events(view: View, width: int) -> list[Line]:
    """The events, cut."""
    return [("", cut(line, width, view.glyphs)) for line in panes.events(view)]


def health(view: View, width: int) -> list[Line]:
    """Round health, wrapped."""
    return wrapped(panes.health(view), width)


def _empty_nodes(view: View) -> Content:
    if view.board is None:
        return Content.styled("no answer yet", "$quiet")
    if view.filter:
        return Content.styled("no node fits the filter; Esc clears it", "$quiet")
    return Content.styled("no node came yet: i makes an invite", "$quiet")


def _head(columns: Sequence[Column], glyphs: Glyphs) -> Content:
    cells = [(column.title, "$quiet") for column in columns]
    return _row(columns, cells, glyphs)


def _row(columns: Sequence[Column], cells: Sequence[Cell], glyphs: Glyphs) -> Content:
    parts: list[str | tuple[str, str] | Content] = []
    for column, (text, style) in zip(columns, cells, strict=True):
        cell = cut(Content(harmless(text, 200)), column.width, glyphs)
        space = " " * (column.width - cell.cell_length)
        cell = cell.stylize(style) if style else cell
        parts += [space, cell, " "] if column.right else [cell, space, " "]
    return Content.assemble(*parts)
