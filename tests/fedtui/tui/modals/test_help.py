"""Help comes from the table of commands, and says why a key does nothing now."""

import a_status
import pytest
from a_screen import drawn, running, screen_of, text_of

from fedtui.tui.commands import COMMANDS
from fedtui.tui.modals.help import Help, about, table
from fedtui.tui.view import View


def test_every_command_with_a_key_is_there_with_it() -> None:
    text = table({}, View(status=a_status.normal(), now=a_status.NOW), 300).plain
    for one in COMMANDS:
        if one.keys:
            assert one.title in text, one.id


def test_the_operators_own_key_stands_in_it() -> None:
    text = table({"pause": "P"}, View(status=a_status.normal()), 300).plain
    line = next(line for line in text.splitlines() if " Pause" in line)
    assert line.split()[0] == "P"


def test_what_cannot_be_given_says_why() -> None:
    text = table({}, View(status=a_status.empty()), 300).plain
    assert "Leave the federation: not in a federation" in text


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 36)])
async def test_it_opens_scrolls_and_closes(size: tuple[int, int]) -> None:
    app = screen_of(a_status.normal())
    async with running(app, size) as pilot:
        await pilot.press("question_mark")
        await drawn(app, pilot)
        assert isinstance(app.screen, Help)
        assert "Esc" in text_of(app)
        await pilot.press(*["pagedown"] * 20)
        await pilot.pause()
        assert "node pid 4121, up 2 h 10" in " ".join(text_of(app).split())
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Help)


def test_without_a_node_it_says_so() -> None:
    assert about(a_status.NodeStatus(), 0.0) == "no node runs"
