"""Pictures of the coordinator's screen: look at each that changed before accepting it.

`pytest -m snapshot --snapshot-update` accepts them all.
"""

from collections.abc import Callable
from typing import cast

import pytest
from fake_coordinator import BOARD, EMPTY, EVENTS, FakeCoordinator
from msgspec.structs import replace
from textual.pilot import Pilot

from fedtui.tui.coordinator.app import CoordinatorApp

pytestmark = pytest.mark.snapshot

SIZES = [(120, 36), (80, 24)]
MADE = {
    "normal": lambda: FakeCoordinator(replace(BOARD, alarms=()), events=EVENTS[:4]),
    "alarm": FakeCoordinator,
    "empty": lambda: FakeCoordinator(EMPTY, (), ()),
}
Compare = Callable[..., bool]


async def drawn(pilot: Pilot[None]) -> None:
    for _ in range(2):
        await pilot.pause()
        cast("CoordinatorApp", pilot.app).draw()
    await pilot.pause()


def screen_of(name: str, theme: str = "dark") -> CoordinatorApp:
    environment = {"TERM": "xterm", "FEDTUI_THEME": theme}
    return CoordinatorApp(MADE[name](), clock=lambda: 5.0, environment=environment)


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_it_looks_the_same(snap_compare: Compare, size: tuple[int, int], name: str) -> None:
    assert snap_compare(screen_of(name), terminal_size=size, run_before=drawn)


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_in_a_light_theme(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(screen_of("alarm", "light"), terminal_size=size, run_before=drawn)


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_when_nobody_answers(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = screen_of("normal")

    async def lose(pilot: Pilot[None]) -> None:
        await drawn(pilot)
        cast("FakeCoordinator", app.controls).lose()
        await drawn(pilot)

    assert snap_compare(app, terminal_size=size, run_before=lose)
