"""Rows: a widget of lines on Textual's Line API that draws again only the lines that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content
    from textual.css.styles import RulesMap
    from textual.selection import Selection

_ONE_LINE: RulesMap = {"text_wrap": "nowrap", "text_overflow": "clip"}


def strip_of(widget: Widget, line: Content, width: int) -> Strip:
    """One line as it is drawn on this widget, `width` cells wide; theme tokens are resolved."""
    style = widget.visual_style
    options = RenderOptions(widget._get_style, _ONE_LINE)  # noqa: SLF001  as Visual.to_strips does
    strips = line.render_strips(width, 1, style, options)
    strip = strips[0] if strips else Strip.blank(width, style.rich_style)
    return strip.adjust_cell_length(width, style.rich_style)


class Rows(Widget):
    """Lines of text, cut at the right edge; they can be selected with the mouse."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False)
        self.lines: tuple[Content, ...] = ()

    def paint(self, lines: Sequence[Content]) -> None:
        """Show these lines from the top; only those that are other than before are drawn."""
        before, self.lines = self.lines, tuple(lines)
        both = min(len(before), len(self.lines))
        changed = [y for y in range(both) if not before[y].is_same(self.lines[y])]
        changed += range(both, max(len(before), len(self.lines)))
        if changed:
            width = self.size.width
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.visual_style
        if y >= len(self.lines):
            return Strip.blank(width, style.rich_style)
        line = self.lines[y]
        selection = self.text_selection
        span = selection.get_span(y) if selection is not None else None
        if span is not None:
            chosen = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            start, end = span
            line = line.stylize(chosen, start, len(line) if end == -1 else min(end, len(line)))
        return strip_of(self, line, width).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(line.plain for line in self.lines)), "\n"
