"""The demo in a real terminal: the screen of one of its nodes while it runs, then the summary."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from a_terminal import ATerminal

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(180)]
DEMO = str(Path(sys.executable).parent / "fedtui-demo")
Open = Callable[..., Awaitable[ATerminal]]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a demo of three nodes whose model goes to `tmp_path`/model."""
    opened: list[ATerminal] = []

    async def begin(*options: str) -> ATerminal:
        argv = [DEMO, "--nodes", "3", "--out", str(tmp_path / "model"), *options]
        environment = {**os.environ, "TERM": "xterm-256color", "TMPDIR": str(tmp_path)}
        found = ATerminal(argv, environment, columns=100, rows=30)
        opened.append(found)
        return found

    yield begin
    for one in opened:
        await one.close()


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("fedtui-*")}


async def test_the_screen_shows_a_node_until_it_is_left(demo: Open, tmp_path: Path) -> None:
    terminal = await demo()
    await terminal.until(lambda text: "node-1" in text and "Detach" in text)
    await terminal.until("the federation is over")
    terminal.type("q")
    assert await terminal.ended() == 0
    assert b"target reached" in terminal.raw
    assert (tmp_path / "model" / "model.safetensors").exists()
    assert left_in(tmp_path) <= {f"fedtui-{os.getuid()}"}  # where this user's sockets are


async def test_leaving_the_screen_early_leaves_the_federation_running(demo: Open) -> None:
    terminal = await demo("--rounds", "40", "--target", "1.0")
    await terminal.until(lambda text: "node-1" in text and "Detach" in text)
    terminal.type("q")
    await terminal.until("measure")
    assert await terminal.ended() in {0, 1}
    assert b"rounds" in terminal.raw


async def test_without_a_screen_it_is_the_panel_of_before(demo: Open) -> None:
    terminal = await demo("--no-screen")
    assert await terminal.ended() == 0
    assert b"Detach" not in terminal.raw
    assert b"target reached" in terminal.raw
