"""Settings: the form of screen.toml, and the keys; conflicts are said before anything is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_args

import msgspec
from textual import on, work
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Button, OptionList
from textual.widgets.option_list import Option

from fedtui.tui import keymap
from fedtui.tui.commands import BY_ID, COMMANDS, SCREENS
from fedtui.tui.keymap import shown
from fedtui.tui.modals.base import Choice, Modal, Words
from fedtui.tui.modals.fields import Field, LongPick, Pick
from fedtui.tui.modals.help import keys_of
from fedtui.tui.settings import LAST, THEME_NAMES, GlyphName, Settings

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key

YES, NO = "yes", "no"
HZ = ("1", "2", "4")
FLAGS = {
    "log_scale": "log scale",
    "mouse": "mouse",
    "bell": "bell",
    "detach_asks": "ask at detach",
}
REMAPPABLE = tuple(one for one in COMMANDS if one.keys)


class KeyPick(Modal[str | None]):
    """Takes the next key that is pressed; dismissed with it. Escape keeps the old one."""

    hints = (("Esc", "keep it as it is"), ("Backspace", "the table's own"))

    def __init__(self, command_id: str) -> None:
        super().__init__()
        self.heading = f"A key for: {BY_ID[command_id].title}"

    def body(self) -> ComposeResult:
        yield Words("Press the key.")

    def on_key(self, event: Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.end(None)
        else:
            self.end("" if event.key == "backspace" else event.key)


class SettingsForm(Modal[Settings]):
    """Dismissed with the settings that were applied; None if nothing was."""

    heading = "Settings"
    hints = (("Tab ↑ ↓", "field"), ("← →", "choose"), ("Enter", "change key"), ("Esc", "cancel"))
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "apply", show=False)]

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._keys = dict(settings.keys)

    def body(self) -> ComposeResult:
        one = self._settings
        names = {name.removeprefix("fedtui-") for name in THEME_NAMES}
        ordered = [name for name in ("dark", "light", "contrast") if name in names]
        yield Field("theme", Pick(ordered, one.theme.removeprefix("fedtui-"), id="theme"))
        yield Field("graph symbols", Pick(get_args(GlyphName), one.glyphs, id="glyphs"))
        yield Field("refresh", Pick(HZ, f"{one.hz:g}", id="hz"), "a second")
        yield Field("first screen", LongPick((LAST, *SCREENS), one.screen, id="screen"))
        for name, words in FLAGS.items():
            value = YES if getattr(one, name) else NO
            yield Field(words, Pick((YES, NO), value, id=name))
        yield Words("Keys (Enter changes one)", classes="head gap")
        yield OptionList(id="keys", markup=False, compact=True)

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice("s Save", id="apply")

    def on_mount(self) -> None:
        self._list_keys()
        self.query_one("#theme").focus()

    def _list_keys(self) -> None:
        listed = self.query_one("#keys", OptionList)
        place = listed.highlighted
        listed.clear_options()
        listed.add_options(
            Option(
                Content.assemble(
                    (f"{keys_of(one, self._keys):>8}", "bold $accent"),
                    f"  {one.title}",
                    ("  (your own)" if one.id in self._keys else "", "$quiet"),
                )
            )
            for one in REMAPPABLE
        )
        listed.highlighted = place or 0

    def read(self) -> Settings:
        """What the form says."""
        values = {one.id or "": one.value for one in self.query(Pick)}
        changed: dict[str, object] = {name: values[name] == YES for name in FLAGS}
        return msgspec.structs.replace(
            self._settings,
            theme=f"fedtui-{values['theme']}",
            glyphs=values["glyphs"],
            hz=float(values["hz"]),
            screen=values["screen"],
            keys=self._keys,
            **changed,
        )

    @on(OptionList.OptionSelected, "#keys")
    def chosen(self, event: OptionList.OptionSelected) -> None:
        self.change(REMAPPABLE[event.option_index].id)

    @work
    async def change(self, command_id: str) -> None:
        """Ask for a key, and take it if it can be used."""
        key = await self.app.push_screen_wait(KeyPick(command_id))
        if key is None:
            return
        wanted = {name: old for name, old in self._keys.items() if name != command_id}
        if key:
            wanted[command_id] = key
        problems = keymap.problems(wanted)
        if problems:
            self.refuse("; ".join(problems), f"{shown(key)} was not taken")
            return
        self.refuse("")
        self._keys = wanted
        self._list_keys()

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.end(None)

    @on(Button.Pressed, "#apply")
    def action_apply(self) -> None:
        settings = self.read()
        self.face.apply(settings)
        self.end(settings)
