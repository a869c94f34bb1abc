"""The palette's commands without a form, given to the whole app over a fake node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import a_status
import pytest
from fake_node import FakeNode
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from fedtui.tui.app import FedtuiApp
from fedtui.tui.outside import Outside
from fedtui.tui.settings import Settings
from fedtui.tui.wishes import next_time
from node.board import Board


@dataclass
class Desk:
    node: FakeNode
    app: FedtuiApp
    pilot: Pilot[None]
    saved: list[Settings]

    async def give(self, command: str) -> None:
        self.app.give(command)
        given = [one for one in self.app.workers if one.group == "commands"]
        if given:
            await self.app.workers.wait_for_complete(given)
        await self.pilot.pause()


@asynccontextmanager
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    node = FakeNode(Board(a_status.normal(), clock=lambda: a_status.NOW))
    saved: list[Settings] = []
    app = FedtuiApp(
        node,
        clock=lambda: a_status.NOW,
        outside=Outside(save=saved.append, exports=tmp_path / "exports"),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        yield Desk(node, app, pilot, saved)


@given(st.floats(0, 2e9), st.integers(0, 23), st.integers(0, 59))
def test_the_next_time_of_day_is_within_a_day(now: float, hour: int, minute: int) -> None:
    found = next_time(f"{hour:02d}:{minute:02d}", now)
    assert 0 < found - now <= 90_000  # a day has 25 hours once a year
    here = datetime.fromtimestamp(found).astimezone()
    assert (here.minute, here.second) == (minute, 0)


async def test_limits_are_set_and_others_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        before = at.node.board.status.limits
        await at.give("limit.ac")
        await at.give("limit.night")
        now = at.node.board.status.limits
        assert (now.run, now.hours) == ("AC", "20:00-07:00")
        assert now.max_upload_mb_per_day == before.max_upload_mb_per_day


async def test_pausing_until_a_time_and_leaving_after_the_round(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.give("leave.after")
        assert at.node.board.status.leaving
        await at.give("pause.evening")
        assert at.node.board.status.pause_until > a_status.NOW


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        ("theme.contrast", "theme", "fedtui-contrast"),
        ("glyphs.ascii", "glyphs", "ascii"),
        ("refresh.1", "hz", 1.0),
        ("log_scale", "log_scale", True),
    ],
)
async def test_how_it_looks_changes_at_once_and_is_kept(
    tmp_path: Path, command: str, field: str, value: object
) -> None:
    async with desk(tmp_path) as at:
        await at.give(command)
        assert getattr(at.app.settings, field) == value
        assert getattr(at.saved[-1], field) == value


async def test_pictures_and_diagnostics_are_files_of_the_operator(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.give("screenshot")
        await at.give("diagnostics")
        files = sorted(path.name.partition("-")[0] for path in (tmp_path / "exports").iterdir())
        assert files == ["diagnostics", "screen"]
        assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "exports").iterdir())


async def test_ids_and_words_are_copied(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.give("copy.id")
        assert at.app.clipboard == at.node.board.status.node_id
        await at.give("copy.words")
        assert len(at.app.clipboard.split()) == 6


async def test_about_and_a_refusal_are_said(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.give("about")
        await at.give("resume")
        texts = [note.message for note in at.app._notifications]
        assert any("pid" in text for text in texts)
        assert any("not paused" in text for text in texts)
