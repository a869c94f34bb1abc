"""No round is lost, tried again or late because a screen on a node that works dies or stalls."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from a_terminal import ATerminal
from programs import BIN, Federation

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]
ROUNDS_AFTER = 3


@pytest.fixture
async def terminals(endless: Federation) -> AsyncIterator[list[ATerminal]]:
    """Four screens on one node."""
    kept = {name: value for name, value in endless.environment.items() if name != "NO_COLOR"}
    found = [
        ATerminal(
            [str(BIN / "fedtui"), "--profile", "a"],
            kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
            columns=100,
            rows=30,
        )
        for _ in range(4)
    ]
    yield found
    for one in found:
        await one.close()


def killed(terminal: ATerminal) -> None:
    terminal.signal(signal.SIGKILL)


def stopped(terminal: ATerminal) -> None:
    terminal.type("\x1a")


async def test_every_round_has_every_node_whatever_becomes_of_the_screens(
    endless: Federation, terminals: list[ATerminal]
) -> None:
    for one in terminals:
        await one.until("TRAINING")
    pid = (await asyncio.to_thread(endless.status, "a"))["pid"]
    harms: list[Callable[[ATerminal], None]] = [
        ATerminal.stall,
        stopped,
        ATerminal.hang_up,
        killed,
    ]
    for harm, one in zip(harms, terminals, strict=True):
        before = (await rounds(endless))["round"]
        harm(one)
        while (await rounds(endless))["round"] < before + ROUNDS_AFTER:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    found = await rounds(endless)
    done = [one for one in found["rounds"] if one["round"]]
    assert len(done) >= ROUNDS_AFTER * len(harms)
    assert {(one["participants"], one["attempt"]) for one in done} == {(2, 1)}
    assert found["failures"] == []
    assert (await asyncio.to_thread(endless.status, "a"))["pid"] == pid


async def rounds(endless: Federation) -> dict[str, Any]:
    """The coordinator's word on its rounds."""
    said = await asyncio.to_thread(endless.coordinator, "status", "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert isinstance(found, dict)
    return found
