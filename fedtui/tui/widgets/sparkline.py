"""Sparklines and bars in one row of cells, and mirrored up and down. Pure, of no federation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui.widgets import plotting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.tui.glyphs import Glyphs


def spark(
    values: Sequence[float], width: int, glyphs: Glyphs, *, low: float = 0.0, high: float = 0.0
) -> str:
    """The last `width` values as heights between `low` and `high` (the highest of them if 0)."""
    if width < 1 or not values:
        return ""
    shown = [value if math.isfinite(value) else low for value in values[-width:]]
    top = high if high > low else max(shown)
    last = len(glyphs.ramp) - 1
    if top <= low:
        return glyphs.ramp[0] * len(shown)
    steps = (math.ceil((value - low) / (top - low) * last) for value in shown)
    return "".join(glyphs.ramp[min(last, max(0, step))] for step in steps)


def bar(fraction: float, width: int, glyphs: Glyphs, style: str = "$phase-now") -> Content:
    """How far something is, `fraction` 0 to 1; a little that is there shows as one cell."""
    if width < 1:
        return Content()
    share = min(1.0, max(0.0, fraction if math.isfinite(fraction) else 0.0))
    full = min(width, max(round(share * width), int(share > 0)))
    return Content.assemble((glyphs.bar * full, style), (glyphs.rest * (width - full), "$edge"))


def mirror(
    up: Sequence[float],
    down: Sequence[float],
    size: tuple[int, int],
    glyphs: Glyphs,
    *,
    styles: tuple[str, str] = ("$mine", "$global"),
) -> list[Content]:
    """`up` grows upwards from the middle and `down` downwards, on one scale; size is (w, h)."""
    width, height = size
    half = height // 2
    if width < 1 or half < 1:
        return []
    grid = plotting.Grid.of(width, half, glyphs)
    top = max([*up[-grid.dots_x :], *down[-grid.dots_x :], 1.0])
    rows: list[Content] = []
    for values, style, is_up in ((up, styles[0], True), (down, styles[1], False)):
        shown = list(values[-grid.dots_x :])
        first = grid.dots_x - len(shown)
        points = []
        for place, value in enumerate(shown):
            share = max(0.0, value) / top * grid.dots_y
            tall = min(grid.dots_y, math.ceil(share) if grid.down > 1 else round(share))
            ys = range(grid.dots_y - tall, grid.dots_y) if is_up else range(tall)
            points += [(first + place, y) for y in ys]
        rows += plotting.cells([(points, style)], grid, glyphs)
    return rows
