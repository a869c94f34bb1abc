"""EventLog: thousands of log lines, of which only those in sight are drawn.

It follows the newest line until the cursor leaves it; what comes then is counted in a pill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fedtui.tui.glyphs import BRAILLE, Glyphs
from fedtui.tui.widgets.drawn import Drawn
from fedtui.tui.widgets.logline import written
from fedtui.tui.widgets.rows import strip_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.events import Click

    from fedtui.status import LogLine


class EventLog(ScrollView, can_focus=True):
    """Lines are told with `tell`; `cursor` is the index of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k,N", "move(-1)", "Up", show=False),
        Binding("down,n", "move(1)", "Down", show=False),
        Binding("j", "next", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "newest", "Newest, and follow", show=False),
        Binding("enter", "open", "Open", show=False),
    ]

    class Opened(Message):
        """Enter on a line."""

        def __init__(self, line: LogLine) -> None:
            super().__init__()
            self.line = line

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="pane")
        self.border_title = "Events"
        self._lines: Sequence[LogLine] = ()
        self._glyphs = BRAILLE
        self.follows = True
        self.cursor = 0
        self.num_new = 0
        self._drawn: Drawn[tuple[LogLine, bool]] = Drawn()
        self.leaves_j = False  # to others

    def tell(self, lines: Sequence[LogLine], glyphs: Glyphs, *, num_new: int) -> None:
        """`lines` with `num_new` at the end since last time; 0 changes nothing, -1 all of them."""
        if num_new == 0 and glyphs is self._glyphs:
            return
        self._glyphs = glyphs
        before = len(self._lines)
        self._lines = lines
        gone = max(0, before + max(0, num_new) - len(lines)) if num_new > 0 else 0
        if num_new < 0:
            self.follows = True
        self.virtual_size = Size(self._width(), len(lines))
        if self.follows:
            self.cursor, self.num_new = max(0, len(lines) - 1), 0
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        else:
            self.cursor = max(0, self.cursor - gone)
            self.num_new += num_new
        self._pill()
        self.refresh()

    def _width(self) -> int:
        seen = list(self._lines)[-500:]
        return max((len(line.text) + 20 for line in seen), default=0)

    def _pill(self) -> None:
        pill = "" if not self.num_new else f"{self.num_new} new · End"
        if (self.border_subtitle or "") != pill:
            self.border_subtitle = pill

    def render_line(self, y: int) -> Strip:
        across, down = self.scroll_offset
        width, place = self.scrollable_content_region.width, y + down
        if place >= len(self._lines):
            return Strip.blank(width, self.visual_style.rich_style)
        key = (self._lines[place], place == self.cursor and self.has_focus)
        look = (self.visual_style, self._glyphs.name, width, across)
        return self._drawn.strip(key, look, lambda: self._draw(*key, width, across))

    def _draw(self, line: LogLine, is_chosen: bool, width: int, across: int) -> Strip:
        text = written(line, self._glyphs)
        if not across and text.cell_length > width:
            text = text.truncate(width, ellipsis=True)
        if is_chosen:
            text = text.stylize("on $panel")
            text = text.pad_right(max(0, width + across - text.cell_length))
        strip = strip_of(self, text, max(text.cell_length, width + across))
        return strip.crop(across, across + width)

    @property
    def chosen(self) -> LogLine | None:
        return self._lines[self.cursor] if self.cursor < len(self._lines) else None

    def copied(self) -> str:
        return written(self.chosen, self._glyphs).plain if self.chosen else ""

    # ---- moving -------------------------------------------------------------------------------

    def _go(self, place: int) -> None:
        last = max(0, len(self._lines) - 1)
        was_at, was_down = self.cursor, self.scroll_offset.y
        self.cursor = min(last, max(0, place))
        self.follows = self.cursor == last
        if self.follows:
            self.num_new = 0
        self._pill()
        self.scroll_to_region(
            Region(int(self.scroll_x), self.cursor, 1, 1), animate=False, immediate=True
        )
        down = self.scroll_offset.y
        if down != was_down:
            self.refresh()
            return
        width, height = self.size
        lines = {place - down for place in (was_at, self.cursor) if 0 <= place - down < height}
        self.refresh(*(Region(0, y, width, 1) for y in lines))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without lines its keys are free for others, and `j` where it is to join."""
        if not self._lines and action in {"move", "next", "page", "first", "newest", "open"}:
            return False
        if action == "next" and self.leaves_j:
            return False
        return super().check_action(action, parameters)

    def action_move(self, by: int) -> None:
        self._go(self.cursor + by)

    def action_next(self) -> None:
        self.action_move(1)

    def action_page(self, by: int) -> None:
        self._go(self.cursor + by * max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        self._go(0)

    def action_newest(self) -> None:
        self._go(len(self._lines))

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            self._go(int(self.scroll_y) + offset.y)

    def on_resize(self) -> None:
        if self.follows:
            self.scroll_end(animate=False, immediate=True, x_axis=False)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()
