"""The screen while 500 false services a second are announced: it keeps its frame rate."""

import asyncio
import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from a_terminal import ATerminal

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

HERE = Path(__file__).parent
IP = str(shutil.which("ip"))
INTERVAL_S = 0.5  # 2 Hz, as the screen has it
NUM_TICKS = 40


async def test_D2_the_screen_keeps_its_frame_rate_in_a_flood_of_false_services(
    lan: dict[str, Any], tmp_path: Path
) -> None:
    machine = lan["ward-a"]
    flood = lan["ward-b"].start(
        sys.executable, str(HERE / "actors.py"), "flood", "10.77.0.3", "500"
    )
    sent = [0]
    listening = asyncio.create_task(hear(flood, sent))
    ticks = tmp_path / "ticks"
    terminal = ATerminal(
        [IP, "netns", "exec", machine.namespace, "env", "-C", str(machine.home), "fedtui"],
        machine.environment
        | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        | {"PYTHONPATH": str(HERE / "build_for_tests"), "TICKS": str(ticks)},
        columns=100,
        rows=40,
    )
    try:
        await terminal.until("IDLE")
        terminal.type("j")
        await terminal.until("Find a coordinator")
        await terminal.until(lambda text: text.count("10.77.") > 5)  # the flood is on the screen
        before, announced = len(times(ticks)), sent[-1]
        while len(times(ticks)) < before + NUM_TICKS:  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(0.1)
        seen = times(ticks)[before:]
        assert sent[-1] - announced > 200 * (seen[-1] - seen[0]), "there was a flood"
        gaps = [after - one for one, after in itertools.pairwise(seen)]
        missed = [gap for gap in gaps if gap >= 2 * INTERVAL_S]
        assert len(missed) <= NUM_TICKS // 10, f"of {len(gaps)} frames these came late: {missed}"
        assert terminal.text.count("10.77.") <= 64
        terminal.type("\x1b")
        await terminal.until(lambda text: "Find a coordinator" not in text)
    finally:
        await terminal.close()
        flood.kill()
        await listening


def times(ticks: Path) -> list[float]:
    """On the clock of the screen's own loop, not of this machine."""
    return [float(line) for line in ticks.read_text().splitlines()]


async def hear(flood: Any, sent: list[int]) -> None:
    """How many services were announced so far, as it says from time to time."""
    while line := await asyncio.to_thread(flood.stdout.readline):
        sent.append(int(json.loads(line)["sent"]))
