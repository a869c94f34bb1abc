"""Keys in a real terminal while the node tells 10,000 events a minute; what they took is printed.

The node is a fake behind the real control server: no real one has so much to say.
"""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from a_terminal import ATerminal
from fake_node import FakeNode
from programs import BIN

from node.board import Board
from node.control import ControlServer

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(60)]
PER_MINUTE = 10_000
NUM_KEYS = 60
EVENTS = "source all"


async def flood(board: Board) -> None:
    """Never behind its pace: what was slept too long is made up for."""
    began, number = time.monotonic(), 0
    while True:
        while number < PER_MINUTE / 60 * (time.monotonic() - began):
            number += 1
            board.log("warning" if number % 10 == 0 else "info", f"line {number}", "link")
        await asyncio.sleep(0.005)


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[ATerminal]:
    node = FakeNode()
    socket = tmp_path / "node.sock"
    server = ControlServer(socket, controls=node, board=node.board)
    await server.start()
    telling = asyncio.create_task(flood(node.board))
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    found = ATerminal(
        [str(BIN / "fedtui"), "watch", "--socket", str(socket)],
        kept | {"FEDTUI_HOME": str(tmp_path), "TERM": "xterm-256color", "LANG": "C.UTF-8"},
    )
    yield found
    await found.close()
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling
    await server.close()


async def test_every_key_is_answered_while_ten_thousand_events_a_minute_come(
    terminal: ATerminal,
) -> None:
    await terminal.until("IDLE")
    took = []
    for number in range(NUM_KEYS):
        key = "74"[number % 2]
        began = time.perf_counter()
        terminal.type(key)
        await terminal.until(lambda text, key=key: (EVENTS in text) is (key == "7"))
        took.append(1000 * (time.perf_counter() - began))
    terminal.type("7")
    seen = terminal.text
    await terminal.until(lambda text: "line" in text and text != seen)  # and the events go by
    p50, most = statistics.median(took), max(took)
    print(f"{NUM_KEYS} keys to the whole screen: p50 {p50:.0f} ms, at most {most:.0f} ms")  # noqa: T201
