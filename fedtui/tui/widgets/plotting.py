"""Plotting: values to columns to dots to signs. Pure, and of no federation: any screen uses it.

A column holds the lowest and the highest of its values, so a spike is never averaged away. A cell
has 2x4 dots in braille, 1x2 in blocks, one in ASCII; two series in one cell are told apart by
their colour, and by their shape: the second one is dotted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fedtui.tui.glyphs import Glyphs

Column = tuple[float, float]
_BEYOND = 1e100
_LEAST = 1e-100
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


@dataclass(frozen=True, slots=True)
class Grid:
    """Dots of `width` by `height` cells, each with `across` by `down` dots; row 0 is the top."""

    width: int
    height: int
    across: int
    down: int

    @classmethod
    def of(cls, width: int, height: int, glyphs: Glyphs) -> Grid:
        across, down = (2, 4) if glyphs.braille else (1, 1) if glyphs.name == "ascii" else (1, 2)
        return cls(width, height, across, down)

    @property
    def dots_x(self) -> int:
        return self.width * self.across

    @property
    def dots_y(self) -> int:
        return self.height * self.down


def drawable(value: float) -> bool:
    """Whether it has a place on an axis: infinities and what differs from them by name do not."""
    return abs(value) < _BEYOND


def columns(values: Sequence[float | None], width: int) -> list[Column | None]:
    """Lowest and highest of each of `width` columns; a few values are joined by lines.

    None and what cannot be drawn are gaps; a gap between two values is bridged.
    """
    known = [
        (place, value)
        for place, value in enumerate(values)
        if value is not None and drawable(value)
    ]
    if not known or width < 1:
        return [None] * max(0, width)
    if len(values) >= width:
        made: list[Column | None] = [None] * width
        for place, value in known:
            column = place * width // len(values)
            low, high = made[column] or (value, value)
            made[column] = (min(low, value), max(high, value))
        return made
    return _joined(known, len(values), width)


def _joined(known: list[tuple[int, float]], count: int, width: int) -> list[Column | None]:
    scale = (width - 1) / max(1, count - 1)
    made: list[Column | None] = [None] * width
    before: tuple[int, float] | None = None
    for place, value in known:
        x = round(place * scale)
        made[x] = (value, value)
        if before is not None:
            start, first = before
            for between in range(start + 1, x):
                at = first + (value - first) * (between - start) / (x - start)
                made[between] = (at, at)
        before = (x, value)
    return made


def bounds(series: Iterable[Sequence[Column | None]]) -> Column | None:
    """The lowest and the highest of all; apart from each other, or None if there is nothing."""
    seen = [column for one in series for column in one if column is not None]
    if not seen:
        return None
    low, high = min(one[0] for one in seen), max(one[1] for one in seen)
    if high - low < max(_LEAST, abs(low) * 1e-9):
        room = max(abs(low) * 0.1, 0.5 if abs(low) < _LEAST else 0.0)
        return low - room, high + room
    return low, high


def dots(shape: Sequence[Column | None], span: Column, grid: Grid) -> list[tuple[int, int]]:
    """The dots (x, y) of a line through the columns; neighbours touch."""
    low, high = span
    scale = (grid.dots_y - 1) / (high - low) if high > low else 0.0
    made: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for x, column in enumerate(shape):
        if column is None:
            before = None
            continue
        top, bottom = (
            min(grid.dots_y - 1, max(0, round((high - value) * scale)))
            for value in (column[1], column[0])
        )
        own = (top, bottom)
        if before is not None:
            top = min(top, before[1] + 1)
            bottom = max(bottom, before[0] - 1)
        made += [(x, y) for y in range(top, bottom + 1)]
        before = own
    return made


def dotted(points: Iterable[tuple[int, int]], grid: Grid) -> list[tuple[int, int]]:
    """Every second one of the dots: another shape where colours cannot be seen."""
    step = 3 if grid.across == 2 else 2
    return [(x, y) for x, y in points if (x + y) % step == 0]


def cells(
    layers: Sequence[tuple[Iterable[tuple[int, int]], str]], grid: Grid, glyphs: Glyphs
) -> list[Content]:
    """Rows of signs; the style of a cell is that of the layer with most dots in it."""
    rows: list[dict[int, list[int]]] = [{} for _ in range(grid.height)]
    for layer, (points, _) in enumerate(layers):
        for x, y in points:
            masks = rows[y // grid.down].setdefault(x // grid.across, [0] * len(layers))
            masks[layer] |= _bit(x % grid.across, y % grid.down, grid)
    styles = [style for _, style in layers]
    return [_row(row, styles, grid.width, glyphs) for row in rows]


def _bit(x: int, y: int, grid: Grid) -> int:
    return _DOTS[y][x] if grid.across == 2 else 1 << y


def _row(row: dict[int, list[int]], styles: Sequence[str], width: int, glyphs: Glyphs) -> Content:
    parts: list[str | tuple[str, str]] = []
    run, style = "", ""
    for x in range(width):
        masks = row.get(x)
        if masks is None:
            run += " "
            continue
        owner = masks.index(max(masks, key=int.bit_count))
        if styles[owner] != style and run:
            parts.append((run, style))
            run = ""
        style = styles[owner]
        run += _sign(masks, owner, glyphs)
    parts.append((run, style))
    return Content.assemble(*parts)


def _sign(masks: list[int], owner: int, glyphs: Glyphs) -> str:
    merged = 0
    for one in masks:
        merged |= one
    if glyphs.braille:
        return chr(0x2800 + merged)
    return "*o+"[owner % 3] if glyphs.name == "ascii" else " ▀▄█"[merged]
