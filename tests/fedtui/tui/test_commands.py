"""One table makes keys, footer, help and palette: it must be whole and say why not."""

import inspect
from pathlib import Path

import a_status
import pytest
from msgspec.structs import replace

from fedtui.status import NodeControls, NodeStatus
from fedtui.tui.command import Command
from fedtui.tui.commands import BY_ID, COMMANDS, SCREENS, footer
from fedtui.tui.doing import DOING
from fedtui.tui.view import View


def of(status: NodeStatus, *, lost_at: float | None = None) -> View:
    return View(status=status, now=a_status.NOW, lost_at=lost_at)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.id)
def test_every_command_is_performed_by_something(command: Command) -> None:
    assert command.performs in {*DOING, "screen"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.id)
def test_every_action_has_a_twin_or_is_of_the_display_alone(command: Command) -> None:
    assert command.twin or command.group in {"display", "program"}


def test_ids_are_unique_and_every_screen_has_its_digit() -> None:
    assert len(BY_ID) == len(COMMANDS)
    assert [BY_ID[f"scr.{n}"].argument for n in range(1, 8)] == list(SCREENS)


def test_the_footer_follows_the_state_and_never_loses_detach() -> None:
    for status in (a_status.normal(), a_status.offline(), a_status.empty()):
        for most in range(1, 9):
            shown = [one.id for one in footer(of(status), most)]
            assert "detach" in shown
            assert len(shown) <= most
    working = [one.id for one in footer(of(a_status.normal()))]
    assert {"pause", "leave", "ledger"} <= set(working)
    assert "join" not in working
    paused = [one.id for one in footer(of(replace(a_status.normal(), state="paused")))]
    assert "resume" in paused
    assert "pause" not in paused
    assert "join" in [one.id for one in footer(of(a_status.empty()))]
    assert "retry" in [one.id for one in footer(of(a_status.offline()))]


def test_what_cannot_be_given_says_why() -> None:
    assert BY_ID["resume"].why_not(of(a_status.normal())) == "not paused"
    assert BY_ID["leave"].why_not(of(a_status.empty())) == "not in a federation"
    assert BY_ID["retry"].why_not(of(a_status.normal())) == "connected"
    assert "does not answer" in BY_ID["pause"].why_not(of(a_status.normal(), lost_at=1.0))


def test_whatever_changes_the_node_is_refused_to_a_screen_that_may_only_look() -> None:
    view = View(status=a_status.alarm(), read_only="node is 0.3.1, this screen 0.4.0")
    folder = Path(inspect.getfile(Command)).parent
    files = ("doing.py", "wishes.py", "modals/doors.py", "onscreen.py")
    source = "\n\n\n".join((folder / name).read_text() for name in files)
    methods = {name for name, _ in inspect.getmembers(NodeControls, inspect.isfunction)}
    reading = {"status", "watch", "ledger", "log", "history", "words", "check", "read_invite"}
    for command in COMMANDS:
        body = source.partition(f"async def {command.performs}(")[2].partition("\n\n\n")[0]
        asks = {name for name in methods - reading if f"controls.{name}(" in body}
        assert not asks or command.why_not(view), f"{command.id} asks for {asks}"
