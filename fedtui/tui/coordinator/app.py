"""CoordinatorApp: attaches to a coordinator, keeps the View, draws panes, performs commands.

    controls.watch() -> reduce -> tick (2 Hz) -> lines of each pane -> lines that changed

It holds nothing that the coordinator needs: it may crash, stall or be killed at any moment.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from fedtui.status import Refused
from fedtui.tui.coordinator import drawing, heading
from fedtui.tui.coordinator.doing import DOING
from fedtui.tui.coordinator.keys import BY_ID, COMMANDS, PANE_TITLES, PANES, Scene
from fedtui.tui.coordinator.listing import Listing
from fedtui.tui.coordinator.state import Filtered, Ticked, View, reduce
from fedtui.tui.glyphs import choose
from fedtui.tui.lines import fit
from fedtui.tui.redrawing import RedrawnWhole
from fedtui.tui.themes import THEMES
from fedtui.tui.typeahead import KeysInOrder
from fedtui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen

    from fedtui.status.coordinator import CoordinatorControls, InviteLine, NodeRow
    from fedtui.tui.coordinator.state import Event

TICK_S = 0.5
HERE = Path(__file__).parent


def _bindings() -> list[Binding]:
    """One for each key of the table; commands that share a key share its binding."""
    made: dict[str, Binding] = {}
    for command in COMMANDS:
        for key in command.keys:
            made.setdefault(
                key, Binding(key, f"app.key({key!r})", command.title, show=False, id=command.id)
            )
    focus = {"tab": "app.focus_next", "shift+tab": "app.focus_previous", "escape": "app.back"}
    made |= {key: Binding(key, action, show=False) for key, action in focus.items()}
    return list(made.values())


class CoordinatorApp(KeysInOrder, RedrawnWhole, inherit_bindings=False):
    """The screen of one coordinator. `clock` gives seconds; `folder` is where exports go."""

    TITLE = "fedtui coordinator"
    CSS_PATH: ClassVar = [HERE / "coordinator.tcss", HERE.parent / "styles" / "modals.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [*_bindings()]
    COMMAND_PALETTE_BINDING = "f12"  # ours is in the table of commands
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012  as App has it
        (0, "-tiny"),
        (50, "-narrow"),
        (70, "-medium"),
        (100, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012  as App has it
        (0, "-low"),
        (20, "-short"),
        (32, "-tall"),
    ]

    def __init__(
        self,
        controls: CoordinatorControls,
        *,
        clock: Callable[[], float],
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        seen = environment if environment is not None else {"TERM": "xterm"}
        self.controls = controls
        self.folder = folder if folder is not None else Path()
        self.view = View(glyphs=choose(seen, seen.get("ENCODING", "utf-8")))
        self.frozen: View | None = None
        self._clock = clock
        self._zoomed = ""
        self.animation_level = "none"
        for one in THEMES:
            self.register_theme(one)
        asked = seen.get("FEDTUI_THEME", "dark")
        names = [one.name for one in THEMES]
        self.theme = f"fedtui-{asked}" if f"fedtui-{asked}" in names else names[0]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The screen's own tokens, for themes that do not know them."""
        return dict(THEMES[0].variables)

    def compose(self) -> ComposeResult:
        yield Rows(id="line-status")
        yield Rows(id="line-identity")
        yield Rows(id="banner")
        with Vertical(id="body"):
            with Horizontal(id="top"):
                yield Listing(id="nodes", picks=True)
                with Vertical(id="side"):
                    yield Listing(id="model")
                    yield Listing(id="health")
            with Horizontal(id="bottom"):
                yield Listing(id="invites", picks=True)
                with Vertical(id="log"):
                    yield Listing(id="alarms")
                    yield Listing(id="events", tail=True)
        yield Input(id="find", placeholder="show only what holds...", select_on_focus=False)
        yield Rows(id="keys")

    def on_mount(self) -> None:
        for number, (name, title) in enumerate(zip(PANES, PANE_TITLES, strict=True), start=1):
            self.pane(name).border_title = f"{number} {title}"
        self.pane("nodes").focus()
        self.set_interval(TICK_S, self.draw)
        self.attach()

    def pane(self, name: str) -> Listing:
        """One of PANES."""
        return self.screen_stack[0].query_one(f"#{name}", Listing)

    # ---- what the coordinator says --------------------------------------------------------------

    @work(exclusive=True, group="attach")
    async def attach(self) -> None:
        """Follow the coordinator until the app ends."""
        first = True
        async for seen in self.controls.watch():
            self.take(seen)
            if first:
                first = False
                self.draw()

    def take(self, event: Event) -> None:
        """Another event; it is drawn at the next tick."""
        self.view = reduce(reduce(self.view, Ticked(self._clock())), event)

    def draw(self) -> None:
        """Draw what changed, by the newest View or the frozen one."""
        if not self.is_running:  # it closes: there may be no screen any more
            return
        self.view = reduce(self.view, Ticked(self._clock()))
        view = self.frozen or self.view
        screen = self.screen_stack[0]
        if not screen.size.width or not screen.query("#keys"):
            return
        self._arrange(screen)
        screen.set_class(view.lost is not None, "lost")
        width = screen.size.width
        frozen = Content.styled(" FROZEN ", "bold $background on $unverified")
        line = fit(heading.status_line(view), width - (8 if self.frozen else 1))
        self._rows("line-status", Content.assemble(frozen if self.frozen else " ", line))
        line = fit(heading.identity_line(view), width - 1)
        self._rows("line-identity", Content.assemble(" ", line))
        banner = heading.banner(view)
        self.screen_stack[0].query_one("#banner").display = banner is not None
        if banner is not None:
            self._rows("banner", drawing.cut(banner, width, view.glyphs))
        self._fill(view)
        self._rows("keys", drawing.footer(self.scene, width))

    def _rows(self, name: str, line: Content) -> None:
        self.screen_stack[0].query_one(f"#{name}", Rows).paint([line])

    def _fill(self, view: View) -> None:
        for name in PANES:
            pane = self.pane(name)
            width, height = pane.size
            if not width or not height:
                continue
            match name:
                case "nodes":
                    head, lines = drawing.nodes(view, width)
                    pane.fill(lines, head)
                    self._title(pane, f"1 {drawing.nodes_title(view)}")
                case "invites":
                    head, lines = drawing.invites(view, width)
                    pane.fill(lines, head)
                case "model":
                    pane.fill(drawing.model(view, width, height))
                case "health":
                    pane.fill(drawing.health(view, width))
                case "alarms":
                    pane.fill(drawing.alarms(view, width))
                case _:
                    pane.fill(drawing.events(view, width))

    def _title(self, pane: Listing, title: str) -> None:
        if str(pane.border_title or "") != title:
            pane.border_title = title

    # ---- which panes ----------------------------------------------------------------------------

    @property
    def focused_pane(self) -> str:
        """The pane with the focus, else the first."""
        found = self.screen_stack[0].focused
        return found.id if isinstance(found, Listing) and found.id else "nodes"

    def go_to(self, name: str) -> None:
        """Focus a pane; where it does not fit beside the others it is shown alone."""
        if not self.pane(name).size.width or self._zoomed:
            self._zoomed = name
        self._arrange(self.screen_stack[0])
        self.call_after_refresh(self._focus, name)

    def _focus(self, name: str) -> None:
        self.pane(name).focus()
        self.draw()

    def zoom(self) -> None:
        """The focused pane alone, or all again."""
        self._zoomed = "" if self._zoomed else self.focused_pane
        self._arrange(self.screen_stack[0])
        self.call_after_refresh(self.draw)

    def _arrange(self, screen: Screen[Any]) -> None:
        alone = self._zoomed or (self.focused_pane if "-tiny" in screen.classes else "")
        screen.set_class(bool(alone), "-one")
        for holder in screen.query("#top, #side, #bottom, #log, .pane").results():
            inside = holder.id == alone or (
                isinstance(holder, Container | Horizontal | Vertical)
                and bool(alone)
                and bool(holder.query(f"#{alone}"))
            )
            holder.set_class(inside, "-shown")

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    # ---- what is chosen -------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """What commands are given in."""
        return Scene(self.view, self.chosen_node, self.chosen_invite, self.focused_pane)

    @property
    def chosen_node(self) -> NodeRow | None:
        name = self.pane("nodes").chosen
        return next((row for row in self.view.nodes if row.fingerprint == name), None)

    @property
    def chosen_invite(self) -> InviteLine | None:
        name = self.pane("invites").chosen
        return next((one for one in self.view.invites if one.id == name), None)

    @on(Listing.Chosen)
    def _chose(self) -> None:
        self.draw()

    # ---- commands -------------------------------------------------------------------------------

    def action_key(self, key: str) -> None:
        """A key of the table: the first of its commands that can be given now."""
        if len(self.screen_stack) > 1:
            return
        found = [one for one in COMMANDS if key in one.keys]
        possible = [one for one in found if not one.why_not(self.scene)]
        if possible or found:
            self.give((possible or found)[0].id)

    def give(self, command_id: str) -> None:
        """Carry out a command, or say why not."""
        command = BY_ID[command_id]
        if why := command.why_not(self.scene):
            self.say(f"{command.title}: {why}", severity="warning")
        else:
            self.perform(command_id)

    @work(group="commands")
    async def perform(self, command_id: str) -> None:
        name, _, argument = command_id.partition(".")
        try:
            await DOING[name](self, argument)
        except Refused as refusal:
            remedy = f". {refusal.remedy}" if refusal.remedy else ""
            self.say(f"{refusal.text}{remedy}", severity="error")
        self.draw()

    def say(self, text: str, *, severity: Any = "information") -> None:
        """A toast, without markup."""
        self.notify(text, severity=severity, markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every command, with its reason if it cannot be given now."""
        del screen
        for command in COMMANDS:
            why = command.why_not(self.scene)
            help_ = f"not now: {why}" if why else f"{command.help}  {command.twin}".strip()
            yield SystemCommand(command.title, help_, lambda id_=command.id: self.give(id_))

    async def action_back(self) -> None:
        """Escape: away with the filter, else back from a zoomed pane."""
        if self.view.filter or self.query_one("#find").has_class("-open"):
            self.take(Filtered(""))
            self.close_filter()
            self.draw()
        elif self._zoomed:
            self.zoom()

    # ---- the filter -----------------------------------------------------------------------------

    def open_filter(self) -> None:
        """Ask for a text, at the bottom."""
        field = self.screen_stack[0].query_one("#find", Input)
        field.value = self.view.filter
        field.add_class("-open")
        field.focus()

    @on(Input.Changed, "#find")
    def _filter(self, event: Input.Changed) -> None:
        self.take(Filtered(event.value))
        self.draw()

    @on(Input.Submitted, "#find")
    def close_filter(self) -> None:
        """Keep the filter and go back to the pane."""
        self.screen_stack[0].query_one("#find", Input).remove_class("-open")
        self.pane("nodes").focus()

    def freeze(self) -> None:
        """Let the display stand still, or go on; what comes is kept."""
        self.frozen = None if self.frozen is not None else replace(self.view)

    def next_theme(self) -> None:
        names = [one.name for one in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
