"""The screen in a real terminal on a node that works, whose coordinator gets another key."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from a_terminal import ATerminal
from programs import BIN, Federation

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(90)]
BLOCKED = "THE COORDINATOR'S KEY CHANGED"


@pytest.fixture
async def terminal(endless: Federation) -> AsyncIterator[ATerminal]:
    (endless.folder / "nodes" / "a" / "screen.toml").write_text("detach_asks = false\n")
    kept = {name: value for name, value in endless.environment.items() if name != "NO_COLOR"}
    found = ATerminal(
        [str(BIN / "fedtui"), "--profile", "a"],
        kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        columns=100,
        rows=30,
    )
    yield found
    await found.close()


async def test_another_key_of_the_coordinator_blocks_the_screen_until_the_operator_stays_away(
    endless: Federation, terminal: ATerminal
) -> None:
    await terminal.until("TRAINING")
    first = (await status(endless))["coordinator"]
    assert isinstance(first, dict)
    await asyncio.to_thread(endless.stop)
    rotated = await asyncio.to_thread(endless.coordinator, "key", "rotate", "--json")
    assert rotated.returncode == 0, rotated.stderr
    (endless.directory / "rotations.json").unlink()  # nobody vouches for the new one
    await asyncio.to_thread(endless.serve)
    await terminal.until(BLOCKED)
    assert letters(str(first["fingerprint"])) in letters(terminal.text), "the one that is trusted"
    assert letters(json.loads(rotated.stdout)["fingerprint"]) in letters(terminal.text)
    for key in ("\x1b", "q", "j", "1", "\x10"):  # none of them passes by
        terminal.type(key)
        await terminal.quiet(0.3)
        assert BLOCKED in terminal.text, key
    assert (await status(endless))["state"] == "stopped"
    terminal.type("\r")
    await terminal.until(lambda text: BLOCKED not in text)
    assert (await status(endless))["state"] == "stopped", "seen is not trusted"
    await terminal.until(lambda text: "retry in" not in text)
    terminal.type("q")
    assert await terminal.ended() == 0


async def status(endless: Federation) -> dict[str, object]:
    return await asyncio.to_thread(endless.status, "a")


def letters(text: str) -> str:
    """Of a fingerprint, however it is grouped."""
    return "".join(filter(str.isalnum, text.casefold()))
