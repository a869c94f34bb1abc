"""FedtuiApp: attaches to a node's controls, keeps the Store, shows screens, performs commands.

    controls.watch() -> Store -> tick (2 Hz unless set) -> screen on top -> widgets that changed

It holds nothing that the node needs: it may crash, stall or be killed at any moment.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from textual import work

from fedtui.status import Refused
from fedtui.tui import keymap
from fedtui.tui.commands import BY_ID
from fedtui.tui.doing import DOING
from fedtui.tui.glyphs import SETS, choose
from fedtui.tui.modals.alerts import Alerts
from fedtui.tui.modals.doors import alert
from fedtui.tui.outside import Outside
from fedtui.tui.palette import Commands
from fedtui.tui.redrawing import RedrawnWhole
from fedtui.tui.screens.base import BaseScreen
from fedtui.tui.screens.modes import SCREENS
from fedtui.tui.settings import LAST, Settings
from fedtui.tui.store import Store
from fedtui.tui.switching import Switching
from fedtui.tui.themes import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType
    from textual.timer import Timer

    from fedtui.status import NodeControls
    from fedtui.tui.glyphs import Glyphs

AGAIN_S = 0.5
STYLES = Path(__file__).parent / "styles"


class FedtuiApp(Switching, RedrawnWhole):
    """The screen of one node. `clock` gives UTC seconds."""

    CSS_PATH: ClassVar = sorted(STYLES.glob("*.tcss"))
    MODES: ClassVar = {**SCREENS}
    DEFAULT_MODE = "overview"
    COMMANDS: ClassVar = {Commands}
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "f12"  # ours is in the table of commands
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings()]
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012  as App has it
        (0, "-tiny"),
        (60, "-narrow"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012  as App has it
        (0, "-low"),
        (20, "-short"),
        (32, "-tall"),
    ]

    def __init__(
        self,
        controls: NodeControls,
        *,
        clock: Callable[[], float],
        settings: Settings | None = None,
        outside: Outside | None = None,
    ) -> None:
        super().__init__()
        self.controls = controls
        self.settings = settings or Settings()
        self.outside = outside or Outside()
        self._ticking: Timer | None = None
        self.place = self.outside.place
        self.alerts = Alerts()
        self.store = Store(clock=clock, glyphs=self._glyphs())
        self.animation_level = "none"
        for one in THEMES:
            self.register_theme(one)
        self.theme = self.settings.theme

    @property
    def keys(self) -> dict[str, str]:
        """The operator's own keys, by command."""
        return self.settings.keys

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The screen's own tokens, for themes that do not know them."""
        return dict(THEMES[0].variables)

    async def on_mount(self) -> None:
        self._follow_settings()
        first = self.place.screen if self.settings.screen == LAST else self.settings.screen
        if first in self.MODES and first != self.DEFAULT_MODE:
            await self.switch_mode(first)
        self.attach()

    def apply(self, settings: Settings) -> None:
        """Look and behave so from now on, and keep it."""
        self.settings = settings
        self.outside.save(settings)
        self._follow_settings()
        self.refresh_view()

    def capture_mouse_or_not(self, *, capture: bool) -> None:
        """Take the mouse, or leave it to the terminal; kept for the next time."""
        name = "_enable_mouse_support" if capture else "_disable_mouse_support"
        switch = getattr(self._driver, name, None)  # drivers of tests have no mouse
        if switch is not None:
            switch()
        self.apply(replace(self.settings, mouse=capture))

    def _follow_settings(self) -> None:
        self.theme = self.settings.theme
        for key in sorted(set(self.keys.values())):  # whose a key is now, action_key looks up
            self.bind(key, f"app.key({key!r})", show=False)
        self.store.draw_with(glyphs=self._glyphs(), log_scale=self.settings.log_scale)
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self.set_interval(1 / self.settings.hz, self.refresh_view)

    def _glyphs(self) -> Glyphs:
        chosen = self.settings.glyphs
        if chosen != "auto":
            return SETS[chosen]
        environment = self.outside.environment
        return choose(environment, environment.get("ENCODING", "utf-8"))

    @work(exclusive=True, group="attach")
    async def attach(self) -> None:
        """Follow the node until the app ends; one that dies before it answers may come back."""
        while True:
            with suppress(Refused):
                await self._follow_node()
                return
            self.store.lost()
            await asyncio.sleep(AGAIN_S)

    async def _follow_node(self) -> None:
        """What happened before is read once. Raises Refused if the node does not answer."""
        first = True
        async for status in self.controls.watch():
            self.store.heard(status)
            self.outside.note(status)
            if first:
                first = False
                with suppress(Refused):
                    log = await self.controls.log(2000)
                    self.store.remember(log, await self.controls.ledger(2000))
                self.refresh_view()

    def refresh_view(self) -> None:
        """Show the newest View on the screen on top; others are out of sight."""
        if not self.is_running:  # it closes: there may be no screen any more
            return
        shown = self.screen
        if isinstance(shown, BaseScreen):
            shown.show(self.store.view())
            if (here := shown.here()) != self.place:
                self.place = here
                self.outside.keep(here)
            alert(self)

    # ---- commands -----------------------------------------------------------------------------

    def action_key(self, key: str) -> None:
        """A key of the table: the first of its commands that can be given now."""
        ids = keymap.owners(key, self.keys)
        view = self.store.live
        possible = [one for one in ids if not BY_ID[one].why_not(view)]
        if possible:
            self.give(possible[0])
        elif ids:
            command = BY_ID[ids[0]]
            self.say(f"{command.title}: {command.why_not(view)}", severity="warning")

    def give(self, command_id: str) -> None:
        """Carry out a command, or say why not."""
        command = BY_ID[command_id]
        if why := command.why_not(self.store.live):
            self.say(f"{command.title}: {why}", severity="warning")
        elif command.performs == "screen":  # at once; a worker would take longer than drawing it
            _ = self.switch_mode(command.argument)
        elif command.performs in DOING:
            self.perform(command.performs, command.argument)

    @work(group="commands")
    async def perform(self, does: str, argument: str) -> None:
        try:
            await DOING[does](self, argument)
        except Refused as refusal:
            remedy = f". {refusal.remedy}" if refusal.remedy else ""
            self.say(f"{refusal.text}{remedy}", severity="error")
        self.refresh_view()

    def say(self, text: str, *, severity: Any = "information") -> None:
        """A toast, without markup."""
        self.notify(text, severity=severity, markup=False)
