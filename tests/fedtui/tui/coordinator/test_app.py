"""The coordinator's screen with keys and a fake coordinator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_coordinator import BOARD, INVITE, NODES, NOW, FakeCoordinator, node
from msgspec.structs import replace
from textual.pilot import Pilot

from fedtui.status import Refused
from fedtui.status.coordinator import InviteWish
from fedtui.tui.coordinator.app import CoordinatorApp
from fedtui.tui.coordinator.asking import NewInvite, Question, ShownInvite
from fedtui.tui.coordinator.keys import PANES
from fedtui.tui.widgets.rows import Rows

SIZES = [(120, 36), (80, 24), (60, 18), (40, 12)]
ROWS = {row.label: row.fingerprint for row in NODES}


@dataclass
class Desk:
    app: CoordinatorApp
    fake: FakeCoordinator
    pilot: Pilot[None]
    copied: list[str]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        await self.pilot.pause()
        self.app.draw()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """All that is drawn."""
        return "\n".join(
            "".join(segment.text for segment in strip)
            for strip in self.app.screen._compositor.render_strips()
        )

    def line(self, name: str) -> str:
        return self.app.screen_stack[0].query_one(f"#{name}", Rows).lines[0].plain

    @property
    def toasts(self) -> list[str]:
        return [toast.message for toast in self.app._notifications]


@asynccontextmanager
async def opened(
    fake: FakeCoordinator | None = None,
    *,
    size: tuple[int, int] = (120, 36),
    folder: Path = Path(),
) -> AsyncIterator[Desk]:
    fake = fake or FakeCoordinator()
    app = CoordinatorApp(fake, clock=lambda: 5.0, folder=folder)
    copied: list[str] = []
    app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
    async with app.run_test(size=size) as pilot:
        desk = Desk(app, fake, pilot, copied)
        await desk.settle()
        await desk.settle()
        yield desk


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_state_nodes_and_detach(size: tuple[int, int]) -> None:
    async with opened(size=size) as desk:
        assert "● TRAINING" in desk.text
        assert "alder-ws" in desk.text
        assert "q Detach" in desk.text
        for number, name in enumerate(PANES, start=1):
            await desk.press(str(number))
            await desk.settle()
            assert desk.app.focused_pane == name
            pane = desk.app.pane(name)
            assert pane.size.width > 10, f"{name} is not shown at {size}"
            assert pane.lines, name


async def test_approving_shows_who_it_is_and_cancel_is_the_default() -> None:
    async with opened() as desk:
        await desk.press("a")
        assert isinstance(desk.app.screen, Question)
        for words in (ROWS["birch"], "amber fjord lemon quartz violin zebra", "192.168.1.29"):
            assert words in desk.text
        await desk.press("enter")
        assert desk.fake.asked == [], "Enter on the default changes nothing"
        await desk.press("a", "escape")
        assert desk.fake.asked == []
        await desk.press("a", "tab", "enter")
        assert desk.fake.asked == [("approve", ROWS["birch"])]
        await desk.settle()
        assert "asks to join" not in desk.line("line-status")
        assert "birch is enrolled as participant" in desk.toasts


async def test_the_chosen_one_of_those_who_ask_is_decided_on() -> None:
    second = node(8, "elm", state="pending", phase="asks", words=())
    board = replace(BOARD, nodes=(NODES[0], second, *NODES[1:]), pending=2)
    async with opened(FakeCoordinator(board)) as desk:
        await desk.press("down", "r")
        assert "are being worked out..." in desk.text
        desk.fake.change(nodes=(NODES[0], replace(second, words=("late", "words"))))
        await desk.settle()
        await desk.pilot.pause(0.6)
        assert "late words" in desk.text
        await desk.press("tab", "enter")
        assert desk.fake.asked == [("reject", second.fingerprint)]


async def test_revoke_and_evict_the_node_under_the_cursor() -> None:
    async with opened() as desk:
        await desk.press("down", "v")
        assert "alder-ws" in desk.text
        await desk.press("tab", "enter")
        await desk.press("down", "k", "tab", "enter")
        assert desk.fake.asked[0] == ("revoke", ROWS["alder-ws"])
        assert desk.fake.asked[1] == ("evict", ROWS["oak"]), "the revoked one is not shown"


async def test_the_cursor_stays_on_its_node_when_others_come() -> None:
    async with opened() as desk:
        await desk.press("down", "down")
        assert desk.app.chosen_node is not None
        name = desk.app.chosen_node.label
        desk.fake.change(nodes=(node(8, "elm"), *BOARD.nodes))
        await desk.settle()
        assert desk.app.chosen_node.label == name


async def test_an_invite_is_made_shown_once_and_copied() -> None:
    async with opened() as desk:
        await desk.press("i")
        assert isinstance(desk.app.screen, NewInvite)
        await desk.press("right", "tab", *"ward", "tab", "2", "tab", "backspace", "3", "tab")
        await desk.press("right")
        await desk.press("tab", "tab", "enter")
        assert desk.fake.asked == [
            (
                "invite",
                InviteWish(role="evaluator", label="ward", hours=2.0, uses=3, auto_approve=True),
            )
        ]
        await desk.settle()
        assert isinstance(desk.app.screen, ShownInvite)
        assert INVITE[:60] in desk.text
        assert "▀" in desk.text, "the code to scan"
        await desk.press("y")
        assert desk.copied == [INVITE]
        await desk.press("escape")
        assert INVITE[:30] not in desk.text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("tab", "tab", *"soon", "enter"), "hours: a number"),
        (("tab", "tab", "tab", "backspace", "0", "enter"), "uses: a whole number"),
    ],
)
async def test_a_form_with_mistakes_says_so_and_stays(keys: tuple[str, ...], words: str) -> None:
    async with opened() as desk:
        await desk.press("i", *keys)
        assert words in desk.text
        assert desk.fake.asked == []


async def test_a_refused_invite_keeps_the_form() -> None:
    async with opened() as desk:
        desk.fake.refuses = Refused("this machine's address is not known")
        await desk.press("i", "tab", "enter")
        assert isinstance(desk.app.screen, NewInvite)
        assert "this machine's address is not known" in desk.text


@pytest.mark.parametrize("size", SIZES)
async def test_the_code_is_whole_or_says_which_size_it_needs(size: tuple[int, int]) -> None:
    async with opened(size=size) as desk:
        await desk.press("i", "tab", "enter")
        await desk.settle()
        whole = desk.text.count("▀") > 100
        if size == (120, 36):
            assert whole
        elif not whole:
            assert "a code to scan needs" in desk.text


async def test_an_invite_is_taken_back() -> None:
    async with opened() as desk:
        await desk.press("4", "v")
        assert "ward-a" in desk.text
        await desk.press("enter")
        assert desk.fake.asked == []
        await desk.press("v", "tab", "enter")
        assert desk.fake.asked == [("revoke_invite", "00" * 8)]
        await desk.settle()
        assert "revoked" in desk.text


async def test_pause_and_resume_are_one_key() -> None:
    async with opened() as desk:
        await desk.press("P")
        await desk.settle()
        assert "no new round begins after this one" not in desk.text, "who asks comes first"
        await desk.press("P")
        assert [name for name, _ in desk.fake.asked] == ["pause", "resume"]


async def test_a_round_now_and_stop() -> None:
    async with opened(FakeCoordinator(replace(BOARD, can_begin=True))) as desk:
        await desk.press("n")
        assert desk.fake.asked == [("next_round", None)]
        await desk.press("S", "enter")
        assert len(desk.fake.asked) == 1
        await desk.press("S", "tab", "enter")
        assert desk.fake.asked[-1] == ("stop", None)


async def test_what_cannot_be_done_says_why() -> None:
    async with opened() as desk:
        await desk.press("n")
        assert any("no round can begin now" in text for text in desk.toasts)
        desk.fake.refuses = Refused("the disk is full", remedy="make room")
        await desk.press("P")
        assert "the disk is full. make room" in desk.toasts


async def test_filter_and_escape() -> None:
    async with opened() as desk:
        await desk.press("slash", *"oak", "enter")
        assert [row.label for row in desk.app.view.nodes] == ["oak"]
        assert "alder-ws" not in desk.text.split("Invites")[0].split("awaits")[0]
        assert desk.app.focused_pane == "nodes"
        await desk.press("escape")
        assert len(desk.app.view.nodes) == 7


async def test_letters_in_the_filter_are_no_commands() -> None:
    async with opened() as desk:
        await desk.press("slash", *"qSaP")
        assert desk.app.view.filter == "qSaP"
        assert desk.fake.asked == []
        await desk.press("escape")
        assert desk.app.view.filter == ""
        assert not desk.app.screen.query_one("#find").has_class("-open")


async def test_a_lost_connection_is_a_veil_and_goes_away_by_itself() -> None:
    async with opened() as desk:
        desk.fake.lose()
        await desk.settle()
        assert "connection lost; numbers are from 17:06:40; reattaching..." in desk.line("banner")
        assert desk.app.screen.has_class("lost")
        await desk.press("v")
        assert desk.fake.asked == []
        assert any("the coordinator does not answer" in text for text in desk.toasts)
        desk.fake.change(incarnation=4)
        await desk.settle()
        assert "connection lost" not in desk.text
        assert not desk.app.screen.has_class("lost")


async def test_two_screens_watch_one_coordinator() -> None:
    fake = FakeCoordinator()
    async with opened(fake) as one, opened(fake) as two:
        await one.press("P")
        await two.settle()
        assert two.app.view.board is not None
        assert two.app.view.board.paused


async def test_alarms_are_acknowledged() -> None:
    async with opened() as desk:
        assert "!2" in desk.line("line-status")
        await desk.press("exclamation_mark")
        await desk.settle()
        assert "!2" not in desk.line("line-status")
        assert "maple dropped out" in desk.text, "they stay in the list"


async def test_freeze_keeps_the_display_and_what_comes() -> None:
    async with opened() as desk:
        await desk.press("f")
        desk.fake.change(text="something new")
        await desk.settle()
        assert "FROZEN" in desk.line("line-status")
        assert "something new" not in desk.text
        await desk.press("f")
        await desk.settle()
        assert "something new" in desk.text


async def test_zoom_and_details() -> None:
    async with opened() as desk:
        await desk.press("z")
        await desk.settle()
        assert desk.app.pane("nodes").size.width > 110
        assert desk.app.pane("health").size.width == 0
        await desk.press("escape")
        await desk.settle()
        assert desk.app.pane("health").size.width > 0
        await desk.press("down", "enter")
        assert "approved by operator" in desk.text
        assert desk.text.count("hidden by design") >= 2
        await desk.press("y")
        assert desk.copied == [ROWS["alder-ws"]]


def written(folder: Path) -> tuple[list[str], int]:
    (made,) = folder.iterdir()
    return sorted(path.name for path in made.iterdir()), made.stat().st_mode


async def test_export_writes_what_is_shown(tmp_path: Path) -> None:
    async with opened(folder=tmp_path) as desk:
        await desk.press("e")
        while not desk.toasts:
            await desk.settle()
    names, mode = written(tmp_path)
    assert names == ["events.jsonl", "nodes.csv", "rounds.csv"]
    assert mode & 0o077 == 0


async def test_an_export_that_fails_says_so(tmp_path: Path) -> None:
    async with opened(folder=tmp_path / "missing") as desk:
        await desk.press("e")
        while not desk.toasts:
            await desk.settle()
        assert any(text.startswith("not exported: ") for text in desk.toasts)


async def test_help_and_the_palette_have_every_command() -> None:
    async with opened() as desk:
        await desk.press("question_mark")
        assert "fedtui-coordinator nodes approve FINGERPRINT" in desk.text
        await desk.press("escape")
        found = [*desk.app.get_system_commands(desk.app.screen)]
        assert any("not now: not paused" in command.help for command in found)
        await desk.press("ctrl+p")
        await desk.press("escape")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_detach_ends_the_screen_only(key: str) -> None:
    async with opened() as desk:
        await desk.press(key)
        assert desk.app.return_code == 0
        assert desk.fake.asked == []


async def test_nothing_is_drawn_when_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as desk:
        drawn: list[object] = []
        refresh = Rows.refresh

        def counted(self: Rows, *args: object, **kwargs: object) -> Rows:
            drawn.append((self.id, args))
            return refresh(self, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Rows, "refresh", counted)
        for _ in range(5):
            desk.app.draw()
        assert drawn == []
        desk.fake.change(text="round 12: 2 of 3 nodes are ready")
        await desk.settle()
        assert {name for name, _ in drawn} == {"health"}


async def test_hostile_labels_are_only_drawn() -> None:
    evil = replace(NODES[0], label="\x1b[2J[red]@click\u202e\n", address="[link=x]", words=())
    board = replace(BOARD, nodes=(evil, *NODES[1:]), federation="[bold]\x07" * 5, at=NOW)
    async with opened(FakeCoordinator(board)) as desk:
        for key in ("a", "escape", "enter"):
            await desk.press(key)
            assert not {"\x1b", "\u202e", "\x07"} & set(desk.text)
        await desk.press("escape")
        assert "[red]" in desk.text


async def test_the_three_themes_go_round() -> None:
    async with opened() as desk:
        seen = []
        for _ in range(3):
            await desk.press("t")
            seen.append(desk.app.theme)
        assert sorted(seen) == ["fedtui-contrast", "fedtui-dark", "fedtui-light"]


async def test_a_tick_while_the_app_closes_draws_nothing_and_fails_at_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as desk:
        app = desk.app
        real = app._close_messages

        async def close(*waits: bool) -> None:
            app.draw()  # its screens are gone
            await real(*waits)

        monkeypatch.setattr(app, "_close_messages", close)
