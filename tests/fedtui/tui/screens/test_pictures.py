"""Pictures of the screens, at a frozen time: look at each that changed before accepting it.

`pytest -m snapshot --snapshot-update` accepts them all.
"""

from collections.abc import Awaitable, Callable

import a_status
import pytest
from a_screen import drawn, screen_of
from textual.pilot import Pilot

from fedtui.tui.settings import Settings

pytestmark = pytest.mark.snapshot

SIZES = [(120, 36), (80, 24), (60, 18), (40, 12)]
Compare = Callable[..., bool]


def at(mode: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Goes to this screen and draws all that is known."""

    async def go(pilot: Pilot[None]) -> None:
        if pilot.app.current_mode != mode:
            await pilot.app.switch_mode(mode)
        await drawn(pilot.app, pilot)  # type: ignore[arg-type]

    return go


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("theme", ["fedtui-dark", "fedtui-light"])
@pytest.mark.parametrize("name", ["normal", "offline", "alarm", "empty"])
@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_overview(snap_compare: Compare, size: tuple[int, int], name: str, theme: str) -> None:
    app = screen_of(getattr(a_status, name)(), Settings(theme=theme))
    assert snap_compare(app, terminal_size=size, run_before=at("overview"))


@pytest.mark.parametrize(
    "mode", ["training", "rounds", "network", "privacy", "federation", "events"]
)
@pytest.mark.parametrize("size", [(120, 36), (60, 18)], ids=name_of)
def test_screen(snap_compare: Compare, size: tuple[int, int], mode: str) -> None:
    assert snap_compare(screen_of(a_status.normal()), terminal_size=size, run_before=at(mode))


@pytest.mark.parametrize("glyphs", ["block", "ascii"])
def test_signs(snap_compare: Compare, glyphs: str) -> None:
    app = screen_of(a_status.normal(), Settings(glyphs=glyphs))  # type: ignore[arg-type]
    assert snap_compare(app, terminal_size=(120, 36), run_before=at("overview"))


def test_high_contrast(snap_compare: Compare) -> None:
    app = screen_of(a_status.alarm(), Settings(theme="fedtui-contrast"))
    assert snap_compare(app, terminal_size=(120, 36), run_before=at("overview"))


@pytest.mark.parametrize("mode", ["overview", "events"])
def test_hostile(snap_compare: Compare, mode: str) -> None:
    app = screen_of(a_status.hostile())
    assert snap_compare(app, terminal_size=(80, 24), run_before=at(mode))
