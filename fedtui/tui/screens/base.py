"""BaseScreen: what every screen has: three lines, a banner, a body and the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from msgspec.structs import replace
from textual.containers import Vertical
from textual.screen import Screen

from fedtui.tui.glyphs import SETS
from fedtui.tui.widgets.footer import Footer
from fedtui.tui.widgets.lines import Banner, EgressLine, IdentityLine, StatusLine
from fedtui.tui.widgets.live import Live
from fedtui.tui.widgets.minute import Minute
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.events import ScreenResume

    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.exporting import Sheet
    from fedtui.tui.lastplace import Place
    from fedtui.tui.view import View


LEAST = (30, 8)


class BaseScreen(Screen[None]):
    """Subclasses compose `body`; every Live widget in it is shown the View on each tick.

    `MODE` is the screen's name in commands, settings and places (modes.py).
    """

    MODE: ClassVar[str]
    AUTO_FOCUS = ""
    inherit_bindings = False

    @property
    def face(self) -> FedtuiApp:
        """The app, as what it is."""
        return cast("FedtuiApp", self.app)

    def compose(self) -> ComposeResult:
        yield StatusLine(id="line-status")
        yield IdentityLine(id="line-identity")
        yield EgressLine(id="line-egress")
        yield Banner(id="banner")
        with Vertical(id="body"):
            yield from self.body()
        yield Footer()
        yield Minute(id="minute")

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def on_mount(self) -> None:
        place = self.face.place
        if place.zoomed and place.screen == self.MODE:
            for found in self.query(f"#{place.zoomed}"):
                self.maximize(found)
        self.call_after_refresh(lambda: self.show(self.face.store.view()))

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Shown again: it may be out of date. Its styles are not: what changes them tells it."""
        event.refresh_styles = False
        self.show(self.face.store.view())

    def on_resize(self) -> None:
        width, height = self.size
        self.set_class(width < LEAST[0] or height < LEAST[1], "-minute")
        self.call_after_refresh(lambda: self.show(self.face.store.view()))

    def show(self, view: View) -> None:
        """Draw what changed; nothing before there is something to draw on."""
        body = self.query("#body")
        if not body or not body.first().children:
            return
        for name in SETS:
            self.set_class(view.glyphs.name == name, f"-glyphs-{name}")
        for widget in (*self.query(Live), *self.query(Pane)):
            widget.show(view)
        self.shown(view)

    def here(self) -> Place:
        """Where the operator is, to come back to."""
        zoomed = self.maximized.id if self.maximized is not None else None
        return replace(self.face.place, screen=self.MODE, zoomed=zoomed or "")

    def sheets(self, view: View) -> tuple[Sheet, ...]:  # noqa: ARG002  most need it
        """What is shown, as tables for an export."""
        return ()

    def shown(self, view: View) -> None:
        """For screens with more than Live widgets: tables, charts."""
