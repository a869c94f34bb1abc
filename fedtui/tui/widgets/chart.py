"""Chart: a line chart of a few series with labelled axes. Knows no federation: any screen uses it.

`draw` is pure and makes the rows; the widget `Chart` shows them and repaints what changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui.glyphs import BRAILLE
from fedtui.tui.widgets import plotting
from fedtui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from fedtui.tui.glyphs import Glyphs


@dataclass(frozen=True, slots=True)
class Series:
    """Values from left to right; `style` is a theme token, `is_dotted` its other shape."""

    values: tuple[float | None, ...]
    style: str = "$mine"
    is_dotted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a chart shows. `low` and `high` fix the axis (values beyond them sit on the edge).

    `left` and `right` are words below the axis; `is_log` asks for a logarithmic y axis, which
    needs values above 0.
    """

    series: tuple[Series, ...] = ()
    left: str = ""
    right: str = ""
    low: float | None = None
    high: float | None = None
    is_log: bool = False


def draw(plot: Plot, width: int, height: int, glyphs: Glyphs = BRAILLE) -> list[Content]:
    """At most `height` rows of at most `width` cells: the curve, and the axis with its words."""
    has_axis = height >= 3
    rows = height - 1 if has_axis else height
    if width < 8 or rows < 1:
        return []
    known = [v for s in plot.series for v in s.values if v is not None and plotting.drawable(v)]
    is_log = plot.is_log and bool(known) and min(known) > 0
    plot = replace(plot, is_log=is_log)
    span = _span(plot, known)
    if span is None:
        return [Content.styled("no values yet", "$quiet")]
    labels = [label(10**value if is_log else value) for value in (span[1], span[0])]
    indent = max(len(one) for one in labels)
    grid = plotting.Grid.of(width - indent - 1, rows, glyphs)
    layers = []
    for one in plot.series:
        values = [_onto(value, is_log=is_log) for value in one.values]
        points = plotting.dots(plotting.columns(values, grid.dots_x), span, grid)
        layers.append((plotting.dotted(points, grid) if one.is_dotted else points, one.style))
    side = "|" if glyphs.name == "ascii" else "│"
    made = []
    for place, curve in enumerate(plotting.cells(layers, grid, glyphs)):
        text = labels[0] if place == 0 else labels[1] if place == rows - 1 and rows > 1 else ""
        made.append(Content.assemble((f"{text:>{indent}}{side}", "$quiet"), curve))
    if has_axis:
        corner = "+" if glyphs.name == "ascii" else "└"
        made.append(_caption(" " * indent + corner, plot, width))
    return made


def label(value: float) -> str:
    """A value at an axis, in about four signs."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _span(plot: Plot, known: list[float]) -> plotting.Column | None:
    values = (_onto(one, is_log=plot.is_log) for one in known)
    found = plotting.bounds([[(value, value) for value in values if value is not None]])
    if found is None:
        return None
    low, high = (
        _onto(one, is_log=plot.is_log) if one is not None else None
        for one in (plot.low, plot.high)
    )
    low, high = found[0] if low is None else low, found[1] if high is None else high
    return (low, high) if low < high else found


def _onto(value: float | None, *, is_log: bool) -> float | None:
    if value is None or not plotting.drawable(value) or (is_log and value <= 0):
        return None
    return math.log10(value) if is_log else value


def _caption(corner: str, plot: Plot, width: int) -> Content:
    left = f"{plot.left}{' (log)' if plot.is_log else ''}"
    room = width - len(corner) - Content(plot.right).cell_length
    text = Content(left)
    if text.cell_length + 1 > room:
        return Content.assemble((corner, "$quiet"), text.stylize("$quiet")).truncate(width)
    gap = " " * (room - text.cell_length)
    return Content.assemble((f"{corner}{left}{gap}{plot.right}", "$quiet"))


class Chart(Rows):
    """A chart that fills its place; `plot()` it as often as wanted, only changes are drawn."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._plot = Plot()
        self._glyphs = BRAILLE

    def plot(self, plot: Plot, glyphs: Glyphs = BRAILLE) -> None:
        """Show this."""
        self._plot, self._glyphs = plot, glyphs
        self.paint(draw(plot, self.size.width, self.size.height, glyphs))

    def on_resize(self) -> None:
        self.plot(self._plot, self._glyphs)
